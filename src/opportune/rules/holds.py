"""Ask a rule of one profile."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

from opportune.rules.model import (
    AllOf,
    AnyOf,
    Compare,
    Exists,
    Kind,
    Not,
    Operator,
    Rule,
    Value,
)

__all__ = ["holds"]


def holds(rule: Rule, traits: Mapping[str, object]) -> bool:
    """Tell whether the profile with these traits meets the rule; the meaning is the package's.

    Parameters
    ----------
    traits:
        Name to value as JSON has them (None, bool, int, float, str, list, dict). Anything else is
        of a kind that no comparison knows.

    >>> from opportune.rules import parse
    >>> rule = parse({"trait": "plan", "is_not": "basic"}, where="rule")
    >>> holds(rule, {"plan": "plus"}), holds(rule, {"plan": "basic"}), holds(rule, {})
    (True, False, False)
    """
    match rule:
        case AllOf():
            return all(holds(each, traits) for each in rule.rules)
        case AnyOf():
            return any(holds(each, traits) for each in rule.rules)
        case Not():
            return not holds(rule.rule, traits)
        case Exists():
            return traits.get(rule.trait) is not None
        case Compare():
            found = _of_kind(traits.get(rule.trait), rule.kind)
            return found is not None and bool(_OPERATORS[rule.operator](found, rule.value))
        case _:
            return _of_kind(traits.get(rule.trait), rule.kind) in rule.values


_OPERATORS: Mapping[Operator, Callable[[Value, Value], object]] = {
    "is": operator.eq,
    "is_not": operator.ne,
    "at_least": operator.ge,
    "at_most": operator.le,
    "more_than": operator.gt,
    "less_than": operator.lt,
}


def _of_kind(given: object, kind: Kind) -> Value | None:
    """The trait's value if it is of that kind, numbers as doubles."""
    if isinstance(given, bool):
        return given if kind == "boolean" else None
    if isinstance(given, str):
        return given if kind == "text" else None
    if isinstance(given, int | float) and kind == "number":
        number = _double(given)
        return None if math.isnan(number) else number
    return None


def _double(given: float) -> float:
    """The nearest double; infinite where there is none, as SQL's cast has it."""
    try:
        return float(given)
    except OverflowError:
        return math.inf if given > 0 else -math.inf
