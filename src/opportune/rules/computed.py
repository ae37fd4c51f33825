"""Values for every profile from its events: how many, how much, which one, how long ago."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from opportune.rules.binding import Binding, binding, pointer
from opportune.rules.counts import flag, named, value
from opportune.rules.formula import Formula, names_in
from opportune.rules.formula_sql import formula_expression
from opportune.rules.measure import FINITE
from opportune.rules.model import Kind, Match, Sql
from opportune.rules.statement import Columns
from opportune.rules.times import DAY_US, Window, microseconds

__all__ = ["OF_EVENTS", "Computation", "Compute", "computations", "gives_text", "span_us"]

Compute = Literal[
    "count",
    "unique_days",
    "sum",
    "average",
    "minimum",
    "maximum",
    "first",
    "last",
    "most_frequent",
    "days_since_last",
]
# These ask for no property.
OF_EVENTS: tuple[Compute, ...] = ("count", "unique_days", "days_since_last")

# Beyond that, whole millionths do not fit into 64 bits.
AMOUNT = "case when {meant} = 1 and abs({number}) <= 1e12 then {number} end"
MILLIONTHS = (
    "cast(sum(case when {meant} = 1 and abs({number}) <= 1e12"
    " then cast(floor({number} * 1e6 + 0.5) as bigint) end) as double)"
)
TOTALS = {
    "count": "cast(nullif(count({meant}), 0) as double)",
    "unique_days": (
        "cast(nullif(count(distinct case when {meant} = 1 then occurred_at_us // {day} end), 0)"
        " as double)"
    ),
    "sum": f"{MILLIONTHS} / 1e6",
    "average": f"{MILLIONTHS} / nullif(count({AMOUNT}), 0) / 1e6",
    "minimum": f"min({AMOUNT})",
    "maximum": f"max({AMOUNT})",
    "days_since_last": (
        "cast(({now} - max(case when {meant} = 1 then occurred_at_us end)) // {day} as double)"
    ),
}
ORDERS = {
    "first": "occurred_at_us, message_id",
    "last": "occurred_at_us desc, message_id desc",
    "most_frequent": "times desc, number nulls last, text nulls last",
}
PLACED = (
    "select profile_id, number, text\nfrom (\n"
    "select profile_id, {number} as number, {text} as text, {ordered}\nfrom computed_matched\n"
    "where {meant} = 1 and (abs({number}) <= 1e300 or {text} is not null){grouped}\n) as valued\n"
    "qualify row_number() over (partition by profile_id order by {order}) = 1"
)
ALWAYS_US = -(2**62)


@dataclass(frozen=True, slots=True, kw_only=True)
class Computation:
    """What is calculated of which events; ``property`` is None where events alone are counted.

    ``amount`` is a formula over properties that stands in the place of one: what `measured` says an
    event is worth, and never a text.
    """

    match: Match
    window: Window
    compute: Compute
    property: str | None
    amount: Formula | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the statement is made of: columns of each event, totals and places of each profile."""

    values: Binding
    columns: Columns = field(default_factory=Columns)
    totals: list[str] = field(default_factory=list)
    placed: dict[str, str] = field(default_factory=dict)
    selected: list[str] = field(default_factory=list)

    def add(self, number: int, asked: Computation) -> None:
        """Add what computation ``number`` needs."""
        meant = self.columns.add(
            (asked.match, asked.window), lambda: flag(asked.match, asked.window, self.values)
        )
        if asked.compute in ORDERS:
            name = f"computed_placed_{number}"
            self.placed[name] = self._placed(asked, meant)
            self.selected.append(f"{name}.number as number_{number}")
            self.selected.append(f"{name}.text as text_{number}")
            return
        value = self._number(asked)
        now = self.values.bind(self.values.now_us) if asked.compute == "days_since_last" else ""
        total = TOTALS[asked.compute].format(meant=meant, number=value, now=now, day=DAY_US)
        self.totals.append(f"{total} as number_{number}")
        self.selected.append(f"computed_totals.number_{number}")

    def _placed(self, asked: Computation, meant: str) -> str:
        number, text = self._number(asked), "nullif('', '')"
        if asked.property is not None:
            text = self._value(asked, asked.property, "text")
        counted = asked.compute == "most_frequent"
        return PLACED.format(
            meant=meant,
            number=number,
            text=text,
            ordered="count(*) as times" if counted else "occurred_at_us, message_id",
            grouped=f"\ngroup by profile_id, {number}, {text}" if counted else "",
            order=ORDERS[asked.compute],
        )

    def _number(self, asked: Computation) -> str:
        if asked.amount is not None:
            read = {name: self._worth(asked.match.events, name) for name in names_in(asked.amount)}
            return formula_expression(asked.amount, read, self.values)
        return "null" if asked.property is None else self._value(asked, asked.property, "number")

    def _worth(self, events: tuple[str, ...], name: str) -> str:
        """Read a property as `measured` does, of the events that are meant alone."""

        def write() -> str:
            read = FINITE.format(path=self.values.bind(pointer(name)))
            return f"case when {named(events, self.values)} then {read} end"

        return self.columns.add((events, name), write)

    def _value(self, asked: Computation, name: str, kind: Kind) -> str:
        events = asked.match.events
        return self.columns.add(
            (events, name, kind), lambda: value(events, name, kind, self.values)
        )


