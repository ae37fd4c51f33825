"""Put what we counted of a use case beside what Braze counted."""

from __future__ import annotations

from datetime import datetime

from opportune import reports
from opportune.activation.braze import (
    Asking,
    campaign_series,
    canvas_series,
    canvas_summary,
    connected,
)
from opportune.decisions import UseCase
from opportune.errors import Unsupported
from opportune.pipeline.day import create_tables
from opportune.storage import Stores

__all__ = ["NotThroughBraze", "reconcile"]

BRAZE = "braze"


class NotThroughBraze(Unsupported):
    """The use case sends through another connector, so Braze counted nothing of it."""

    code = "not_through_braze"


def reconcile(
    stores: Stores, use_case: UseCase, asking: Asking, *, now: datetime, days: int
) -> reports.Reconciliation:
    """Ask Braze for the ``days`` (1 to 14) up to ``now``'s, and count ours.

    Raises ``NotThroughBraze``, or what ``Workspace.get`` and ``connected`` raise.
    """
    if use_case.activation.connector != BRAZE:
        raise NotThroughBraze(
            f"Use case '{use_case.name}' sends through '{use_case.activation.connector}'. Only one "
            "that sends through Braze can be compared with what Braze counted."
        )
    config = use_case.activation.config
    target = config.get("canvas_id") or config.get("campaign_id", "")
    if not target:
        raise NotThroughBraze(
            f"Use case '{use_case.name}' sends messages without a campaign, and of those Braze "
            "counts nothing. Make an API campaign in the dashboard, and give its campaign_id."
        )
    series = canvas_series if config.get("canvas_id") else campaign_series
    key = stores.settings.braze_api_key
    with connected(config["base_url"], key, asking) as workspace:
        theirs = series(workspace, target, last=now.date(), days=days)
        # Of a canvas Braze sums up itself; its sum is the one that its dashboard shows.
        whole = (
            canvas_summary(workspace, target, last=now.date(), days=days)
            if config.get("canvas_id")
            else None
        )
    create_tables(stores)
    return reports.reconcile(
        stores.engine, theirs, use_case=use_case.name, target=target, as_of=now, whole=whole
    )
