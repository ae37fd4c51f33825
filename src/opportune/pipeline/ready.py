"""Ask whether a use case is worth starting, with its segments as of now."""

from __future__ import annotations

from datetime import datetime

from opportune import reports, segments
from opportune.decisions import UseCase
from opportune.pipeline.day import create_tables
from opportune.project import Project
from opportune.storage import Stores

__all__ = ["readiness"]


def readiness(
    stores: Stores,
    project: Project,
    use_case: UseCase,
    *,
    now: datetime,
    within_days: int = 90,
) -> reports.Readiness:
    """Bring the segments of ``use_case`` up to ``now``, as its day would, then report.

    ``use_case`` may be one that was not applied yet; what it names must be in ``project``.
    """
    create_tables(stores)
    wanted = (*use_case.audience, *use_case.minus)
    segments.current(stores, wanted, project.segments, now=now)
    metric = project.metric_of(use_case)
    return reports.readiness(stores, use_case, metric, now=now, within_days=within_days)
