"""The statement that is being written: its parameters, its relations and its inner queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from opportune.rules.binding import Binding
from opportune.rules.past import SESSION_GAP_US

__all__ = ["IN_ORDER", "SELECT", "SO_FAR", "Columns", "Statement", "over"]

# The total order of a profile's events.
IN_ORDER = "occurred_at_us nulls first, message_id nulls first"
SO_FAR = "rows between unbounded preceding and current row"

SELECT = "select {columns}\nfrom {source}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns that are calculated from one event, each once, by what they stand for."""

    named: dict[object, tuple[str, str]] = field(default_factory=dict)

    def add(self, key: object, write: Callable[[], str]) -> str:
        """Return the name of the column for ``key``; ``write`` says how to calculate a new one."""
        if key not in self.named:
            self.named[key] = (f"c{len(self.named) + 1}", write())
        return self.named[key][0]

    @property
    def listed(self) -> list[str]:
        """The columns as a query selects them."""
        return [f"{text} as {name}" for name, text in self.named.values()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Collects what the parts of a rule need; ``queries`` are the inner ones by name, in order.

    ``marks`` are the columns of the one relation that has every event, numbered by ``numbers``.
    """

    values: Binding
    sources: Mapping[str, str]
    relations: set[str] = field(default_factory=set)
    queries: dict[str, str] = field(default_factory=dict)
    marks: Columns = field(default_factory=Columns)
    numbers: set[str] = field(default_factory=set)

    def relation(self, name: str) -> str:
        """Return what to read for one of the statement's relations; it wants an alias."""
        self.relations.add(name)
        # In place, not by name: an engine may write down all rows of what is named and read twice.
        return f"(\n{self.sources[name].strip()}\n)" if name in self.sources else name

    def query(self, name: str, text: str) -> str:
        """Add an inner query and return the name by which to read it."""
        full = f"{self.values.prefix}_{name}"
        self.queries[full] = text
        return full

    def numbered(self, *numbers: str) -> str:
        """Return the relation of all events up to now, with ``marks`` and at least ``numbers``.

        These are ``ordinal``, ``session_at_us`` (when its session began) and ``session_no``.
        """
        self.numbers.update(numbers)
        return f"{self.values.prefix}_numbered"

    def text(self, select: str) -> str:
        """Return the whole statement: the inner queries, and what is selected from them."""
        numbered = _numbered(self) if self.numbers else {}
        queries = {**numbered, **self.queries}
        inner = ",\n".join(f"{name} as (\n{text}\n)" for name, text in queries.items())
        return f"with {inner}\n{select}" if inner else select


def over(partition: str, order: str, frame: str = "") -> str:
    """Write the window of a function."""
    return f"over (partition by {partition} order by {order}{' ' if frame else ''}{frame})"


def _numbered(statement: Statement) -> dict[str, str]:
    """Write the queries of all events and their numbers; only columns that are needed are kept."""
    prefix, numbers = f"{statement.values.prefix}_", statement.numbers
    kept = ["profile_id", "occurred_at_us"]
    if numbers & {"message_id", "ordinal"}:
        kept.append("message_id")
    now = statement.values.bind(statement.values.now_us)
    queries: dict[str, str] = {}

    def add(name: str, source: str, *new: str) -> None:
        columns = ",\n    ".join([", ".join(kept), *new])
        queries[prefix + name] = SELECT.format(columns=columns, source=source)
        kept.extend(each.rpartition(" as ")[2] for each in new)

    events = f"{statement.relation('events')} as events\nwhere occurred_at_us <= {now}"
    add("marked", events, *statement.marks.listed)
    last = "marked"
    if "session_at_us" in numbers:
        gap = statement.values.bind(SESSION_GAP_US)
        add("started", prefix + last, f"{STARTED.format(gap=gap)} as started_at_us")
        kept.remove("started_at_us")
        # Events of the same moment are of the same session, so any order among them will do.
        add("in_sessions", f"{prefix}started", f"{SESSION_AT} as session_at_us")
        last = "in_sessions"
    if "session_no" in numbers:
        add("counted_sessions", prefix + last, f"{SESSION_NO} as session_no")
        last = "counted_sessions"
    if "ordinal" in numbers:
        ordinal = f"row_number() {over('profile_id', IN_ORDER)} as ordinal"
        add("in_order", prefix + last, ordinal)
        last = "in_order"
    queries[f"{prefix}numbered"] = queries.pop(prefix + last)
    return queries


BY_TIME = "occurred_at_us nulls first"
STARTED = (
    f"case when occurred_at_us - lag(occurred_at_us) {over('profile_id', BY_TIME)} <= {{gap}}"
    " then null else occurred_at_us end"
)
SESSION_AT = "max(started_at_us) " + over(
    "profile_id", BY_TIME, "range between unbounded preceding and current row"
)
SESSION_NO = "dense_rank() " + over("profile_id", "session_at_us nulls first")
