"""Keep the outbox small: what was settled long ago is counted and taken out."""

from __future__ import annotations

from datetime import datetime, timedelta

from opportune.storage import State, load_sql

__all__ = ["prune"]

AT_ONCE = 10_000


def prune(state: State, *, days: int, now: datetime) -> int:
    """Take out what was due more than ``days`` ago and is settled; return how many rows.

    At most 10,000 at a time, so that nobody waits long. What was taken out is never put in again.
    """
    facts = {"before": now - timedelta(days=days), "limit": AT_ONCE}
    count: int = state.rows(load_sql("opportune.activation", "prune"), facts)[0]["count"]
    return count
