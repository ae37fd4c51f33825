"""Ask a rule of fields alone: the traits of one profile or the properties of one event."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import cast

from opportune.rules.model import (
    AllOf,
    AnyOf,
    Compare,
    DateIs,
    Exists,
    Kind,
    Leaf,
    Not,
    OneOf,
    Operator,
    Rule,
    TextIs,
    TextOperator,
    Value,
)
from opportune.rules.times import instant_us

__all__ = ["COMPARE", "date_us", "leaf_holds", "met", "of_kind"]

COMPARE: Mapping[Operator, Callable[[Value, Value], object]] = {
    "is": operator.eq,
    "is_not": operator.ne,
    "at_least": operator.ge,
    "at_most": operator.le,
    "more_than": operator.gt,
    "less_than": operator.lt,
}
TEXTS: Mapping[TextOperator, Callable[[str, str], bool]] = {
    "contains": str.__contains__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}


def met(rule: Rule, values: Mapping[str, object], now_us: int) -> bool:
    """Tell whether the rule, made of conditions on fields only, holds for these ``values``."""
    match rule:
        case AllOf():
            return all(met(each, values, now_us) for each in rule.rules)
        case AnyOf():
            return any(met(each, values, now_us) for each in rule.rules)
        case Not():
            return not met(rule.rule, values, now_us)
        case _:
            # Of an event, parse lets nothing else be asked.
            return leaf_holds(cast("Leaf", rule), values, now_us)


def leaf_holds(rule: Leaf, values: Mapping[str, object], now_us: int) -> bool:
    """Tell whether one condition on a field holds for these ``values``."""
    given = values.get(rule.name)
    match rule:
        case Compare():
            found = of_kind(given, rule.kind)
            return found is not None and bool(COMPARE[rule.operator](found, rule.value))
        case OneOf():
            return of_kind(given, rule.kind) in rule.values
        case Exists():
            return given is not None
        case TextIs():
            return isinstance(given, str) and TEXTS[rule.operator](given, rule.text)
        case DateIs():
            at_us = date_us(given)
            if at_us is None:
                return False
            moment = rule.moment
            return at_us < moment.start_us if rule.operator == "before" else at_us >= moment.end_us
        case _:
            at_us = date_us(given)
            first_us, last_us = rule.bounds(now_us)
            return at_us is not None and first_us <= at_us <= last_us


def of_kind(given: object, kind: Kind) -> Value | None:
    """Return the field's value if it is of that kind, numbers as doubles."""
    if isinstance(given, bool):
        return given if kind == "boolean" else None
    if isinstance(given, str):
        return given if kind == "text" else None
    if isinstance(given, int | float) and kind == "number":
        number = _double(given)
        return None if math.isnan(number) else number
    return None


def date_us(given: object) -> int | None:
    """Return the moment that a text means, if it is an ISO date or time."""
    return instant_us(given) if isinstance(given, str) else None


def _double(given: float) -> float:
    """Return the nearest double; infinite where there is none, as SQL's cast has it."""
    try:
        return float(given)
    except OverflowError:
        return math.inf if given > 0 else -math.inf
