"""How the people of a list are spread over a column: bars whose people can be listed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from opportune.profiles.people import PeopleFilter, PeopleOrder, Picked, facts_of
from opportune.profiles.regroup import ROOM
from opportune.storage import State, load_sql

__all__ = ["Bar", "Spread", "spread"]

MOST_BARS = 20
MOST_VALUES = 12
DAY_S = 86_400
# Of times: from a minute to four years, and more of those.
STEPS_S = (
    *(60, 300, 900, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600),
    *(DAY_S, 2 * DAY_S, 7 * DAY_S, 14 * DAY_S, 30 * DAY_S, 90 * DAY_S, 365 * DAY_S, 1_460 * DAY_S),
)

Kind = Literal["number", "time", "value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """How many people are in a part of the column."""

    picked: Picked
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The bars of a column: numbers from the lowest, or values, the most frequent first.

    ``people`` are all of the list, ``others`` those with a value that has no bar, and ``without``
    those that have none. ``whole``: every number is whole.
    """

    kind: Kind
    bars: tuple[Bar, ...]
    people: int
    others: int = 0
    without: Bar | None = None
    whole: bool = False


def spread(state: State, chosen: PeopleFilter, order: PeopleOrder) -> Spread:
    """Count the people of a list over the column that sorts it; last seen where that is a name."""
    by = PeopleOrder() if order.by == "name" else order
    facts = facts_of(chosen, by)
    measured = state.rows(load_sql(ROOM, "people_measured"), facts)[0]
    if not measured["numbers"] and by.by == "trait":
        return _values(state, facts, by)
    return _numbers(state, facts, by, measured)


def _numbers(
    state: State, facts: Mapping[str, object], by: PeopleOrder, measured: Mapping[str, object]
) -> Spread:
    people, numbers = _count(measured["people"]), _count(measured["numbers"])
    kind: Kind = "number" if by.by == "trait" else "time"
    whole = bool(measured["whole"])
    bounds = [0.0]
    if numbers:
        low, high = float(str(measured["lowest"])), float(str(measured["highest"]))
        bounds = bounds_of(low, high, kind=kind, whole=whole)
    rows = state.rows(load_sql(ROOM, "people_by_number"), {**facts, "bounds": bounds})
    counted = {row["place"]: row["people"] for row in rows}
    picked = _picked(by, "range")
    return Spread(
        kind=kind,
        bars=tuple(
            Bar(picked=replace(picked, low=low, high=high), people=counted.get(place, 0))
            for place, (low, high) in enumerate(itertools.pairwise(bounds), start=1)
        ),
        people=people,
        without=_without(_picked(by, "no_number"), people - numbers),
        whole=whole,
    )


def _values(state: State, facts: Mapping[str, object], by: PeopleOrder) -> Spread:
    rows = state.rows(load_sql(ROOM, "people_by_value"), {**facts, "rows": MOST_VALUES + 1})
    people = _count(rows[0]["everybody"]) if rows else 0
    without = next((_count(row["people"]) for row in rows if row["value"] is None), 0)
    bars = tuple(
        Bar(picked=replace(_picked(by, "value"), said=row["value"]), people=row["people"])
        for row in rows
        if row["value"] is not None
    )[:MOST_VALUES]
    return Spread(
        kind="value",
        bars=bars,
        people=people,
        others=people - without - sum(each.people for each in bars),
        without=_without(_picked(by, "no_value"), without),
    )


def bounds_of(low: float, high: float, *, kind: Kind, whole: bool) -> list[float]:
    """Return round bounds of at most `MOST_BARS` bars; the highest number lies below the last.

    >>> bounds_of(18.0, 77.0, kind="number", whole=True)[:3]
    [15.0, 20.0, 25.0]
    >>> bounds_of(1.0, 3.0, kind="number", whole=True)
    [1.0, 2.0, 3.0, 4.0]
    """
    step = _step(high - low, kind=kind, whole=whole)
    # So large a number is its own neighbour.
    step = max(step, math.ulp(low) * 2, math.ulp(high) * 2)
    first = math.floor(low / step)
    last = max(math.floor(high / step), first)
    bounds = [place * step for place in range(first, last + 1)]
    # One more of them even where a division was rounded.
    bounds[0] = min(bounds[0], low)
    end = (last + 1) * step
    return [*bounds, end if end > high else math.nextafter(high, math.inf)]


def _step(width: float, *, kind: Kind, whole: bool) -> float:
    wanted = width / (MOST_BARS - 2)
    if kind == "time":
        found = next((step for step in STEPS_S if step >= wanted), None)
        return float(found or math.ceil(wanted / STEPS_S[-1]) * STEPS_S[-1])
    if wanted <= 0 or not math.isfinite(wanted):
        return max(1.0, width / 2)
    ten = 10.0 ** math.floor(math.log10(wanted))
    step = next(ten * each for each in (1, 2, 5, 10) if ten * each >= wanted)
    return max(step, 1.0) if whole else step


def _picked(by: PeopleOrder, part: Literal["range", "value", "no_number", "no_value"]) -> Picked:
    column: Literal["last_seen", "first_seen", "trait"] = "last_seen"
    if by.by in ("first_seen", "trait"):
        column = "first_seen" if by.by == "first_seen" else "trait"
    return Picked(part=part, by=column, trait=by.trait)


def _without(picked: Picked, people: int) -> Bar | None:
    return Bar(picked=picked, people=people) if people else None


def _count(value: object) -> int:
    return int(str(value))
