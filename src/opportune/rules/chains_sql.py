"""The chains of a sequence for all profiles at once: what `chains` finds, by window functions.

For each event of a step, one window finds the latest event of the step before that is early enough.
Each step is a query over the one before, and all of them have the sequence's own events only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from opportune.rules.binding import Binding
from opportune.rules.counts import flag, named, value
from opportune.rules.model import Distance, EventsApart, Kind, Match, Sequence, SessionsApart, Step
from opportune.rules.statement import IN_ORDER, SELECT, SO_FAR, Statement, over
from opportune.rules.times import Span, Window

__all__ = ["chain_query"]

EARLIER = "rows between unbounded preceding and 1 preceding"
LATER = "rows between 1 following and unbounded following"

KEYS = "select {keys}\nfrom {source}\nwhere {where}\ngroup by {keys}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writing:
    """The sequence whose queries are being written; ``name`` begins their names."""

    sequence: Sequence
    statement: Statement
    keys: tuple[str, ...]
    name: str

    @property
    def values(self) -> Binding:
        return self.statement.values

    @property
    def group(self) -> str:
        """What the events of one chain have in common."""
        same = () if self.sequence.same is None else ("same_text", "same_number")
        return ", ".join((*self.keys, *same))

    @property
    def distances(self) -> list[Distance]:
        both = [each for step in self.sequence.steps for each in (step.after, step.within)]
        return [each for each in both if each is not None]

    @property
    def counted(self) -> list[str]:
        """The names of events that are counted between steps."""
        of = (each.of for each in self.distances if isinstance(each, EventsApart))
        return list(dict.fromkeys(name for name in of if name is not None))

    @property
    def events(self) -> tuple[str, ...]:
        """The names of all events that take part."""
        steps = self.sequence.steps
        asked = [each for step in steps for each in (step.match, step.without) if each is not None]
        names = [event for match in asked for event in match.events]
        return tuple(dict.fromkeys(names + self.counted))

    @property
    def numbers(self) -> list[str]:
        """Which numbers of all events the steps are counted on, or the keys made of."""
        numbers = list(self.keys[1:])
        for distance in self.distances:
            if isinstance(distance, SessionsApart):
                numbers += ["session_at_us", "session_no"]
            if isinstance(distance, EventsApart) and distance.of is None:
                numbers.append("ordinal")
        return list(dict.fromkeys(numbers))

    def scale(self, distance: Distance | None) -> str:
        """Return the column on which a distance is counted."""
        match distance:
            case EventsApart(of=None):
                return "ordinal"
            case EventsApart(of=str(name)):
                return f"n{self.counted.index(name) + 1}"
            case SessionsApart():
                return "session_no"
            case _:
                return "occurred_at_us"


def chain_query(
    sequence: Sequence, statement: Statement, *, name: str, keys: tuple[str, ...]
) -> str:
    """Add the queries of a sequence; return the name of the one with the ``keys`` that have it.

    ``keys`` are ``profile_id``, and ``session_at_us`` where each session is looked at alone.
    """
    writing = _Writing(sequence=sequence, statement=statement, keys=keys, name=name)
    columns, source = _events(writing)
    reached = "f1 = 1"
    for number, step in enumerate(sequence.steps[1:], start=2):
        if step.absent:
            source = _unfollowed(writing, step, number, source, reached)
            reached = _overdue(writing, step)
        else:
            source = _followed(writing, step, number, (columns, source, reached))
            reached = _reached(writing, step, number)
    return statement.query(name, KEYS.format(keys=", ".join(keys), source=source, where=reached))


def _events(writing: _Writing) -> tuple[tuple[str, ...], str]:
    """Add the queries of the events that take part; return their columns and their relation."""
    query, columns, source = writing.statement.query, _columns(writing), _source(writing)
    listed = ",\n    ".join(f"{text} as {name}" for name, text in columns.items())
    relation = query(f"{writing.name}_events", SELECT.format(columns=listed, source=source))
    names = list(columns)
    if writing.counted:
        counts = [
            f"count(e{number}) {over('profile_id', IN_ORDER, SO_FAR)} as n{number}"
            for number in range(1, len(writing.counted) + 1)
        ]
        listed = ",\n    ".join([", ".join(names), *counts])
        relation = query(f"{writing.name}_counted", SELECT.format(columns=listed, source=relation))
        names += [f"n{number}" for number in range(1, len(writing.counted) + 1)]
    where = " or ".join(f"{name} = 1" for name in names if name[0] in "fx")
    if writing.sequence.same is not None:
        where = f"({where}) and (same_text is not null or same_number is not null)"
    listed = ", ".join(names)
    if any(step.without is not None for step in writing.sequence.steps):
        listed += f",\n    row_number() {over(writing.group, IN_ORDER)} as place"
        names.append("place")
    source = f"{relation}\nwhere {where}"
    step = query(f"{writing.name}_step1", SELECT.format(columns=listed, source=source))
    return tuple(names), step


def _columns(writing: _Writing) -> dict[str, str]:
    """Name the columns of each event: f for a step, x for what must not lie between, e counted."""
    sequence, numbers = writing.sequence, writing.numbers
    columns = {
        name: name
        for name in dict.fromkeys((*writing.keys, "occurred_at_us", "message_id", *numbers))
    }

    def add(name: str, key: object, write: Callable[[], str]) -> None:
        columns[name] = writing.statement.marks.add(key, write) if numbers else write()

    def mark(name: str, match: Match, window: Window | None) -> None:
        add(name, (match, window), lambda: flag(match, window, writing.values))

    def same(name: str, kind: Kind) -> None:
        key = (writing.events, name, kind)
        add(f"same_{kind}", key, lambda: value(writing.events, name, kind, writing.values))

    for number, event in enumerate(writing.counted, start=1):
        mark(f"e{number}", Match(events=(event,), where=None), None)
    for number, step in enumerate(sequence.steps, start=1):
        mark(f"f{number}", step.match, None if step.absent else sequence.window)
        if step.without is not None:
            mark(f"x{number}", step.without, None)
    if sequence.same is not None:
        same(sequence.same, "text")
        same(sequence.same, "number")
    return columns


def _source(writing: _Writing) -> str:
    """Write where the events come from: all of them if they are numbered, else their own."""
    values = writing.values
    low_us, _ = writing.sequence.window.bounds(values.now_us)
    # Before the first step nothing matters.
    conditions = [] if low_us is None else [f"occurred_at_us >= {values.bind(low_us)}"]
    if writing.numbers:
        source = writing.statement.numbered("message_id", *writing.numbers)
        return f"{source}\nwhere {conditions[0]}" if conditions else source
    conditions.append(f"occurred_at_us <= {values.bind(values.now_us)}")
    conditions.append(named(writing.events, values))
    return f"{writing.statement.relation('events')} as events\nwhere {' and '.join(conditions)}"


def _followed(
    writing: _Writing, step: Step, number: int, before: tuple[tuple[str, ...], str, str]
) -> str:
    """Add the query that finds, for each event, the latest reached one that is early enough."""
    columns, source, reached = before
    if step.after is None:
        window = over(writing.group, IN_ORDER, EARLIER)
    else:
        least = writing.values.bind(_amount(step.after))
        frame = f"range between unbounded preceding and {least} preceding"
        window = over(writing.group, f"{writing.scale(step.after)} nulls first", frame)
    near = writing.scale(step.within)
    added = [f"max(case when {reached} then {near} end) {window} as near{number}"]
    if step.without is not None:
        earlier = over(writing.group, IN_ORDER, EARLIER)
        added.append(f"max(case when {reached} then place end) {window} as place{number}")
        added.append(f"max(case when x{number} = 1 then place end) {earlier} as barred{number}")
    listed = ",\n    ".join([", ".join(columns), *added])
    return writing.statement.query(
        f"{writing.name}_step{number}", SELECT.format(columns=listed, source=source)
    )


def _reached(writing: _Writing, step: Step, number: int) -> str:
    conditions = [f"f{number} = 1", f"near{number} is not null"]
    if step.within is not None:
        scale, most = writing.scale(step.within), writing.values.bind(_amount(step.within))
        conditions.append(f"{scale} - near{number} <= {most}")
    if step.without is not None:
        conditions.append(f"coalesce(barred{number} <= place{number}, true)")
    return " and ".join(conditions)


def _unfollowed(writing: _Writing, step: Step, number: int, source: str, reached: str) -> str:
    """Add the query that finds, for each reached event, when what should not come came."""
    came = f"min(case when f{number} = 1 then occurred_at_us end)"
    listed = (
        f"{', '.join(writing.keys)}, occurred_at_us, case when {reached} then 1 end as reached,\n"
        f"    {came} {over(writing.group, IN_ORDER, LATER)} as came_at_us"
    )
    return writing.statement.query(
        f"{writing.name}_step{number}", SELECT.format(columns=listed, source=source)
    )


def _overdue(writing: _Writing, step: Step) -> str:
    if not isinstance(step.within, Span):
        return "reached = 1 and came_at_us is null"
    span = writing.values.bind(step.within.us)
    now = writing.values.bind(writing.values.now_us)
    return (
        f"reached = 1 and occurred_at_us + {span} < {now}"
        f" and coalesce(came_at_us > occurred_at_us + {span}, true)"
    )


def _amount(distance: Distance) -> int:
    return distance.us if isinstance(distance, Span) else distance.count
