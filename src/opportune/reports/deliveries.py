"""What became of what a use case handed to its connector."""

from __future__ import annotations

from opportune.reports.model import DeliveryCount
from opportune.storage import State, load_sql

__all__ = ["delivery_counts"]

MOST_DELIVERIES = 50


def delivery_counts(state: State, use_case: str) -> tuple[DeliveryCount, ...]:
    """Count the recommendations of ``use_case`` by state and reason, the most frequent first."""
    facts = {"use_case": use_case, "most": MOST_DELIVERIES}
    rows = state.rows(load_sql("opportune.reports", "deliveries"), facts)
    return tuple(
        DeliveryCount(state=row["state"], reason=row["reason"], count=row["count"]) for row in rows
    )
