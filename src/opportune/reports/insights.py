"""What a use case chose, for whom, how much it explored, and what moved the choice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from opportune.decisions import UseCase
from opportune.errors import NotFound, nearest
from opportune.reports.by_segment import days_of_segment, segment_lifts, segments_chosen
from opportune.reports.choices import choices, contrasts, movers
from opportune.reports.model import DimensionChoices, ExploredDay, Insights
from opportune.reports.over_time import tightest_at
from opportune.reports.summarise import days_of
from opportune.reports.summary import DaySummary
from opportune.storage import Stores

__all__ = ["UnknownSegmentOfReport", "insights"]

MOST_DAYS = 90
# "Who got what" and "what moved the choice" look at so many of the newest days.
CONTRAST_DAYS = 5


class UnknownSegmentOfReport(NotFound):
    """A report was asked for a segment by which nothing was counted."""

    code = "unknown_segment_of_report"


def insights(stores: Stores, use_case: UseCase, *, now: datetime, segment: str = "") -> Insights:
    """Report on the choices of ``use_case`` in its newest version: those of treatment.

    With a ``segment``, what was chosen is for its members: as they were when each day was summed
    up, right after it was decided. Raises ``UnknownSegmentOfReport``.
    """
    every = days_of(stores, use_case)
    known = every[-MOST_DAYS:]
    segments = segments_chosen(stores.state, use_case)
    _check_segment(segment, segments)
    newest = known[-CONTRAST_DAYS:]
    since = newest[0].day if newest else None
    return Insights(
        as_of=now,
        use_case=use_case.name,
        version=use_case.version,
        days=tuple(_explored(each) for each in known if "treatment" in each.variants),
        choices=_choices(stores, use_case, known, segment),
        contrasts_since=since,
        contrasts=contrasts(stores, use_case, newest) if newest else (),
        movers=movers(stores, use_case, since=since) if since else (),
        segment=segment,
        segments=segments,
        gains=segment_lifts(stores.state, use_case, tightest_at=tightest_at(every)),
    )


def _check_segment(segment: str, segments: Sequence[str]) -> None:
    if segment and segment not in segments:
        raise UnknownSegmentOfReport(
            f"Nothing was counted by segment '{segment}'. {nearest(segment, segments)} The first "
            "12 segments by name are counted, each day from when it was decided."
        )


def _choices(
    stores: Stores, use_case: UseCase, known: Sequence[DaySummary], segment: str
) -> tuple[DimensionChoices, ...]:
    if segment:
        return choices(use_case, days_of_segment(stores.state, use_case, segment)[-MOST_DAYS:])
    return choices(use_case, known) if known else ()


def _explored(known: DaySummary) -> ExploredDay:
    treated = known.variants["treatment"]
    return ExploredDay(
        day=known.day,
        decisions=treated.decisions,
        exploration_share=treated.explored / treated.decisions,
    )
