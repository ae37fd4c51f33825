"""What Braze counted is fetched and put beside ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from history import use_case as past_use_case
from opportune import pipeline
from opportune.activation.braze import MOST_DAYS, Asking, Patience
from opportune.decisions import Activation
from opportune.sandbox import CAMPAIGN_ID
from opportune.sandbox.catalogue import CANVAS_ID
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASKING = Asking(clock=lambda: 0.0, sleep=lambda _: None, patience=Patience(tries=1))


def test_campaigns_and_canvases_are_reconciled_and_nothing_else(
    stores: Stores, sandbox: Any, api_key: str
) -> None:
    stores = replace(stores, settings=replace(stores.settings, braze_api_key=api_key))
    for config in ({"campaign_id": CAMPAIGN_ID}, {"canvas_id": CANVAS_ID}):
        sending = Activation(connector="braze", config={"base_url": sandbox.url, **config})
        mine = replace(past_use_case(), activation=sending)
        found = pipeline.reconcile(stores, mine, ASKING, now=NOW, days=2)
        assert [each.ours.day.isoformat() for each in found.days] == ["2026-02-28", "2026-03-01"]
        assert (found.as_of, found.total.ours.accepted, found.total.theirs.sent) == (NOW, 0, 0)
    stores.state.rows(
        "insert into braze_send_id (use_case, campaign_id, day, send_id, made_at)"
        " values (%(use_case)s, %(campaign_id)s, '2026-02-28', 's1', now())",
        {"use_case": mine.name, "campaign_id": CAMPAIGN_ID},
    )
    sending = Activation(
        connector="braze", config={"base_url": sandbox.url, "campaign_id": CAMPAIGN_ID}
    )
    apart = pipeline.reconcile(
        stores, replace(mine, activation=sending), ASKING, now=NOW, days=MOST_DAYS
    )
    assert [each.ours.day.isoformat() for each in apart.days] == ["2026-02-28", "2026-03-01"]
    assert apart.send_ids == 1
    config = {"base_url": sandbox.url, "messages": "[web_push]\nalert = 'Hi'"}
    uncounted = replace(mine, activation=Activation(connector="braze", config=config))
    with pytest.raises(pipeline.NotThroughBraze, match="without a campaign"):
        pipeline.reconcile(stores, uncounted, ASKING, now=NOW, days=2)
    by_file = replace(mine, activation=Activation(connector="file", config={}))
    with pytest.raises(pipeline.NotThroughBraze, match="sends through 'file'"):
        pipeline.reconcile(stores, by_file, ASKING, now=NOW, days=2)
