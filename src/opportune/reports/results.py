"""The whole report of a use case: what it earned, as time went on, of what, and what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from opportune.decisions import CHAMPION, UseCase
from opportune.events import Metric
from opportune.reports.document import to_document
from opportune.reports.drivers import Drivers, drivers
from opportune.reports.groups import GroupComparison, beside
from opportune.reports.guard_rails import GuardRailResult, guard_rails
from opportune.reports.marks import Mark, marks
from opportune.reports.model import DayResult, Performance
from opportune.reports.other_metrics import ReportMetric, report_metrics
from opportune.reports.over_time import LiftOfDay, Rolling, lift_by_day, rolled
from opportune.reports.performance import MOST_DAYS, performance
from opportune.reports.summarise import days_of
from opportune.reports.use_case_timeline import use_case_timeline
from opportune.storage import Stores

__all__ = ["Results", "results", "results_document"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What one version of a use case earned, in all its views, over the same mature days.

    ``trend`` are the days of ``performance`` with means over ``rolling_days``; ``uplift`` is the
    lift as of each of its mature days, the last of them being that of ``performance``.
    ``champion``: treatment beside that group, None where there is none.
    """

    as_of: datetime
    use_case: str
    version: int
    rolling_days: int
    performance: Performance
    trend: tuple[DayResult, ...]
    uplift: tuple[LiftOfDay, ...]
    drivers: Drivers
    marks: tuple[Mark, ...]
    guard_rails: tuple[GuardRailResult, ...] = ()
    report_metrics: tuple[ReportMetric, ...] = ()
    champion: GroupComparison | None = None


def results(
    stores: Stores,
    use_case: UseCase,
    metric: Metric,
    *,
    now: datetime,
    rolling: Rolling = 1,
    metrics: Mapping[str, Metric] | None = None,
) -> Results:
    """Report on the newest version of ``use_case``, whose success metric is ``metric``.

    Everything is read from the sums of the days, at most 90 of which are in ``trend``. ``metrics``
    are those of the guard rails and of the report, by name.
    """
    known = days_of(stores, use_case, metric)
    found = performance(stores, use_case, metric, now=now, known=known)
    happened = use_case_timeline(stores.state, use_case.name, now=now)
    return Results(
        as_of=now,
        use_case=use_case.name,
        version=use_case.version,
        rolling_days=rolling,
        performance=found,
        trend=rolled(known, found.days, rolling=rolling),
        uplift=lift_by_day(known)[-MOST_DAYS:],
        drivers=drivers(known, found.treatment, found.control, unit=metric.unit),
        marks=marks(happened.incidents, [each.day for each in found.days]),
        guard_rails=guard_rails(stores.state, use_case, metrics or {}),
        report_metrics=report_metrics(stores, use_case, metrics, known) if metrics else (),
        champion=beside(CHAMPION, known, use_case, metric),
    )


def results_document(found: Results) -> dict[str, object]:
    """Return the report as JSON can say it: what `performance` has, and the views beside it."""
    document = to_document(found)
    of_performance = document.pop("performance")
    assert isinstance(of_performance, dict)
    return {**of_performance, **document}
