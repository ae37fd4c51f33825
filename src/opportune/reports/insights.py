"""What a use case chose, for whom, how much it explored, and what moved the choice."""

from __future__ import annotations

from datetime import datetime

from opportune.decisions import UseCase
from opportune.reports.choices import choices, contrasts, movers
from opportune.reports.model import ExploredDay, Insights
from opportune.storage import Stores, load_sql

__all__ = ["insights"]

MOST_DAYS = 90
# "Who got what" and "what moved the choice" look at so many of the newest days.
CONTRAST_DAYS = 5


def insights(stores: Stores, use_case: UseCase, *, now: datetime) -> Insights:
    """Report on the choices of ``use_case`` in its newest version: those of treatment."""
    days = _explored(stores, use_case)
    since = days[-CONTRAST_DAYS:][0].day if days else None
    return Insights(
        as_of=now,
        use_case=use_case.name,
        version=use_case.version,
        days=days,
        choices=choices(stores, use_case, since=days[0].day) if days else (),
        contrasts_since=since,
        contrasts=contrasts(stores, use_case, since=since) if since else (),
        movers=movers(stores, use_case, since=since) if since else (),
    )


def _explored(stores: Stores, use_case: UseCase) -> tuple[ExploredDay, ...]:
    if not (stores.lake.folder / "decisions").is_dir():
        return ()
    facts = {
        "use_case": use_case.name,
        "version": use_case.version,
        "most_days": MOST_DAYS,
    }
    found = stores.engine.query(
        load_sql("opportune.reports", "explored"), facts, tables={"decisions": None}
    )
    return tuple(ExploredDay(**row) for row in reversed(found.to_pylist()))
