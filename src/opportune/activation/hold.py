"""What waits to be sent of a use case that is not live: held for a while, then not sent at all."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from opportune.storage import State, load_sql

__all__ = ["HELD_FOR", "cancel_held"]

HELD_FOR = timedelta(hours=1)
"""A send that is this much later than it was meant to be would come at the wrong time."""
REASON = "use_case_paused"


def cancel_held(state: State, use_cases: Collection[str], *, now: datetime) -> int:
    """Give up the sends of ``use_cases`` that were due more than an hour ago; returns how many.

    For use cases that are not live: nothing of theirs is sent (`reserve.sql`). A row that is given
    up is failed with the reason ``use_case_paused``; its decision stays in the log.
    """
    facts = {"use_cases": list(use_cases), "before": now - HELD_FOR, "reason": REASON}
    count: int = state.rows(load_sql("opportune.activation", "cancel_held"), facts)[0]["count"]
    return count
