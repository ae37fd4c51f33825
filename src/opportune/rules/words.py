"""Say a rule as a sentence, for pages, explanations and reviews."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from opportune.rules.model import AllOf, AnyOf, Compare, Exists, Not, OneOf, Operator, Rule, Value

__all__ = ["words"]


def words(rule: Rule) -> str:
    """Say what the rule asks for; the sentence begins as the trait is written and has no full stop.

    >>> from opportune.rules import parse
    >>> words(parse({"all": [
    ...     {"trait": "age", "at_least": 18},
    ...     {"not": {"trait": "plan", "one_of": ["basic", "plus"]}},
    ... ]}, where="rule"))
    'age is at least 18 and not (plan is "basic" or "plus")'
    """
    match rule:
        case AllOf():
            return _join(" and ", rule.rules) or "everyone"
        case AnyOf():
            return _join(" or ", rule.rules) or "nobody"
        case Not(rule=Exists(trait=trait)):
            return f"{_name(trait)} is not known"
        case Not():
            return f"not ({words(rule.rule)})"
        case Exists():
            return f"{_name(rule.trait)} is known"
        case Compare():
            return f"{_name(rule.trait)} {_PHRASES[rule.operator]} {_value(rule.value)}"
        case _:
            return f"{_name(rule.trait)} is {_list([_value(value) for value in rule.values])}"


_PHRASES: Mapping[Operator, str] = {
    "is": "is",
    "is_not": "is known and not",
    "at_least": "is at least",
    "at_most": "is at most",
    "more_than": "is more than",
    "less_than": "is less than",
}


def _join(word: str, rules: tuple[Rule, ...]) -> str:
    if len(rules) == 1:
        return words(rules[0])
    return word.join(_inner(rule) for rule in rules)


def _inner(rule: Rule) -> str:
    """Brackets wherever "and" could be read together with "or"."""
    several = isinstance(rule, AllOf | AnyOf) and len(rule.rules) > 1
    return f"({words(rule)})" if several or isinstance(rule, OneOf) else words(rule)


def _name(trait: str) -> str:
    return trait if re.fullmatch(r"[\w.-]+", trait) else json.dumps(trait, ensure_ascii=False)


def _list(values: list[str]) -> str:
    *firsts, last = values
    return f"{', '.join(firsts)} or {last}" if firsts else last


def _value(value: Value) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else repr(value)
