"""Read a condition on one field: a trait of a profile or a property of an event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from opportune.errors import nearest
from opportune.rules.model import (
    Compare,
    DateIs,
    DateNear,
    DateOperator,
    Exists,
    Near,
    Not,
    OneOf,
    Operator,
    Rule,
    TextIs,
    TextOperator,
)
from opportune.rules.reading import STAND_IN, Place, kind_of, show, text, value, whole
from opportune.rules.times import Moment, instant_us

__all__ = ["COMPARISONS", "MAX_DAYS", "field", "moment"]

MAX_VALUES = 1_000
MAX_DAYS = 3_660

COMPARISONS: tuple[Operator, ...] = get_args(Operator)
EQUALITIES = ("is", "is_not")
TEXTS: tuple[TextOperator, ...] = get_args(TextOperator)
DATES: tuple[DateOperator, ...] = get_args(DateOperator)
NEAR: tuple[Near, ...] = get_args(Near)
OPERATORS = (*COMPARISONS, "one_of", "exists", *TEXTS, *DATES, *NEAR)


def field(given: Mapping[object, object], place: Place) -> Rule:
    """Read ``{trait = "plan", is = "basic"}``, or the same with ``property``."""
    noun = "trait" if "trait" in given else "property"
    name = text(given[noun], place.at(noun), noun=noun)
    keys = [str(key) for key in given if key != noun]
    unknown = [key for key in keys if key not in OPERATORS]
    for key in unknown:
        place.wrong(f"unknown operator {show(key)}. {nearest(key, OPERATORS)}")
    if not unknown and len(keys) != 1:
        found = ", ".join(sorted(keys)) or "none"
        place.wrong(
            f"a {noun} takes exactly one operator; given: {found}. {nearest('', OPERATORS)}"
        )
    read = [_condition(name, key, given[key], place.at(key)) for key in keys if key not in unknown]
    return read[0] if len(read) == 1 else STAND_IN


def _condition(name: str, operator: str, given: object, place: Place) -> Rule:
    if operator == "exists":
        if not isinstance(given, bool):
            place.wrong(f"{show(given)} given. Allowed: true or false.")
        return Exists(name=name) if given else Not(rule=Exists(name=name))
    if operator == "one_of":
        return _one_of(name, given, place)
    for sought in TEXTS:
        if operator == sought:
            return TextIs(name=name, operator=sought, text=_piece(given, place))
    for side in DATES:
        if operator == side:
            return DateIs(name=name, operator=side, moment=moment(given, place))
    for near in NEAR:
        if operator == near:
            days = whole(given, place, low=1, high=MAX_DAYS)
            return DateNear(name=name, operator=near, days=days)
    return _compare(name, operator, given, place)


def _compare(name: str, operator: str, given: object, place: Place) -> Rule:
    wanted = value(given, place)
    kind = kind_of(wanted)
    for comparison in COMPARISONS:
        if comparison == operator and (comparison in EQUALITIES or kind == "number"):
            return Compare(name=name, operator=comparison, kind=kind, value=wanted)
    place.wrong(f"{show(given)} cannot be ordered. Allowed: a number.")
    return STAND_IN


def _one_of(name: str, given: object, place: Place) -> Rule:
    if not isinstance(given, list | tuple) or not 0 < len(given) <= MAX_VALUES:
        place.wrong(f"{show(given)} given. Allowed: a list of 1 to {MAX_VALUES} values.")
        return STAND_IN
    before = len(place.problems)
    values = tuple(value(item, place.item(index)) for index, item in enumerate(given))
    kinds = sorted({kind_of(each) for each in values})
    if len(kinds) > 1 and len(place.problems) == before:
        place.wrong(f"{' and '.join(kinds)} values mixed. Allowed: values of one kind.")
    return OneOf(name=name, kind=kind_of(values[0]), values=values)


def _piece(given: object, place: Place) -> str:
    if isinstance(given, str) and given:
        value(given, place)
        return given
    place.wrong(f"{show(given)} given. Allowed: a text of one character or more.")
    return ""


def moment(given: object, place: Place) -> Moment:
    """Read a day or a time; it is written as a text, as JSON has no other way."""
    if isinstance(given, str) and instant_us(given) is not None:
        return Moment(text=given)
    place.wrong(
        f"{show(given)} given. Allowed: a text such as"
        ' "2026-11-30" (the whole day in UTC) or "2026-11-30T18:00:00+01:00".'
    )
    return Moment(text="1970-01-01")