def computations(asked: Sequence[Computation], *, now: datetime, events: str) -> Sql:
    """Write the statement that gives ``profile_id`` and the value of every computation, in one scan
    of the events that any of them means.

    The value of the first is in ``number_1``, and in ``text_1`` where it may be a text
    (`gives_text`), and so on; null is no value, and a count of none is one. A profile has a row at
    most, and may have one without any value. ``events`` is the query for relation ``events``, with
    the columns that `to_sql` wants. What happens after ``now`` has not happened. Only texts and
    numbers are values.
    """
    parts = _Parts(values=binding(prefix="computed", now=now))
    for number, each in enumerate(asked, start=1):
        parts.add(number, each)
    listed = ["profile_id", "occurred_at_us", "message_id", *parts.columns.listed]
    queries = {
        "computed_matched": (
            f"select {_lines(listed)}\nfrom (\n{events.strip()}\n) as events\n"
            f"where {_meant(asked, parts.values)}"
        ),
        "computed_totals": (
            f"select {_lines(['profile_id', *parts.totals])}\n"
            "from computed_matched\ngroup by profile_id"
        ),
        **parts.placed,
    }
    inner = ",\n".join(f"{name} as (\n{text}\n)" for name, text in queries.items())
    joins = "".join(
        f"\nleft join {name} on {name}.profile_id = computed_totals.profile_id"
        for name in parts.placed
    )
    selected = _lines(["computed_totals.profile_id", *parts.selected])
    text = f"with {inner}\nselect {selected}\nfrom computed_totals{joins}\norder by profile_id"
    return Sql(text=text, parameters=parts.values.parameters, relations=frozenset({"events"}))


def gives_text(asked: Computation) -> bool:
    """Say whether a value may be a text."""
    return asked.compute in ORDERS and asked.amount is None


def span_us(windows: Sequence[Window], *, now: datetime) -> tuple[int, int]:
    """Return the first and the last microsecond of all ``windows`` together."""
    bounds = [window.bounds(microseconds(now)) for window in windows]
    lows_us = [ALWAYS_US if low_us is None else low_us for low_us, _ in bounds]
    return min(lows_us), max(high_us for _, high_us in bounds)


def _meant(asked: Sequence[Computation], values: Binding) -> str:
    """Write that an event may be one of those that are meant, without reading its properties."""
    lows_us: dict[tuple[str, ...], list[int | None]] = {}
    for each in asked:
        low_us, _ = each.window.bounds(values.now_us)
        lows_us.setdefault(each.match.events, []).append(low_us)
    conditions = []
    for names, found in lows_us.items():
        known = [low_us for low_us in found if low_us is not None]
        since = f" and occurred_at_us >= {values.bind(min(known))}" if known == found else ""
        conditions.append(f"({named(names, values)}{since})")
    return f"occurred_at_us <= {values.bind(values.now_us)} and ({' or '.join(conditions)})"


def _lines(columns: Sequence[str]) -> str:
    return ",\n    ".join(columns)
