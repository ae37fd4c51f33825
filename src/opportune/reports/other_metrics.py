"""What the groups of a use case brought of other metrics than the one it is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import events, profiles, rules, stats
from opportune.decisions import UseCase
from opportune.events import Metric
from opportune.reports.model import MetricOfReport
from opportune.reports.over_time import tightest_at
from opportune.reports.summarise import days_of
from opportune.reports.summary import ROOM, DaySummary
from opportune.storage import Stores, fetch, load_sql

__all__ = ["GroupValue", "ReportMetric", "keep_report_metrics", "report_metrics"]

DAY_US = 86_400_000_000
GROUPS = ("treatment", "control")
# The normal approximation behind the bounds wants about so many profiles with any value.
FEWEST_KNOWN = 10
NOBODY = stats.Moments(count=0, mean=0.0, m2=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupValue:
    """What a group brought per profile, between ``low`` and ``high`` at any look; None: not known.

    Of ``known`` of the ``profiles`` there is any value but 0.
    """

    group: str
    profiles: int
    known: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportMetric:
    """A metric beside the success metric, from each profile's first decision on.

    Until the window of the mature day ``through`` was over; a unit is a profile, as in the report.
    ``p_value`` is the chance of such a difference where there is none, at any look; ``adjusted``
    that with all metrics of the report judged together (Benjamini and Hochberg), ``found`` whether
    that is small enough.
    """

    metric: MetricOfReport
    title: str
    through: date
    groups: tuple[GroupValue, ...]
    lift: stats.Lift
    p_value: float
    adjusted: float
    found: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """The evidence of one group, as it is kept."""

    profiles: int
    count: int
    mean: float
    m2: float
    known: int

    @property
    def moments(self) -> stats.Moments:
        return stats.Moments(count=self.count, mean=self.mean, m2=self.m2)


Sums = Mapping[str, _Group]


def report_metrics(
    stores: Stores,
    use_case: UseCase,
    metrics: Mapping[str, Metric],
    days: Sequence[DaySummary] | None = None,
) -> tuple[ReportMetric, ...]:
    """Return the metrics that the report of ``use_case`` shows, in their order.

    ``days`` are those of `days_of`, if they are at hand. What `keep_report_metrics` wrote is taken
    where it still holds; the rest is made here and not written. Without a mature day there is none.
    """
    if not use_case.report_metrics:
        return ()
    days = days_of(stores, use_case) if days is None else days
    newest = next((each for each in reversed(days) if each.mature), None)
    if newest is None:
        return ()
    found = _known(stores, use_case, metrics, newest)
    missing = [name for name in use_case.report_metrics if name not in found]
    found |= _made(stores, use_case, metrics, newest.day, missing)
    tightest = tightest_at(days)
    chances = {name: _chance(sums, tightest) for name, sums in found.items()}
    judged = stats.discoveries(chances)
    return tuple(
        _shown(metrics[name], newest.day, found[name], judged[name], tightest_at=tightest)
        for name in use_case.report_metrics
    )


def keep_report_metrics(stores: Stores, use_case: UseCase, metrics: Mapping[str, Metric]) -> None:
    """Write what the groups brought up to the newest mature day, so that reports need not look."""
    if not use_case.report_metrics:
        return
    newest = next((each for each in reversed(days_of(stores, use_case)) if each.mature), None)
    if newest is None:
        return
    known = _known(stores, use_case, metrics, newest)
    missing = [name for name in use_case.report_metrics if name not in known]
    made = _made(stores, use_case, metrics, newest.day, missing)
    with stores.state.transaction() as connection:
        for name, sums in made.items():
            row = {
                **_of(use_case),
                "metric": name,
                "through": newest.day,
                "counted": _json(_counted(metrics[name], newest)),
                "groups": _json(sums),
            }
            fetch(connection, load_sql(ROOM, "keep_report_metric"), row)


def _known(
    stores: Stores, use_case: UseCase, metrics: Mapping[str, Metric], newest: DaySummary
) -> dict[str, Sums]:
    rows = stores.state.rows(load_sql(ROOM, "kept_report_metrics"), _of(use_case))
    found: dict[str, Sums] = {}
    for row in rows:
        metric = metrics.get(row["metric"]) if row["metric"] in use_case.report_metrics else None
        if metric is None or row["through"] != newest.day:
            continue
        if _json(row["counted"]) == _json(_counted(metric, newest)):
            found[metric.name] = msgspec.convert(row["groups"], dict[str, _Group])
    return found


def _made(
    stores: Stores,
    use_case: UseCase,
    metrics: Mapping[str, Metric],
    day: date,
    names: Sequence[str],
) -> dict[str, Sums]:
    """Ask the events what each profile brought of the metrics ``names``, with one look at each."""
    if not names:
        return {}
    events.create_tables(stores.lake)
    people = stores.engine.query(
        load_sql(ROOM, "first_of_version"),
        {**_of(use_case), "day": day.isoformat()},
        tables={"decisions": ("day", date.min, day)},
    )
    window_us = metrics[use_case.success_metric].window_days * DAY_US
    until_us = pc.max(people["last_us"]).as_py() + window_us
    bases = {base.name: base for name in names for base in metrics[name].bases}
    columns = _brought(stores, bases.values(), people, until_us=until_us)
    variants = people["variant"].to_numpy(zero_copy_only=False)
    found: dict[str, dict[str, _Group]] = {name: {} for name in names}
    for variant in sorted(set(variants.tolist())):
        chosen = variants == variant
        own = {name: values[chosen] for name, values in columns.items()}
        for name in names:
            evidence, known = events.metric_evidence(metrics[name], own, rows=int(chosen.sum()))
            found[name][variant] = _Group(
                profiles=int(chosen.sum()),
                count=evidence.count,
                mean=evidence.mean,
                m2=evidence.m2,
                known=known,
            )
    return dict(found)


def _brought(
    stores: Stores, bases: Iterable[Metric], people: pa.Table, *, until_us: int
) -> dict[str, NDArray[np.float64]]:
    """What each row of ``people`` brought of metrics of events; NaN: there is none of nothing."""
    identifiers = profiles.identifiers(stores.state)
    span_us = (pc.min(people["first_us"]).as_py(), until_us)
    found = {}
    for base in bases:
        facts = {"aggregate": base.aggregate, "until_us": until_us}
        asked = rules.measured(base.measure, load_sql(ROOM, "brought_since"), facts)
        rows = stores.engine.query(
            asked.text,
            asked.parameters,
            tables={"events": ("occurred_at_us", *span_us)},
            relations={"identifiers": identifiers, "asked": people},
        )
        place = pc.index_in(people["profile_id"], value_set=rows["profile_id"])
        none = 0.0 if base.aggregate in ("sum", "unique_days") else np.nan
        found[base.name] = pc.fill_null(rows["brought"].take(place), none).to_numpy()
    return found


def _shown(
    metric: Metric, through: date, sums: Sums, judged: stats.Discovery, *, tightest_at: int
) -> ReportMetric:
    treated, held_out = (_moments(sums, group) for group in GROUPS)
    return ReportMetric(
        metric=MetricOfReport(name=metric.name, unit=metric.unit, window_days=metric.window_days),
        title=metric.title,
        through=through,
        groups=tuple(_value(group, sums, tightest_at) for group in (*GROUPS, *_others(sums))),
        lift=stats.lift(treated, held_out, method="any_look", tightest_at=tightest_at),
        p_value=judged.p_value,
        adjusted=judged.adjusted,
        found=judged.found,
    )


def _value(group: str, sums: Sums, tightest_at: int) -> GroupValue:
    own = sums.get(group)
    found = stats.mean_interval(_moments(sums, group), method="any_look", tightest_at=tightest_at)
    return GroupValue(
        group=group,
        profiles=0 if own is None else own.profiles,
        known=0 if own is None else own.known,
        value=found.value,
        low=found.low,
        high=found.high,
    )


def _others(sums: Sums) -> list[str]:
    return sorted(group for group in sums if group not in GROUPS)


def _moments(sums: Sums, group: str) -> stats.Moments:
    return sums[group].moments if group in sums else NOBODY


def _chance(sums: Sums, tightest_at: int) -> float:
    if min(sums[group].known if group in sums else 0 for group in GROUPS) < FEWEST_KNOWN:
        return 1.0
    treated, held_out = (_moments(sums, group) for group in GROUPS)
    return stats.p_value(treated, held_out, method="any_look", tightest_at=tightest_at)


def _counted(metric: Metric, newest: DaySummary) -> dict[str, object]:
    """What must be the same for sums to hold: what is counted, and who is in which group."""
    groups = {name: each.profiles for name, each in sorted((newest.totals or {}).items())}
    return {"metric": [metric.unit, metric.counted], "profiles": groups}


def _of(use_case: UseCase) -> dict[str, Any]:
    return {"use_case": use_case.name, "version": use_case.version}


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()
