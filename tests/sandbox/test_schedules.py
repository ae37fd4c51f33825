"""Sends for later go out when the clock gets there, where asked by each user's own."""

from __future__ import annotations

from typing import Any

import pytest

from opportune.sandbox import CAMPAIGN_ID, CANVAS_ID

from .test_send_ways import EMAIL, ONE, messages

ZONES = {"c000001": "Europe/Berlin", "c000002": "America/New_York", "c000003": "Mars/Base"}


def schedule(client: Any, time: str, path: str = "campaigns", **fields: Any) -> Any:
    body: dict[str, Any] = {"schedule": {"time": time, **fields}}
    if path == "messages":
        body |= {"external_user_ids": ["c000001"], "messages": {"email": EMAIL}}
        return client.post("/messages/schedule/create", body)
    body["recipients"] = [{"external_user_id": user} for user in ZONES]
    named = {"campaigns": {"campaign_id": CAMPAIGN_ID}, "canvas": {"canvas_id": CANVAS_ID}}[path]
    return client.post(f"/{path}/trigger/schedule/create", body | named)


def clock(client: Any, now: str) -> None:
    assert client.post("/_sandbox/clock", {"now": now}).status == 200


@pytest.mark.parametrize("path", ["campaigns", "canvas", "messages"])
def test_a_send_for_later_goes_out_at_its_time_and_not_before(client: Any, path: str) -> None:
    answer = schedule(client, "2026-01-02T18:00:00Z", path)
    assert (answer.status, sorted(answer.json)) == (201, ["dispatch_id", "message", "schedule_id"])
    clock(client, "2026-01-02T17:59:59Z")
    assert messages(client) == []
    (waiting,) = client.get("/_sandbox/schedules").json["schedules"]
    assert waiting["schedule_id"] == answer.json["schedule_id"]
    clock(client, "2026-01-03T00:00:00Z")
    sent = messages(client)
    assert {one["at"] for one in sent} == {"2026-01-02T18:00:00.000Z"}
    assert {one["dispatch_id"] for one in sent} == {answer.json["dispatch_id"]}
    assert client.get("/_sandbox/schedules").json["schedules"] == []


def test_a_local_time_comes_at_another_moment_in_each_time_zone(client: Any) -> None:
    attributes = [{"external_id": user, "time_zone": zone} for user, zone in ZONES.items()]
    client.post("/users/track", {"attributes": attributes})
    assert schedule(client, "2026-01-02T09:00:00", in_local_time=True).status == 201
    clock(client, "2026-01-02T08:30:00Z")
    assert [one["external_user_id"] for one in messages(client)] == ["c000001"]
    clock(client, "2026-01-03T00:00:00Z")
    assert {one["external_user_id"]: one["at"][11:16] for one in messages(client)} == {
        "c000001": "08:00",
        "c000002": "14:00",
        "c000003": "09:00",  # a zone there is not counts as UTC
    }
    assert client.get("/_sandbox/schedules").json["schedules"] == []


def test_an_optimal_time_is_within_the_day_and_over_everywhere_is_400(client: Any) -> None:
    assert schedule(client, "2026-01-02T00:00:00", at_optimal_time=True).status == 201
    clock(client, "2026-01-03T00:00:00Z")
    assert all("09" <= one["at"][11:13] <= "20" for one in messages(client))
    assert len(messages(client)) == 3
    late = schedule(client, "2026-01-02T11:00:00", in_local_time=True)
    assert (late.status, late.json["message"]) == (400, "schedule.time is over in every time zone")
    assert schedule(client, "soon").status == 400


def test_what_was_scheduled_is_moved_and_cancelled(client: Any) -> None:
    named = {
        "campaign_id": CAMPAIGN_ID,
        "schedule_id": schedule(client, "2026-01-02T09:00:00Z").json["schedule_id"],
    }
    path = "/campaigns/trigger/schedule"
    assert client.post(f"{path}/update", named).status == 400
    moved = named | {"schedule": {"time": "2026-01-04T09:00:00Z"}}
    assert client.post(f"{path}/update", moved).json == {"message": "success"}
    clock(client, "2026-01-03T00:00:00Z")
    assert messages(client) == []
    assert client.post(f"{path}/delete", {**named, "campaign_id": "other"}).status == 400
    assert client.post(f"{path}/delete", named).json == {"message": "success"}
    assert client.post(f"{path}/delete", named).status == 400
    clock(client, "2026-01-05T00:00:00Z")
    assert messages(client) == []


def test_a_local_time_is_cancelled_for_those_it_has_not_reached(client: Any) -> None:
    attributes = [{"external_id": user, "time_zone": zone} for user, zone in ZONES.items()]
    client.post("/users/track", {"attributes": attributes})
    answer = schedule(client, "2026-01-02T09:00:00", in_local_time=True)
    clock(client, "2026-01-02T08:30:00Z")
    named = {"campaign_id": CAMPAIGN_ID, "schedule_id": answer.json["schedule_id"]}
    assert client.post("/campaigns/trigger/schedule/delete", named).status == 201
    clock(client, "2026-01-04T00:00:00Z")
    assert [one["external_user_id"] for one in messages(client)] == ["c000001"]


def test_a_time_that_is_over_is_now_and_a_wrong_clock_is_refused(client: Any) -> None:
    assert schedule(client, "2025-12-31T09:00:00Z").status == 201
    assert {one["at"] for one in messages(client)} == {"2026-01-01T00:00:00.000Z"}
    assert (
        client.post("/_sandbox/clock", {"now": "2026-01-02T00:00:00Z", "advance_s": 1}).status
        == 400
    )
    assert client.post("/_sandbox/clock", {"advance_s": 1e30}).status == 400
    assert client.send(ONE).status == 201
