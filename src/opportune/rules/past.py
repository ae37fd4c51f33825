"""The events that a rule looks at: all of a profile's, or one session's, up to now."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from opportune.rules.fields import met
from opportune.rules.model import Distance, Event, EventsApart, Facts, Match, SessionsApart
from opportune.rules.times import UNITS_US, Window, microseconds

__all__ = ["SESSION_GAP_US", "Past", "measure", "past_of", "sessions"]

# A session ends after this much time without any event.
SESSION_GAP_US = 30 * UNITS_US["minutes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Events in order, all of them at ``now_us`` or before."""

    events: tuple[Event, ...]
    now_us: int

    def matches(self, match: Match, window: Window | None = None) -> list[int]:
        """Return the places of the events that are meant, in order."""
        low_us, high_us = (window or Window()).bounds(self.now_us)
        return [
            place
            for place, event in enumerate(self.events)
            if event.event in match.events
            and (low_us is None or event.occurred_at_us >= low_us)
            and event.occurred_at_us <= high_us
            and (match.where is None or met(match.where, event.properties, self.now_us))
        ]


def past_of(facts: Facts) -> Past:
    """Return what has happened by now; what is later has not."""
    now_us = microseconds(facts.now)
    known = bisect_right(facts.events, now_us, key=lambda event: event.occurred_at_us)
    return Past(events=facts.events[:known], now_us=now_us)


def sessions(past: Past) -> Iterator[Past]:
    """Return each session's events, oldest session first."""
    first = 0
    for place in range(1, len(past.events) + 1):
        if place == len(past.events) or _begins(past.events, place):
            yield Past(events=past.events[first:place], now_us=past.now_us)
            first = place


def measure(past: Past, distance: Distance | None) -> Callable[[int], int]:
    """Return the scale on which a distance between two places is counted."""
    events = past.events
    match distance:
        case EventsApart(of=None):
            return lambda place: place
        case EventsApart():
            return _count([event.event == distance.of for event in events])
        case SessionsApart():
            return _count([place > 0 and _begins(events, place) for place in range(len(events))])
        case _:
            return lambda place: events[place].occurred_at_us


def _begins(events: Sequence[Event], place: int) -> bool:
    """Whether a session begins with that event, the first one aside."""
    gap_us = events[place].occurred_at_us - events[place - 1].occurred_at_us
    return gap_us > SESSION_GAP_US


def _count(marks: Sequence[bool]) -> Callable[[int], int]:
    return list(accumulate(marks)).__getitem__
