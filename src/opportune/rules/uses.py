"""What a rule reads: to check that it is declared, to keep what is personal out, to wake it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from opportune.rules.model import (
    Compare,
    DateIs,
    DateNear,
    EventsApart,
    Exists,
    Happened,
    InSession,
    Member,
    OneOf,
    Rule,
    Sequence,
    SessionsApart,
    TextIs,
)
from opportune.rules.walk import matches, parts

__all__ = ["Uses", "depends_on_time", "uses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What a rule's answer may depend on beside the time.

    ``properties`` are pairs of an event's name and a property's. ``every_event`` is true when
    events of any name count, because the rule counts events between steps, or sessions.
    """

    traits: frozenset[str]
    events: frozenset[str]
    properties: frozenset[tuple[str, str]]
    segments: frozenset[str]
    every_event: bool


def uses(rule: Rule) -> Uses:
    """Name every trait, event, property and segment that the rule's answer may depend on.

    >>> from opportune.rules import parse
    >>> sale = {"property": "revenue", "at_least": 50}
    >>> bought = {"event": "Order Completed", "where": sale}
    >>> found = uses(parse({"any": [{"trait": "vip", "is": True}, bought]}, where="rule"))
    >>> sorted(found.traits), sorted(found.properties), found.every_event
    (['vip'], [('Order Completed', 'revenue')], False)
    """
    every = list(parts(rule))
    return Uses(
        traits=frozenset(_fields(rule)),
        events=frozenset(event for each in every for event in _events(each)),
        properties=frozenset(pair for each in every for pair in _properties(each)),
        segments=frozenset(each.segment for each in every if isinstance(each, Member)),
        every_event=any(_counts_everything(each) for each in every),
    )


def depends_on_time(rule: Rule) -> bool:
    """Tell whether a rule on fields alone may give another answer later, of the same fields."""
    return any(isinstance(each, DateNear) for each in parts(rule))


def _fields(rule: Rule) -> Iterator[str]:
    for each in parts(rule):
        if isinstance(each, Compare | OneOf | Exists | TextIs | DateIs | DateNear):
            yield each.name


def _events(rule: Rule) -> Iterator[str]:
    for match in matches(rule):
        yield from match.events
    if isinstance(rule, Sequence):
        for step in rule.steps:
            for distance in (step.after, step.within):
                if isinstance(distance, EventsApart) and distance.of is not None:
                    yield distance.of


def _properties(rule: Rule) -> Iterator[tuple[str, str]]:
    for match in matches(rule):
        names = [] if match.where is None else list(_fields(match.where))
        if isinstance(rule, Happened) and rule.property is not None:
            names.append(rule.property)
        if isinstance(rule, Sequence) and rule.same is not None:
            names.append(rule.same)
        for event in match.events:
            for name in names:
                yield event, name


def _counts_everything(rule: Rule) -> bool:
    if isinstance(rule, InSession):
        return True
    return isinstance(rule, Sequence) and any(
        isinstance(distance, SessionsApart)
        or (isinstance(distance, EventsApart) and distance.of is None)
        for step in rule.steps
        for distance in (step.after, step.within)
    )
