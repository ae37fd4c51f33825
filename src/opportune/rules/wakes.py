"""When to ask again although nothing new has happened: because time alone may change the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from opportune.rules.fields import date_us
from opportune.rules.holds import holds
from opportune.rules.model import DateNear, Facts, Happened, Match, Rule, Sequence, Step
from opportune.rules.past import Past
from opportune.rules.times import DAY_US, Span, Window, datetime_of, microseconds
from opportune.rules.walk import matches, parts

__all__ = ["wakes"]

# So often the rule is asked ahead; past that, waking up too early costs less than to look on.
LOOK_AHEAD = 32


def wakes(rule: Rule, facts: Facts) -> datetime | None:
    """Return the next moment after ``now`` at which the rule may cease, or begin, to hold.

    Until then the answer stays what it is unless the facts change; None: for ever. At that moment
    the answer usually is another one; ask `holds` then, and this for the next.

    >>> from datetime import UTC
    >>> from opportune.rules import parse
    >>> rule = parse({"trait": "renewal", "in_next_days": 7}, where="rule")
    >>> facts = Facts(now=datetime(2026, 3, 1, tzinfo=UTC), traits={"renewal": "2026-04-01"})
    >>> wakes(rule, facts)
    datetime.datetime(2026, 3, 25, 0, 0, tzinfo=datetime.timezone.utc)
    """
    now_us = microseconds(facts.now)
    ahead = sorted({at_us for at_us in _changes(rule, facts) if at_us > now_us})
    held = holds(rule, facts)
    for looked, at_us in enumerate(ahead, start=1):
        moment = datetime_of(at_us)
        if moment is None:
            return None
        if looked == LOOK_AHEAD or holds(rule, replace(facts, now=moment)) != held:
            return moment
    return None


def _changes(rule: Rule, facts: Facts) -> Iterator[int]:
    """Yield every moment at which a part of the rule may have another answer than just before."""
    every = Past(events=facts.events, now_us=facts.events[-1].occurred_at_us if facts.events else 0)
    now_us = microseconds(facts.now)
    for event in reversed(facts.events):
        if event.occurred_at_us <= now_us:
            break
        yield event.occurred_at_us
    for part in parts(rule):
        if isinstance(part, DateNear):
            yield from _near(part, facts.traits.get(part.name))
        elif isinstance(part, Happened):
            yield from _edges(part.window, part.match, every)
        elif isinstance(part, Sequence):
            for step in part.steps:
                yield from _edges(part.window, step.match, every)
            yield from _deadlines(part.steps, every)
        for match in matches(part):
            yield from _dated(match, every)


def _near(leaf: DateNear, given: object) -> Iterator[int]:
    at_us = date_us(given)
    if at_us is not None:
        if leaf.operator == "in_last_days":
            yield at_us
            yield at_us + leaf.days * DAY_US + 1
        else:
            yield at_us - leaf.days * DAY_US
            yield at_us + 1


def _edges(window: Window, match: Match, every: Past) -> Iterator[int]:
    """Yield when an event enters the window, and when it leaves it."""
    for event in every.events:
        if event.event in match.events:
            if window.ago is not None:
                yield event.occurred_at_us + window.ago.us
            if window.within is not None:
                yield event.occurred_at_us + window.within.us + 1


def _deadlines(steps: tuple[Step, ...], every: Past) -> Iterator[int]:
    """Yield when it is too late for what the last step waits for."""
    span = steps[-1].within
    if steps[-1].absent and isinstance(span, Span):
        for event in every.events:
            if event.event in steps[-2].match.events:
                yield event.occurred_at_us + span.us + 1


def _dated(match: Match, every: Past) -> Iterator[int]:
    """Yield when a property that is a date begins, or ceases, to be near."""
    leaves = [] if match.where is None else list(parts(match.where))
    for leaf in leaves:
        if isinstance(leaf, DateNear):
            for event in every.events:
                if event.event in match.events:
                    yield from _near(leaf, event.properties.get(leaf.name))
