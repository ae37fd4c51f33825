"""The nouns of the rule language: what a parsed rule can be, and what it is asked of."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Listing
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, TypeAlias

from opportune.errors import InvalidInput
from opportune.rules.times import Moment, Span, Window

__all__ = [
    "Aggregate",
    "AllOf",
    "AnyOf",
    "Compare",
    "DateIs",
    "DateNear",
    "DateOperator",
    "Distance",
    "Event",
    "EventsApart",
    "Exists",
    "Facts",
    "Happened",
    "InSession",
    "InvalidRule",
    "Kind",
    "Leaf",
    "Match",
    "Member",
    "Near",
    "Not",
    "OneOf",
    "Operator",
    "Rule",
    "Sequence",
    "SessionsApart",
    "Sql",
    "Step",
    "TextIs",
    "TextOperator",
    "Value",
]

Kind = Literal["number", "text", "boolean"]
Operator = Literal["is", "is_not", "at_least", "at_most", "more_than", "less_than"]
TextOperator = Literal["contains", "starts_with", "ends_with"]
DateOperator = Literal["before", "after"]
Near = Literal["in_last_days", "in_next_days"]
Aggregate = Literal["count", "sum", "average", "minimum", "maximum", "distinct"]
Value: TypeAlias = str | float | bool


class InvalidRule(InvalidInput):
    """A rule as written cannot be read; ``problems`` has one sentence for each place to repair."""

    code = "invalid_rule"

    def __init__(self, problems: Listing[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """Every one of ``rules`` holds; of none, it holds for everyone."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """At least one of ``rules`` holds."""

    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """The ``rule`` does not hold."""

    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """The field is of that ``kind`` and stands so to ``value`` (a finite float for a number).

    A field is a trait of the profile or, within ``where``, a property of the event. ``kind`` also
    keeps ``true`` and 1 apart, which Python calls equal.
    """

    name: str
    operator: Operator
    kind: Kind
    value: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """The field is of that ``kind`` and equal to one of ``values`` (one or more)."""

    name: str
    kind: Kind
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exists:
    """The field is there and not null."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextIs:
    """The field is a text that has ``text`` in that place, letter for letter."""

    name: str
    operator: TextOperator
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DateIs:
    """The field is a date wholly before, or wholly after, ``moment``."""

    name: str
    operator: DateOperator
    moment: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class DateNear:
    """The field is a date between now and ``days`` days back, or ahead; both ends count."""

    name: str
    operator: Near
    days: int

    def bounds(self, now_us: int) -> tuple[int, int]:
        """Return the first and the last microsecond that count."""
        span_us = Span(count=self.days, unit="days").us
        if self.operator == "in_last_days":
            return now_us - span_us, now_us
        return now_us, now_us + span_us


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which events are meant: of one of these names, with properties for which ``where`` holds."""

    events: tuple[str, ...]
    where: Rule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An ``aggregate`` over the events of ``match`` within ``window`` stands so to ``value``.

    ``property`` is what is added up, averaged or told apart; None for a count of events. Of no
    event, count, sum and distinct are 0, and any comparison with another aggregate is false.
    """

    match: Match
    window: Window
    aggregate: Aggregate
    property: str | None
    operator: Operator
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsApart:
    """So many events later: the next one is 1 event later. ``of`` counts events of that name."""

    count: int
    of: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsApart:
    """So many sessions later; 0 is the same session."""

    count: int


Distance: TypeAlias = Span | EventsApart | SessionsApart


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a sequence: an event strictly later than that of the step before.

    It is at least ``after`` and at most ``within`` later, and nothing of ``without`` lies between
    the two. If ``absent`` (the last step only), the step is that no such event came: it is made
    when the time ``within`` has passed without one, or at once if there is none.
    """

    match: Match
    after: Distance | None
    within: Distance | None
    without: Match | None
    absent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """The steps happened one after another, each in ``window``.

    With ``same``, only events that have that property take part, and all of one chain share its
    value.
    """

    steps: tuple[Step, ...]
    same: str | None
    window: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class InSession:
    """There is a session for which ``rule`` holds when only that session's events are looked at."""

    rule: Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """The profile is in the segment now."""

    segment: str


Leaf: TypeAlias = Compare | OneOf | Exists | TextIs | DateIs | DateNear
Rule: TypeAlias = AllOf | AnyOf | Not | Leaf | Happened | Sequence | InSession | Member


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as a rule sees it.

    ``occurred_at_us`` counts microseconds since 1970 UTC. ``properties`` maps names to values as
    JSON has them.
    """

    event: str | None
    occurred_at_us: int
    message_id: str
    properties: Mapping[str, object]


NONE: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one profile at ``now``.

    ``traits`` maps names to values as JSON has them. ``events`` are in order of their time, and
    where that is the same of ``message_id``; those later than ``now`` have not happened yet.
    ``segments`` are those the profile is in now.
    """

    now: datetime
    traits: Mapping[str, object] = field(default_factory=lambda: NONE)
    events: tuple[Event, ...] = ()
    segments: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sql:
    """SQL and the values of its ``$name`` parameters; it needs exactly these.

    ``relations`` are those of profiles, events and members that a whole statement reads.
    """

    text: str
    parameters: dict[str, object]
    relations: frozenset[str] = frozenset()
