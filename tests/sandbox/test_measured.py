"""Totals by day, what is reported late or twice, limits and faults by path, and the page."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from opportune.sandbox import CAMPAIGN_ID, CANVAS_ID, SEGMENT_ID

from .test_react import CUSTOMERS, DAY, filled, react

SERIES = f"/campaigns/data_series?campaign_id={CAMPAIGN_ID}&length=1&ending_at={DAY}T12:00:00Z"


def live(client: Any, **fields: Any) -> dict[str, int]:
    answer = client.post("/_sandbox/react", {"day": DAY, **fields})
    assert answer.status == 200, answer.text
    counted: dict[str, int] = answer.json
    return counted


def test_daily_totals_are_those_of_the_events(start: Any, collector: Any) -> None:
    client = filled(start, collector)
    live(
        client, bounce_share=0.1, bot_click_share=0.3, report_deliveries=True, report_purchases=True
    )
    kinds = Counter(
        one["event_type"].removeprefix("users.messages.") for one in collector.engagement
    )
    bots = sum(
        one["properties"].get("is_suspected_bot_click", False) for one in collector.engagement
    )
    (day,) = client.get(SERIES).json["data"]
    (email,) = day["messages"]["email"]
    assert day["unique_recipients"] == 300
    assert email["sent"] == kinds["email.Send"]
    assert 0 < email["bounces"] == kinds["email.Bounce"]
    assert email["delivered"] == kinds["email.Delivery"] == email["sent"] - email["bounces"]
    assert email["opens"] == kinds["email.Open"] >= email["unique_opens"] > 0
    assert email["clicks"] == kinds["email.Click"] >= bots > 0
    assert email["unsubscribes"] == kinds["email.Unsubscribe"]
    (sms,) = day["messages"]["sms"]
    assert (sms["sent"], sms["clicks"]) == (kinds["sms.Send"], kinds["sms.ShortLinkClick"])
    (push,) = day["messages"]["android_push"]
    assert push["direct_opens"] == kinds["pushnotification.Open"]
    bought = [
        one for one in collector.engagement if one["event_type"] == "users.behaviors.Purchase"
    ]
    converted = [
        one for one in collector.engagement if one["event_type"] == "users.campaigns.Conversion"
    ]
    assert len(bought) == len(collector.orders) >= len(converted) == day["conversions"] > 0
    assert 0 < day["revenue"] <= 0.01 + sum(one["properties"]["price"] for one in bought)
    assert all(one["properties"]["dispatch_id"] for one in converted)


def test_who_bounced_does_nothing_about_the_message(start: Any, collector: Any) -> None:
    live(filled(start, collector), bounce_share=1.0)
    kinds = {one["event_type"] for one in collector.engagement if ".email." in one["event_type"]}
    assert kinds == {"users.messages.email.Send", "users.messages.email.Bounce"}


def test_events_come_late_and_twice_on_request_and_all_of_them_come(
    start: Any, collector: Any
) -> None:
    client = filled(start, collector)
    count = live(client, late_share=0.5, duplicate_share=0.5)["engagement"]
    ids = [one["id"] for one in collector.engagement]
    assert len(set(ids)) < count
    late = client.post("/_sandbox/late", {}).json["engagement"]
    assert 0 < late < count
    ids = [one["id"] for one in collector.engagement]
    assert len(set(ids)) == count < len(ids)
    assert client.post("/_sandbox/late", {}).json == {"engagement": 0}


def test_who_unsubscribes_gets_no_further_email_unless_told_otherwise(
    start: Any, collector: Any
) -> None:
    for sticks in (True, False):
        collector.posts.clear()
        client = start(events_url=collector.url, unsubscribes_stick=sticks, customers=CUSTOMERS)
        body = {"campaign_id": CAMPAIGN_ID, "broadcast": True}
        while not any(one["event_type"].endswith("Unsubscribe") for one in collector.engagement):
            client.post("/campaigns/trigger/send", body)
            now = client.get("/_sandbox/clock").json["now"]
            react(client, now[:10])
            client.post("/_sandbox/clock", {"advance_s": 86_400})
        left = {
            one["user"]["external_user_id"]
            for one in collector.engagement
            if one["event_type"].endswith("Unsubscribe")
        }
        client.post("/campaigns/trigger/send", body)
        (call,) = client.get("/_sandbox/journal?limit=1").json["calls"]
        assert set(call["dropped"]) == (left if sticks else set())


def test_a_canvas_is_counted_by_variant_and_step(start: Any, collector: Any) -> None:
    client = start(events_url=collector.url)
    for at in range(1, CUSTOMERS, 50):
        chosen = {"offer": "tv_bundle", "channel": "email", "hour": "09"}
        users = [{"external_user_id": f"c{n:06d}", "context": chosen} for n in range(at, at + 50)]
        client.post("/canvas/trigger/send", {"canvas_id": CANVAS_ID, "recipients": users})
    react(client, "2026-01-01")
    asked = f"canvas_id={CANVAS_ID}&ending_at=2026-01-01T00:00:00Z"
    asked += "&include_variant_breakdown=true&include_step_breakdown=true"
    series = client.get(f"/canvas/data_series?{asked}&length=2").json["data"]
    assert [one["time"] for one in series["stats"]] == ["2025-12-31", "2026-01-01"]
    assert [one["total_stats"]["entries"] for one in series["stats"]] == [0, CUSTOMERS]
    summary = client.get(f"/canvas/data_summary?{asked}&starting_at=2025-12-30T00:00:00Z").json[
        "data"
    ]
    assert summary["total_stats"] == series["stats"][1]["total_stats"]
    assert summary["total_stats"]["conversions"] > 0
    (variant,) = summary["variant_stats"].values()
    (step,) = summary["step_stats"].values()
    assert (variant["entries"], step["unique_recipients"]) == (CUSTOMERS, CUSTOMERS)
    assert step["messages"]["email"][0]["sent"] == CUSTOMERS
    event = collector.engagement[0]["properties"]
    assert (event["canvas_id"], event["canvas_name"]) == (CANVAS_ID, "Offer journey")


@pytest.mark.parametrize(
    "query",
    [
        "length=1",
        "ending_at=2026-01-01T00:00:00Z",
        "ending_at=2026-01-01T00:00:00Z&length=15",
        "ending_at=x&length=1",
        "ending_at=2026-01-01T00:00:00Z&starting_at=2025-01-01T00:00:00Z",
    ],
)
def test_a_wrong_question_about_a_canvas_is_400(client: Any, query: str) -> None:
    assert client.get(f"/canvas/data_series?canvas_id={CANVAS_ID}&{query}").status == 400


def test_a_send_id_is_made_counted_and_forgotten_after_14_days(client: Any) -> None:
    made = client.post("/sends/id/create", {"campaign_id": CAMPAIGN_ID, "send_id": "spring"})
    assert (made.status, made.json["send_id"]) == (201, "spring")
    assert client.post("/sends/id/create", {"campaign_id": "x"}).status == 400
    client.send({"external_user_id": "c000001"}, send_id="spring")
    client.send({"external_user_id": "c000002"})
    asked = f"/sends/data_series?campaign_id={CAMPAIGN_ID}&send_id=spring"
    (day,) = client.get(f"{asked}&length=1").json["data"]
    assert (day["unique_recipients"], day["messages"]["email"][0]["sent"]) == (1, 1)
    client.post("/_sandbox/clock", {"now": "2026-01-20T00:00:00Z"})
    assert {one["unique_recipients"] for one in client.get(f"{asked}&length=100").json["data"]} == {
        0
    }
    assert client.get(f"/sends/data_series?campaign_id={CAMPAIGN_ID}&length=1").status == 400


def test_a_segment_is_listed_described_and_sized(client: Any) -> None:
    paid = {
        "custom_attribute": {
            "custom_attribute_name": "tier",
            "comparison": "equals",
            "value": "gold",
        }
    }
    made = client.post("/_sandbox/segments", {"name": "Gold", "filter": {"AND": [paid]}}).json
    assert [one["name"] for one in client.get("/segments/list").json["segments"]] == [
        "All customers",
        "Gold",
    ]
    assert (
        client.get(f"/segments/details?segment_id={made['id']}").json["description"]
        == "(tier equals gold)"
    )
    for segment_id, size in ((SEGMENT_ID, 400), (made["id"], 0)):
        data = client.get(f"/segments/data_series?segment_id={segment_id}&length=2").json["data"]
        assert data == [{"time": "2025-12-31", "size": size}, {"time": "2026-01-01", "size": size}]
    assert client.get("/segments/details?segment_id=x").status == 400


def test_faults_can_wait_on_any_path(client: Any) -> None:
    track = {"path": "/users/track", "faults": ["503", "partial", "slow"]}
    assert client.post("/_sandbox/faults", track).json == {"faults": track["faults"]}
    one = {"attributes": [{"external_id": "c000001", "a": 1}, {"external_id": "c000001", "b": 1}]}
    assert client.send({"external_user_id": "c000001"}).status == 201
    assert client.post("/users/track", one).status == 503
    partial = client.post("/users/track", one)
    assert (partial.status, partial.json["attributes_processed"]) == (201, 1)
    assert partial.json["errors"][0]["index"] == 0
    begun = time.monotonic()
    assert client.post("/users/track", one).json["attributes_processed"] == 2
    assert time.monotonic() - begun >= 1
    seen = client.get("/_sandbox/requests?limit=3").json["requests"]
    assert [(line["status"], line["fault"]) for line in seen] == [
        (503, "503"),
        (201, "partial"),
        (201, "slow"),
    ]


def test_pools_are_shown_and_resized_while_it_runs(client: Any) -> None:
    client.get("/campaigns/list")
    pools = client.get("/_sandbox/limits").json["pools"]
    assert pools["default"] == {"requests": 250_000, "window_s": 3600, "used": 1}
    assert client.post("/_sandbox/limits", {"pools": {"identity": [1, 60]}}).status == 200
    body = {"user_aliases": [{"alias_name": "a", "alias_label": "b"}]}
    assert [client.post("/users/alias/new", body).status for _ in range(2)] == [201, 429]
    for wrong in ({"fast": [1, 1]}, {"default": [1, 0]}):
        assert client.post("/_sandbox/limits", {"pools": wrong}).status == 400


def test_newer_contracts_tell_seconds_until_track_may_be_called_again(start: Any) -> None:
    client = start(retry_after_style=True)
    answer = client.post("/users/track", {"events": []})
    assert 1 <= int(answer.headers["x-ratelimit-reset"]) <= 3


def test_the_page_shows_who_was_sent_what(client: Any) -> None:
    client.send({"external_user_id": "c000001", "trigger_properties": {"offer": "<b>tv</b>"}})
    client.send({"external_user_id": "c000002"})
    page = client.get("/_sandbox/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    text = page.text.decode()
    assert "2 messages of everything" in text
    assert "&lt;b&gt;tv&lt;/b&gt;" in text
    assert "<b>tv</b>" not in text
    one = client.get(
        f"/_sandbox/?user=c000001&campaign_id={CAMPAIGN_ID}&day=2026-01-01"
    ).text.decode()
    assert "1 message of Offer of the day to c000001 on 2026-01-01" in one
    assert "Nobody was sent anything." in client.get("/_sandbox/?day=2026-01-09").text.decode()
    assert client.get("/_sandbox/sandbox.css").headers["content-type"].startswith("text/css")


def test_messages_are_found_by_dispatch_and_in_pages(client: Any) -> None:
    sent = [client.send({"external_user_id": f"c{n:06d}"}).json["dispatch_id"] for n in (1, 2, 3)]
    found = client.get(f"/_sandbox/messages?dispatch_id={sent[1]}").json
    assert (found["count"], found["messages"][0]["external_user_id"]) == (1, "c000002")
    page = client.get("/_sandbox/messages?limit=1&offset=1").json
    assert (page["count"], page["messages"][0]["dispatch_id"]) == (3, sent[1])
    assert client.get("/_sandbox/messages?day=x").status == 400
