"""What a metric comes to by itself: on each day and over all of them, with the people behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import events, profiles, rules, stats
from opportune.errors import InvalidInput
from opportune.events import Metric
from opportune.storage import Stores, load_sql

__all__ = [
    "InvalidDays",
    "MetricDays",
    "MetricDefinition",
    "MetricValue",
    "metric_days",
    "metric_definition",
    "metric_definitions",
]

ROOM = "opportune.reports"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY_US = 86_400_000_000
MOST_DAYS = 365
# Only of these does the sum over people mean something.
ADDED = ("sum", "unique_days")


class InvalidDays(InvalidInput):
    """A metric was asked for over a number of days that cannot be."""

    code = "invalid_days"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDefinition:
    """A metric as it is defined; ``value`` and ``formula`` as text, "" where there is none."""

    name: str
    title: str
    unit: str
    window_days: int
    events: tuple[str, ...]
    where: str
    value: str
    aggregate: str
    formula: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricValue:
    """What ``people`` brought, all of whom did any of its events; ``day`` None: over all days.

    ``mean`` is per person, between ``low`` and ``high`` with 95 % confidence, once; of a formula
    over all rows it is its one value. ``total`` is over all people, None where none makes sense.
    """

    day: date | None
    people: int
    total: float | None
    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricDays:
    """A metric over whole days in UTC, ``since`` to ``until``, both included, as of ``as_of``."""

    as_of: datetime
    metric: MetricDefinition
    since: date
    until: date
    whole: MetricValue
    days: tuple[MetricValue, ...]


def metric_definition(metric: Metric) -> MetricDefinition:
    """Say how ``metric`` is defined."""
    formula = "" if metric.value is None else rules.formula_text(metric.value)
    return MetricDefinition(
        name=metric.name,
        title=metric.title,
        unit=metric.unit,
        window_days=metric.window_days,
        events=metric.events,
        where=metric.filtered,
        value=metric.property or formula,
        aggregate="count" if metric.is_count else metric.aggregate,
        formula="" if metric.formula is None else rules.formula_text(metric.formula),
        parts=tuple(base.name for base in metric.bases) if metric.formula is not None else (),
    )


def metric_definitions(metrics: Mapping[str, Metric]) -> tuple[MetricDefinition, ...]:
    """Say what each metric counts, in the order of their names."""
    return tuple(metric_definition(each) for _, each in sorted(metrics.items()))


def metric_days(stores: Stores, metric: Metric, *, now: datetime, days: int) -> MetricDays:
    """Ask what ``metric`` came to on each of the newest ``days`` days, the day of ``now`` included.

    A day without any of its events has nobody. Raises ``InvalidDays`` beyond 1 to 365.
    """
    if not 1 <= days <= MOST_DAYS:
        raise InvalidDays(f"{days} days given. Allowed: 1 to {MOST_DAYS} whole days.")
    until = now.astimezone(UTC).date()
    since = until - timedelta(days=days - 1)
    events.create_tables(stores.lake)
    by_day = _asked(stores, metric, (since, until), by_day=True)
    together = _asked(stores, metric, (since, until), by_day=False)
    every = [since + timedelta(days=place) for place in range(days)]
    nobody = {each.name: np.empty(0) for each in metric.bases}
    return MetricDays(
        as_of=now,
        metric=metric_definition(metric),
        since=since,
        until=until,
        whole=together.get(None) or _value(metric, None, nobody),
        days=tuple(by_day.get(day) or _value(metric, day, nobody) for day in every),
    )


def _asked(
    stores: Stores, metric: Metric, span: tuple[date, date], *, by_day: bool
) -> dict[date | None, MetricValue]:
    """Return the value of each day that has anybody, or that of all as the one of None."""
    rows = [_brought(stores, base, span, by_day=by_day) for base in metric.bases]
    keys = pa.concat_tables([each.select(["day_number", "profile_id"]) for each in rows])
    every = keys.group_by(["day_number", "profile_id"]).aggregate([])
    columns = {}
    for base, found in zip(metric.bases, rows, strict=True):
        joined = every.join(found, ["day_number", "profile_id"])
        order = pc.sort_indices(joined, [("day_number", "ascending"), ("profile_id", "ascending")])
        none = 0.0 if base.aggregate in ADDED else np.nan
        values = pc.fill_null(joined["brought"].take(order), none)
        columns[base.name] = values.to_numpy()
    numbers = np.sort(every["day_number"].to_numpy())
    values_of: dict[date | None, MetricValue] = {}
    for number in np.unique(numbers).tolist():
        own = {name: values[numbers == number] for name, values in columns.items()}
        day = (EPOCH + timedelta(days=number)).date() if by_day else None
        values_of[day] = _value(metric, day, own)
    return values_of


def _brought(stores: Stores, base: Metric, span: tuple[date, date], *, by_day: bool) -> pa.Table:
    from_us, until_us = ((each - EPOCH.date()).days * DAY_US for each in span)
    bounds_us = (from_us, until_us + DAY_US)
    facts: dict[str, object] = {"by_day": by_day, "aggregate": base.aggregate}
    facts |= dict(zip(("from_us", "until_us"), bounds_us, strict=True))
    asked = rules.measured(base.measure, load_sql(ROOM, "metric_days"), facts)
    return stores.engine.query(
        asked.text,
        asked.parameters,
        tables={"events": ("occurred_at_us", *bounds_us)},
        relations={"identifiers": profiles.identifiers(stores.state)},
    )


def _value(
    metric: Metric, day: date | None, columns: dict[str, NDArray[np.float64]]
) -> MetricValue:
    people = len(columns[metric.bases[0].name])
    evidence, _ = events.metric_evidence(metric, columns, rows=people)
    found = stats.mean_interval(evidence, method="fixed")
    adds = metric.formula is None and metric.aggregate in ADDED
    return MetricValue(
        day=day,
        people=people,
        total=evidence.mean * people if adds else None,
        mean=found.value,
        low=found.low,
        high=found.high,
    )
