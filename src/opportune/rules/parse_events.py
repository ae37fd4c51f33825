"""Read conditions on events: what happened how often, and one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias, get_args

from opportune.errors import nearest
from opportune.rules.model import (
    Aggregate,
    Distance,
    EventsApart,
    Happened,
    Match,
    Operator,
    Rule,
    Sequence,
    SessionsApart,
    Step,
)
from opportune.rules.parse_field import COMPARISONS, MAX_DAYS, moment
from opportune.rules.reading import (
    MAX_AMOUNT,
    STAND_IN,
    Place,
    names,
    number,
    show,
    table,
    text,
    whole,
)
from opportune.rules.times import UNITS_US, Span, Window

__all__ = ["happened", "sequence"]

MAX_COUNT = 1_000_000_000
MAX_STEPS = 20

AGGREGATES: tuple[Aggregate, ...] = get_args(Aggregate)
MATCH = ("event", "where")
WINDOW = ("within", "ago", "since", "until")
FIRST_STEP = MATCH
# Stands where a step cannot be read; it never leaves this file's callers.
NO_STEP = Step(
    match=Match(events=(), where=None), after=None, within=None, without=None, absent=False
)
LATER_STEP = (*MATCH, "after", "within", "without", "absent")

ReadWhere: TypeAlias = Callable[[object, Place], Rule]


def happened(given: Mapping[object, object], place: Place, read_where: ReadWhere) -> Rule:
    """Read ``{event = "Order Completed", count = {at_least = 3}, within = {days = 30}}``."""
    place.unknown(given, (*MATCH, *WINDOW, *AGGREGATES))
    asked = [aggregate for aggregate in AGGREGATES if aggregate in given]
    if len(asked) > 1:
        place.wrong(f"one question at a time; given: {', '.join(asked)}. Use all = [...].")
        return STAND_IN
    aggregate = asked[0] if asked else "count"
    at = place.at(aggregate)
    wanted = table(given.get(aggregate, {"at_least": 1}), at, example="{at_least = 3}")
    if wanted is None:
        return STAND_IN
    field = None
    if aggregate != "count" and aggregate in given:
        field = text(wanted.get("property"), at.at("property"), noun="property")
    operator, limit = _comparison(aggregate, wanted, at)
    return Happened(
        match=_match(given, place, read_where),
        window=_window(given, place),
        aggregate=aggregate,
        property=field,
        operator=operator,
        value=limit,
    )


def sequence(given: Mapping[object, object], place: Place, read_where: ReadWhere) -> Rule:
    """Read ``{sequence = [step, step, ...], same = "cart_id", within = {days = 7}}``."""
    place.unknown(given, ("sequence", "same", *WINDOW))
    listed, at = given["sequence"], place.at("sequence")
    if not isinstance(listed, list | tuple) or not 2 <= len(listed) <= MAX_STEPS:
        at.wrong(f"{show(listed)} given. Allowed: a list of 2 to {MAX_STEPS} steps.")
        listed = ()
    same = text(given["same"], place.at("same"), noun="property") if "same" in given else None
    last = len(listed) - 1
    return Sequence(
        steps=tuple(
            _step(item, at.item(index), read_where, is_first=index == 0, is_last=index == last)
            for index, item in enumerate(listed)
        ),
        same=same,
        window=_window(given, place),
    )


def _step(
    item: object, place: Place, read_where: ReadWhere, *, is_first: bool, is_last: bool
) -> Step:
    given = table(item, place, example='{event = "Order Completed"}')
    if given is None:
        return NO_STEP
    place.unknown(given, FIRST_STEP if is_first else LATER_STEP)
    absent = given.get("absent", False)
    if not isinstance(absent, bool):
        place.at("absent").wrong(f"{show(absent)} given. Allowed: true or false.")
    step = Step(
        match=_match(given, place, read_where),
        after=_distance(given, "after", place, low=1),
        within=_distance(given, "within", place, low=0),
        without=_without(given, place, read_where),
        absent=absent is True,
    )
    if step.absent:
        _check_absent(step, place, is_last=is_last)
    return step


def _check_absent(step: Step, place: Place, *, is_last: bool) -> None:
    if not is_last:
        place.at("absent").wrong(
            "only the last step can be that something did not come. Use without = {event = ...}."
        )
    if step.after is not None or step.without is not None:
        place.at("absent").wrong("it takes neither 'after' nor 'without'. Allowed: within.")
    if step.within is not None and not isinstance(step.within, Span):
        place.at("within").wrong(
            f"what did not come is waited for by the clock. {nearest('', UNITS_US)}"
        )


def _without(given: Mapping[object, object], place: Place, read_where: ReadWhere) -> Match | None:
    if "without" not in given:
        return None
    at = place.at("without")
    inside = table(given["without"], at, example='{event = "Cart Cleared"}')
    if inside is None:
        return None
    at.unknown(inside, MATCH)
    return _match(inside, at, read_where)


def _match(given: Mapping[object, object], place: Place, read_where: ReadWhere) -> Match:
    return Match(
        events=names(given.get("event"), place.at("event"), noun="event"),
        where=read_where(given["where"], place.at("where")) if "where" in given else None,
    )


def _comparison(
    aggregate: Aggregate, given: Mapping[object, object], place: Place
) -> tuple[Operator, float]:
    allowed = COMPARISONS if aggregate == "count" else ("property", *COMPARISONS)
    place.unknown(given, allowed)
    found = [operator for operator in COMPARISONS if operator in given]
    if len(found) != 1:
        said = ", ".join(found) or "none"
        place.wrong(f"it takes exactly one operator; given: {said}. {nearest('', COMPARISONS)}")
        return "is", 0.0
    operator, at = found[0], place.at(found[0])
    if aggregate in ("count", "distinct"):
        return operator, float(whole(given[operator], at, low=0, high=MAX_COUNT))
    if aggregate in ("sum", "average"):
        return operator, number(given[operator], at, limit=MAX_AMOUNT)
    return operator, number(given[operator], at)


def _window(given: Mapping[object, object], place: Place) -> Window:
    return Window(
        within=_span(given["within"], place.at("within")) if "within" in given else None,
        ago=_span(given["ago"], place.at("ago")) if "ago" in given else None,
        since=moment(given["since"], place.at("since")) if "since" in given else None,
        until=moment(given["until"], place.at("until")) if "until" in given else None,
    )


def _span(given: object, place: Place) -> Span:
    found = table(given, place, example="{days = 30}")
    if found is None:
        return Span(count=1, unit="days")
    place.unknown(found, UNITS_US)
    units = [unit for unit in UNITS_US if unit in found]
    if len(units) != 1:
        said = ", ".join(units) or "none"
        place.wrong(f"it takes exactly one unit; given: {said}. {nearest('', UNITS_US)}")
        return Span(count=1, unit="days")
    unit = units[0]
    high = MAX_DAYS * UNITS_US["days"] // UNITS_US[unit]
    return Span(count=whole(found[unit], place.at(unit), low=1, high=high), unit=unit)


def _distance(
    step: Mapping[object, object], key: str, place: Place, *, low: int
) -> Distance | None:
    if key not in step:
        return None
    given, at = step[key], place.at(key)
    if isinstance(given, Mapping) and "events" in given:
        at.unknown(given, ("events", "of"))
        count = whole(given["events"], at.at("events"), low=1, high=MAX_COUNT)
        of = text(given["of"], at.at("of"), noun="event") if "of" in given else None
        return EventsApart(count=count, of=of)
    if isinstance(given, Mapping) and "sessions" in given:
        at.unknown(given, ("sessions",))
        count = whole(given["sessions"], at.at("sessions"), low=low, high=MAX_COUNT)
        return SessionsApart(count=count)
    return _span(given, at)
