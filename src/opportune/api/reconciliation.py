"""Over HTTP: what we counted of a use case's messages beside what Braze counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel

from opportune import pipeline, project
from opportune.activation.braze import MOST_DAYS
from opportune.api.states import ASKING
from opportune.reports import Reconciliation
from opportune.storage import Stores

__all__ = ["reconciliation_answer", "reconciliation_routes"]

Days = Annotated[int, Query(ge=1, le=MOST_DAYS)]


class OursAnswer(BaseModel):
    """What we counted; days are UTC. ``machine_...`` are those of machines among them."""

    day: date
    accepted: int
    sent: int
    opens: int
    machine_opens: int
    clicks: int
    machine_clicks: int
    unsubscribes: int
    bounces: int


class TheirsAnswer(BaseModel):
    """What Braze counted; days are of its company's time zone."""

    day: date
    sent: int
    opens: int
    clicks: int
    unsubscribes: int
    bounces: int
    conversions: int
    entries: int
    revenue: float


class DayAnswer(BaseModel):
    """Ours beside Braze's."""

    ours: OursAnswer
    theirs: TheirsAnswer


class ReconciliationAnswer(BaseModel):
    """All days, the oldest first, their sums, and the same in a sentence.

    ``send_ids``: how many ids of the use case's own sends are compared; 0: the whole campaign.
    """

    use_case: str
    as_of: datetime
    sentence: str
    send_ids: int
    total: DayAnswer
    days: list[DayAnswer]


def reconciliation_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the route; ``missing``: no such use case, or Braze does not have its campaign."""

    @application.get("/use-cases/{name}/reconciliation", responses=dict(missing))
    def reconciliation(name: str, days: Days = MOST_DAYS) -> ReconciliationAnswer:
        """Compare what we counted of its messages with what Braze counted; asks Braze now."""
        use_case = project.read(stores.state).use_case(name)
        found = pipeline.reconcile(stores, use_case, ASKING, now=clock(), days=days)
        return reconciliation_answer(found)


def reconciliation_answer(found: Reconciliation) -> ReconciliationAnswer:
    """Write a reconciliation as the interface tells it."""
    return ReconciliationAnswer(**asdict(found), sentence=found.sentence)
