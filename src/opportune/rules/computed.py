"""A value for every profile from its events: how many, how much, which one, how long ago."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from opportune.rules.binding import Binding, binding
from opportune.rules.condition import expression
from opportune.rules.counts import named, value
from opportune.rules.model import Match, Sql
from opportune.rules.times import DAY_US, Window, microseconds

__all__ = ["OF_EVENTS", "Computation", "Compute", "computation", "span_us"]

Compute = Literal[
    "count",
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
OF_EVENTS: tuple[Compute, ...] = ("count", "days_since_last")

# A number and a text: a value is one of them.
NUMBERS = {
    "count": "cast(count(*) as double)",
    "sum": "cast(sum(cast(floor(number * 1e6 + 0.5) as bigint)) as double) / 1e6",
    "average": (
        "cast(sum(cast(floor(number * 1e6 + 0.5) as bigint)) as double) / count(number) / 1e6"
    ),
    "minimum": "min(number)",
    "maximum": "max(number)",
    "days_since_last": "cast(({now} - max(occurred_at_us)) // {day} as double)",
}
GROUPED = (
    "select profile_id, {number} as number, nullif('', '') as text\n"
    "from matched\nwhere {where}\ngroup by profile_id\norder by profile_id"
)
PLACED = (
    "select profile_id, number, text\nfrom {source}\n"
    "where abs(number) <= 1e300 or text is not null\n"
    "qualify row_number() over (partition by profile_id order by {order}) = 1\norder by profile_id"
)
ORDERS = {
    "first": "occurred_at_us, message_id",
    "last": "occurred_at_us desc, message_id desc",
    "most_frequent": "times desc, number nulls last, text nulls last",
}
TIMES = (
    "(\nselect profile_id, number, text, count(*) as times\nfrom matched\n"
    "group by profile_id, number, text\n) as counted"
)
ALWAYS_US = -(2**62)
# Beyond that, whole millionths do not fit into 64 bits.
AMOUNT = "abs(number) <= 1e12"


@dataclass(frozen=True, slots=True, kw_only=True)
class Computation:
    """What is calculated of which events; ``property`` is None where events alone are counted."""

    match: Match
    window: Window
    compute: Compute
    property: str | None


def computation(asked: Computation, *, now: datetime, events: str) -> Sql:
    """Write the statement that gives ``profile_id`` with a ``number`` or a ``text``.

    Only profiles with a value have a row, each once and in order; a count of none is no row.
    ``events`` is the query for relation ``events``, with the columns that `to_sql` wants. What
    happens after ``now`` has not happened. Only texts and numbers are values.
    """
    values = binding(prefix="computed", now=now)
    matched = _matched(asked, values, events)
    if asked.compute in ORDERS:
        source = TIMES if asked.compute == "most_frequent" else "matched"
        select = PLACED.format(source=source, order=ORDERS[asked.compute])
    else:
        where = "true" if asked.compute in OF_EVENTS else AMOUNT
        number = NUMBERS[asked.compute].format(now="$computed_now", day=DAY_US)
        if asked.compute == "days_since_last":
            values.parameters["computed_now"] = values.now_us
        select = GROUPED.format(number=number, where=where)
    text = f"with matched as (\n{matched}\n)\n{select}"
    return Sql(text=text, parameters=values.parameters, relations=frozenset({"events"}))


def span_us(window: Window, *, now: datetime) -> tuple[int, int]:
    """Return the first and the last microsecond of a window; what came before nothing else did."""
    low_us, high_us = window.bounds(microseconds(now))
    return (ALWAYS_US if low_us is None else low_us), high_us


def _matched(asked: Computation, values: Binding, events: str) -> str:
    names = asked.match.events
    low_us, high_us = asked.window.bounds(values.now_us)
    conditions = [named(names, values), f"occurred_at_us <= {values.bind(high_us)}"]
    if low_us is not None:
        conditions.append(f"occurred_at_us >= {values.bind(low_us)}")
    if asked.match.where is not None:
        conditions.append(expression(asked.match.where, "properties", values))
    number, text = "cast(null as double)", "nullif('', '')"
    if asked.property is not None:
        number = value(names, asked.property, "number", values)
        text = value(names, asked.property, "text", values)
    return (
        f"select profile_id, occurred_at_us, message_id, {number} as number, {text} as text\n"
        f"from (\n{events.strip()}\n) as events\nwhere {' and '.join(conditions)}"
    )
