from __future__ import annotations

from datetime import date

import pytest

from braze_sandbox import Sandbox
from opportune.activation import Answer, braze
from opportune.sandbox import CAMPAIGN_ID
from opportune.sandbox.catalogue import CANVAS_ID

DAY = date(2026, 1, 1)
USERS = [f"c{number:06d}" for number in range(1, 51)]
CHOSEN = {"offer": "tv_bundle", "channel": "email", "hour": "9", "decision_id": "d"}


def test_what_braze_counted_of_a_campaign_is_read_by_day(sandbox: Sandbox) -> None:
    recipients = [{"external_user_id": user, "trigger_properties": CHOSEN} for user in USERS]
    sandbox.post("/campaigns/trigger/send", {"campaign_id": CAMPAIGN_ID, "recipients": recipients})
    sandbox.post("/_sandbox/react", {"day": "2026-01-01", "bot_click_share": 1.0})
    before, found = braze.campaign_series(sandbox.workspace(), CAMPAIGN_ID, last=DAY, days=2)
    assert (before.day, before.sent) == (date(2025, 12, 31), 0)
    assert (found.day, found.sent) == (DAY, 50)
    # Scanners clicked each of them, and Braze counts that.
    assert found.clicks >= 50


def test_what_braze_counted_of_a_canvas_is_read_by_day_and_as_one_sum(sandbox: Sandbox) -> None:
    recipients = [{"external_user_id": user, "context": CHOSEN} for user in USERS]
    sandbox.post("/canvas/trigger/send", {"canvas_id": CANVAS_ID, "recipients": recipients})
    sandbox.post("/_sandbox/react", {"day": "2026-01-01"})
    workspace = sandbox.workspace()
    days = braze.canvas_series(workspace, CANVAS_ID, last=DAY, days=2)
    assert [(each.entries, each.sent) for each in days] == [(0, 0), (50, 50)]
    assert braze.canvas_summary(workspace, CANVAS_ID, last=DAY, days=2) == days[1]


def test_what_went_out_under_ids_of_our_own_is_counted_apart(sandbox: Sandbox) -> None:
    for send_id, users in (("a", USERS[:30]), ("b", USERS[30:40]), (None, USERS[40:])):
        recipients = [{"external_user_id": user, "trigger_properties": CHOSEN} for user in users]
        call = {"campaign_id": CAMPAIGN_ID, "recipients": recipients, "send_id": send_id}
        sandbox.post("/campaigns/trigger/send", call)
    ids = {date(2025, 12, 31): "a", DAY: "b"}
    found = braze.sends_series(sandbox.workspace(), CAMPAIGN_ID, ids, last=DAY)
    assert [(each.day, each.sent) for each in found] == [(date(2025, 12, 31), 0), (DAY, 40)]


def test_channels_and_variations_are_added_up(sandbox: Sandbox) -> None:
    body = b"""{"data": [{"time": "2026-01-01", "conversions": null, "revenue": 2.5, "messages": {
        "email": [{"sent": 3, "opens": 2, "clicks": 1}, {"sent": 1, "bounces": 1}],
        "ios_push": [{"sent": 2, "direct_opens": 1, "total_opens": 9}], "sms": [{"sent": 1}]}}]}"""
    answer = Answer(status=200, headers={}, body=body, processed=True)
    workspace = sandbox.workspace(lambda _: answer)
    (found,) = braze.campaign_series(workspace, CAMPAIGN_ID, last=DAY, days=1)
    assert found == braze.CountedDay(day=DAY, sent=7, opens=3, clicks=1, bounces=1, revenue=2.5)


def test_a_day_that_is_none_is_told_as_unreadable(sandbox: Sandbox) -> None:
    answer = Answer(status=200, headers={}, body=b'{"data": [{"time": "soon"}]}', processed=True)
    with pytest.raises(braze.UnreadableAnswer, match="soon"):
        braze.campaign_series(sandbox.workspace(lambda _: answer), CAMPAIGN_ID, last=DAY, days=1)
