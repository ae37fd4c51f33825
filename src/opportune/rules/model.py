"""The nouns of the rule language: what a parsed rule can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from opportune.errors import InvalidInput

__all__ = [
    "AllOf",
    "AnyOf",
    "Compare",
    "Exists",
    "InvalidRule",
    "Kind",
    "Not",
    "OneOf",
    "Operator",
    "Rule",
    "Sql",
    "Value",
]

Kind = Literal["number", "text", "boolean"]
Operator = Literal["is", "is_not", "at_least", "at_most", "more_than", "less_than"]
Value: TypeAlias = str | float | bool


class InvalidRule(InvalidInput):
    """A rule as written cannot be read; ``problems`` has one sentence for each place to repair."""

    code = "invalid_rule"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """Every one of ``rules`` holds; of none, it holds for everyone."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """At least one of ``rules`` holds."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The ``rule`` does not hold."""

    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """The trait is of that ``kind`` and stands so to ``value`` (a finite float for a number).

    ``kind`` also keeps ``true`` and 1 apart, which Python calls equal.
    """

    trait: str
    operator: Operator
    kind: Kind
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """The trait is of that ``kind`` and equal to one of ``values`` (one or more)."""

    trait: str
    kind: Kind
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """The trait is there and not null."""

    trait: str


Rule: TypeAlias = AllOf | AnyOf | Not | Compare | OneOf | Exists


@dataclass(frozen=True, slots=True, kw_only=True)
class Sql:
    """A boolean expression and the values of its ``$name`` parameters; it needs exactly these."""

    text: str
    parameters: dict[str, object]
