"""Put what we counted of a use case beside what Braze counted."""

from __future__ import annotations

from datetime import datetime, timedelta

from opportune import reports
from opportune.activation.braze import (
    Asking,
    campaign_series,
    canvas_series,
    canvas_summary,
    connected,
    send_ids,
    sends_series,
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

    Where sends of these days have ids of their own, they alone are compared, from the first of
    their days on: what others send with the same campaign is not counted then.

    Raises ``NotThroughBraze``, or what ``Workspace.get`` and ``connected`` raise.
    """
    if use_case.activation.connector != BRAZE:
        raise NotThroughBraze(
            f"Use case '{use_case.name}' sends through '{use_case.activation.connector}'. Only one "
            "that sends through Braze can be compared with what Braze counted."
        )
    config, last = use_case.activation.config, now.date()
    target = config.get("canvas_id") or config.get("campaign_id", "")
    if not target:
        raise NotThroughBraze(
            f"Use case '{use_case.name}' sends messages without a campaign, and of those Braze "
            "counts nothing. Make an API campaign in the dashboard, and give its campaign_id."
        )
    since = last - timedelta(days=days - 1)
    apart = send_ids(stores.state, use_case.name, target, since=since)
    with connected(config["base_url"], stores.settings.braze_api_key, asking) as workspace:
        if apart:
            theirs = sends_series(workspace, target, apart, last=last)
        else:
            series = canvas_series if config.get("canvas_id") else campaign_series
            theirs = series(workspace, target, last=last, days=days)
        # Of a canvas Braze sums up itself; its sum is the one that its dashboard shows.
        whole = (
            canvas_summary(workspace, target, last=last, days=days)
            if config.get("canvas_id")
            else None
        )
    create_tables(stores)
    sent = reports.SentBy(use_case=use_case.name, target=target, send_ids=tuple(apart.values()))
    return reports.reconcile(stores.engine, theirs, sent=sent, as_of=now, whole=whole)
