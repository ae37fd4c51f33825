"""Credit outcomes to the decisions that earned them, once their window is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from opportune import profiles, rules
from opportune.decisions import DECISIONS, MOST_DAYS_AHEAD, UseCase
from opportune.events import OURS, Metric
from opportune.learning.model import REWARDS
from opportune.storage import Stores, load_sql

__all__ = ["DAY_US", "EPOCH", "Span", "earned", "reward"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
COUPONS = pa.schema(
    [
        pa.field("version", pa.int32(), nullable=False),
        pa.field("position", pa.int32(), nullable=False),
        pa.field("option", pa.string(), nullable=False),
        pa.field("coupon", pa.string(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Decided days from ``since`` to ``until``, and the outcomes that may count for them.

    Those from ``from_us``, the first decision, to before ``to_us``, in microseconds since 1970.
    """

    since: date
    until: date
    from_us: int
    to_us: int


def reward(stores: Stores, use_case: UseCase, metric: Metric, *, now: datetime) -> list[date]:
    """Write the rewards of every decided day whose window ended by ``now``, and return those days.

    An event of the metric counts for the decision that it names (``decision_id`` in its
    properties, or parameter ``d`` of the link in its ``url`` or its page's). One that names none of
    this profile and use case, or one too old, counts for the decision whose send was in the call of
    the event's ``dispatch_id``; where there is none, for the profile's newest decision whose window
    began before it, those before any other whose option has the event's ``coupon`` as its
    parameter of that name. Which call that was is told by our own event "Message Sent", so it does
    not matter which of the two came first. Either way it must have happened within
    ``window_days`` of the beginning of that window: the decision, or as many whole days later as
    its send had to wait. Control waits alike. Of a calculated metric, each part counts in its own
    window, and the formula is asked of what they come to for one decision; no part says when that
    came. Days that have rewards already stay as they are.
    """
    stores.lake.create("rewards", REWARDS)
    stores.lake.create("decisions", DECISIONS)
    window_us = metric.window_days * DAY_US
    now_us = (now - EPOCH) // timedelta(microseconds=1)
    due = stores.engine.query(
        load_sql("opportune.learning", "matured_days"),
        {"use_case": use_case.name, "latest_us": now_us - window_us},
        tables={"decisions": ("day", date.min, now.date())},
    )
    written = []
    known: pa.Table | None = None
    for day, first_us, last_us in zip(
        *(due[name].to_pylist() for name in due.column_names), strict=True
    ):
        key = f"rewards:{use_case.name}:{day}"
        if stores.lake.has("rewards", key):
            continue
        known = profiles.identifiers(stores.state) if known is None else known
        span = Span(since=day, until=day, from_us=first_us, to_us=last_us + window_us)
        credited = earned(stores, use_case, metric, span, known)
        count = credited.num_rows
        matured_at = pa.repeat(pa.scalar(now, pa.timestamp("us", "UTC")), count)
        rows = credited.append_column("matured_at", matured_at)
        if stores.lake.append("rewards", rows.select(REWARDS.names), key=key):
            written.append(day)
    return written


def earned(
    stores: Stores, use_case: UseCase, metric: Metric, span: Span, identifiers: pa.Table
) -> pa.Table:
    """Return what each decision of some days brought, a row each; by its formula, if it has one.

    The columns are those of `REWARDS` without ``matured_at``.
    """
    credited = [_credit(stores, use_case, each, span, identifiers) for each in metric.bases]
    first = credited[0]
    rewards = first["reward"]
    if metric.formula is not None:
        columns = {}
        for base, rows in zip(metric.bases, credited, strict=True):
            place = pc.index_in(first["decision_id"], value_set=rows["decision_id"])
            columns[base.name] = rows["reward"].take(place).to_numpy()
        found = rules.evaluate(metric.formula, columns, rows=first.num_rows)
        rewards = pa.array(found, from_pandas=True)
        first = _calculated(first, metric.name)
    # A decision after which there is no mean, no last value and no quotient has earned nothing.
    filled = pc.fill_null(rewards, 0.0)
    return first.set_column(first.column_names.index("reward"), "reward", filled)


def _calculated(rows: pa.Table, name: str) -> pa.Table:
    """The rows of a part as those of the metric ``name``, whose value came at no one moment."""
    none = pa.nulls(rows.num_rows, pa.int64())
    said = {"metric": pa.repeat(name, rows.num_rows), "first_at_us": none, "last_at_us": none}
    for column, values in said.items():
        rows = rows.set_column(rows.column_names.index(column), column, values)
    return rows


def _credit(
    stores: Stores, use_case: UseCase, metric: Metric, span: Span, identifiers: pa.Table
) -> pa.Table:
    window_us = metric.window_days * DAY_US
    # Before: an outcome may name an older decision. After: a newer one may be closer to it.
    earliest_us = span.from_us - window_us - MOST_DAYS_AHEAD * DAY_US
    # Only engagement names calls; of all else nobody looks through the sends before.
    sent_from_us = earliest_us if metric.is_engagement else span.to_us
    facts = {
        "ours": OURS,
        "sent_from_us": sent_from_us,
        "use_case": use_case.name,
        "since": span.since.isoformat(),
        "until": span.until.isoformat(),
        "metric": metric.name,
        "aggregate": metric.aggregate,
        "window_us": window_us,
        "from_us": span.from_us,
        "to_us": span.to_us,
    }
    asked = rules.measured(metric.measure, load_sql("opportune.learning", "credit"), facts)
    return stores.engine.query(
        asked.text,
        asked.parameters,
        tables={
            "decisions": ("decided_at_us", earliest_us, span.to_us),
            "events": ("occurred_at_us", min(span.from_us, sent_from_us), span.to_us),
        },
        relations={"identifiers": identifiers, "coupons": _coupons(use_case)},
    )


def _coupons(use_case: UseCase) -> pa.Table:
    """Return which option of which dimension (``position`` counts from 1) carries which coupon."""
    rows = [
        {
            "version": use_case.version,
            "position": position,
            "option": option.name,
            "coupon": str(option.parameters["coupon"]).upper(),
        }
        for position, dimension in enumerate(use_case.dimensions, start=1)
        for option in dimension.options
        if "coupon" in option.parameters
    ]
    return pa.Table.from_pylist(rows, schema=COUPONS)
