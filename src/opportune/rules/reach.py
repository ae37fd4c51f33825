"""How far a rule reaches: back over events, and ahead to when time alone may change its answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from opportune.rules.model import DateNear, Happened, InSession, Match, Rule, Sequence
from opportune.rules.times import DAY_US, Span, Window
from opportune.rules.uses import uses
from opportune.rules.walk import matches, parts

__all__ = ["Reach", "reach"]

FOR_EVER = Window()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a rule looks back at, and how long after what it reads its answer may change.

    Of each event's name (None: of any) ``windows`` are those it is looked for in. A number is how
    many microseconds after an event of that name, or after the date that a trait or a property of
    an event holds, the rule may get another answer; it may be negative for dates.
    """

    windows: Mapping[str | None, frozenset[Window]]
    after_events: frozenset[tuple[str | None, int]]
    after_traits: frozenset[tuple[str, int]]
    after_properties: frozenset[tuple[str, str, int]]

    def low_us(self, event: str, now_us: int) -> int | None:
        """Return since when events of that name may count at ``now_us`` or later; None: ever.

        Ask it only of events that count at all.
        """
        windows = self.windows.get(event, frozenset()) | self.windows.get(None, frozenset())
        lows_us = [window.bounds(now_us)[0] for window in windows]
        found = [low_us for low_us in lows_us if low_us is not None]
        return min(found) if len(found) == len(lows_us) else None


def reach(rule: Rule) -> Reach:
    """Derive from the rule alone what `wakes` finds out with the facts of one profile.

    Every moment at which the answer changes without a new fact is one of these distances after an
    event or a date; the other way round, not each of them changes it.

    >>> from opportune.rules import parse
    >>> found = reach(parse({"event": "Order", "within": {"days": 1}}, where="rule"))
    >>> sorted(found.after_events)
    [('Order', 0), ('Order', 86400000001)]
    >>> found.low_us("Order", 0)
    -86400000000
    """
    windows: dict[str | None, set[Window]] = defaultdict(set)
    for name, window in _windows(rule):
        windows[name].add(window)
    every = list(parts(rule))
    return Reach(
        windows={name: frozenset(each) for name, each in windows.items()},
        after_events=frozenset(
            # What is said to happen later than now counts from then on.
            {(name, 0) for name in windows} | {each for part in every for each in _edges(part)}
        ),
        after_traits=frozenset(
            (part.name, after_us)
            for part in every
            if isinstance(part, DateNear)
            for after_us in _near(part)
        ),
        after_properties=frozenset(
            each for part in every for match in matches(part) for each in _dated(match)
        ),
    )


def _windows(rule: Rule) -> Iterator[tuple[str | None, Window]]:
    for part in parts(rule):
        if isinstance(part, InSession):
            # Of a session without an event that is asked for it matters that there was one.
            yield None, FOR_EVER
        elif isinstance(part, Happened):
            for name in part.match.events:
                yield name, part.window
        elif isinstance(part, Sequence):
            found = uses(part)
            for name in found.events:
                yield name, part.window
            if found.every_event:
                yield None, part.window


def _edges(part: Rule) -> Iterator[tuple[str, int]]:
    """Yield when an event enters a window and leaves it, and when a deadline after it is over."""
    if isinstance(part, Happened | Sequence):
        for match in _windowed(part):
            for name in match.events:
                if part.window.ago is not None:
                    yield name, part.window.ago.us
                if part.window.within is not None:
                    yield name, part.window.within.us + 1
    if isinstance(part, Sequence):
        last, before = part.steps[-1], part.steps[-2]
        if last.absent and isinstance(last.within, Span):
            for name in before.match.events:
                yield name, last.within.us + 1


def _windowed(part: Happened | Sequence) -> list[Match]:
    return [part.match] if isinstance(part, Happened) else [step.match for step in part.steps]


def _near(leaf: DateNear) -> tuple[int, int]:
    span_us = leaf.days * DAY_US
    return (0, span_us + 1) if leaf.operator == "in_last_days" else (-span_us, 1)


def _dated(match: Match) -> Iterator[tuple[str, str, int]]:
    for leaf in [] if match.where is None else parts(match.where):
        if isinstance(leaf, DateNear):
            for name in match.events:
                for after_us in _near(leaf):
                    yield name, leaf.name, after_us
