"""Find the chains of a sequence: one event for each step, one after another.

All scales on which a distance is counted rise with the order of events. So of all events a step
may follow, the latest that is early enough is also the closest: if any will do, that one will. One
walk along the events for each step finds everything; pairs are never joined.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence as Listing
from dataclasses import dataclass

from opportune.rules.fields import of_kind
from opportune.rules.model import Distance, Sequence, Step, Value
from opportune.rules.past import Past, measure
from opportune.rules.times import Span

__all__ = ["Chain", "chains"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The places of its last event and, of all chains that end there, of the latest first one."""

    first: int
    last: int


def chains(sequence: Sequence, past: Past) -> list[Chain]:
    """Return a chain for each event at which one ends."""
    groups = [None] if sequence.same is None else list(_groups(sequence.same, past))
    return [chain for group in groups for chain in _chains(sequence, past, group)]


def _groups(name: str, past: Past) -> list[frozenset[int]]:
    """Return the places of events that share one value, a text or a number, of the property."""
    groups: dict[tuple[str, Value], set[int]] = {}
    for place, event in enumerate(past.events):
        given = event.properties.get(name)
        for kind in ("text", "number"):
            found = of_kind(given, kind)
            if found is not None:
                groups.setdefault((kind, found), set()).add(place)
    return [frozenset(places) for places in groups.values()]


def _chains(sequence: Sequence, past: Past, group: frozenset[int] | None) -> list[Chain]:
    found: list[Chain] = []
    for number, step in enumerate(sequence.steps):
        window = None if step.absent else sequence.window
        places = _within(past.matches(step.match, window), group)
        if number == 0:
            found = [Chain(first=place, last=place) for place in places]
        elif step.absent:
            found = _unfollowed(found, places, step, past)
        else:
            found = _followed(found, places, step, past, group)
    return found


def _within(places: list[int], group: frozenset[int] | None) -> list[int]:
    return places if group is None else [place for place in places if place in group]


def _followed(
    before: Listing[Chain],
    places: Listing[int],
    step: Step,
    past: Past,
    group: frozenset[int] | None,
) -> list[Chain]:
    """Continue chains by the step: each of ``places`` by the latest chain that is early enough."""
    later, near = measure(past, step.after), measure(past, step.within)
    least = 0 if step.after is None else _amount(step.after)
    barriers = [] if step.without is None else _within(past.matches(step.without), group)
    found = []
    ready = 0
    for place in places:
        while (
            ready < len(before)
            and before[ready].last < place
            and later(place) - later(before[ready].last) >= least
        ):
            ready += 1
        if ready == 0:
            continue
        chain = before[ready - 1]
        if step.within is not None and near(place) - near(chain.last) > _amount(step.within):
            continue
        barred = bisect_left(barriers, place)
        if barred and barriers[barred - 1] > chain.last:
            continue
        found.append(Chain(first=chain.first, last=place))
    return found


def _unfollowed(
    before: Listing[Chain], places: Listing[int], step: Step, past: Past
) -> list[Chain]:
    """Keep the chains after which the step's event did not come, its time being over."""
    span_us = step.within.us if isinstance(step.within, Span) else None
    found = []
    for chain in before:
        next_one = bisect_left(places, chain.last + 1)
        until_us = None if span_us is None else past.events[chain.last].occurred_at_us + span_us
        if until_us is not None and until_us >= past.now_us:
            continue
        is_followed = next_one < len(places) and (
            until_us is None or past.events[places[next_one]].occurred_at_us <= until_us
        )
        if not is_followed:
            found.append(chain)
    return found


def _amount(distance: Distance) -> int:
    return distance.us if isinstance(distance, Span) else distance.count
