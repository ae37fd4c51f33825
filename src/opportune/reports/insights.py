"""What a use case chose, for whom, how much it explored, and what moved the choice."""

from __future__ import annotations

from datetime import datetime

from opportune.decisions import UseCase
from opportune.reports.choices import choices, contrasts, movers
from opportune.reports.model import ExploredDay, Insights
from opportune.reports.summarise import days_of
from opportune.reports.summary import DaySummary
from opportune.storage import Stores

__all__ = ["insights"]

MOST_DAYS = 90
# "Who got what" and "what moved the choice" look at so many of the newest days.
CONTRAST_DAYS = 5


def insights(stores: Stores, use_case: UseCase, *, now: datetime) -> Insights:
    """Report on the choices of ``use_case`` in its newest version: those of treatment."""
    known = days_of(stores, use_case)[-MOST_DAYS:]
    newest = known[-CONTRAST_DAYS:]
    since = newest[0].day if newest else None
    return Insights(
        as_of=now,
        use_case=use_case.name,
        version=use_case.version,
        days=tuple(_explored(each) for each in known if "treatment" in each.variants),
        choices=choices(use_case, known) if known else (),
        contrasts_since=since,
        contrasts=contrasts(stores, use_case, newest) if newest else (),
        movers=movers(stores, use_case, since=since) if since else (),
    )


def _explored(known: DaySummary) -> ExploredDay:
    treated = known.variants["treatment"]
    return ExploredDay(
        day=known.day,
        decisions=treated.decisions,
        exploration_share=treated.explored / treated.decisions,
    )
