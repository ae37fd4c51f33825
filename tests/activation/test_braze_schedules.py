"""What Braze is told to hold until its time, and what its answers say of that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from opportune.activation import Answer, Scheduling, Send
from opportune.activation.connectors.braze import BATCH_SIZE, CONNECTOR, write_schedules
from opportune.activation.connectors.braze_schedules import (
    read_recall,
    read_scheduled,
    write_recall,
)

CONFIG = {"campaign_id": "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"}
NOON = datetime(2026, 3, 1, 13, tzinfo=timezone(timedelta(hours=1)))
TAKEN = {"message": "success", "dispatch_id": "d", "schedule_id": "s"}


def sends(count: int) -> list[Send]:
    return [
        Send(key=f"k{n}", decision_id=f"k{n}", user_id=f"c{n}", properties={"offer": "tv"})
        for n in range(count)
    ]


def answered(body: Mapping[str, Any] | bytes, status: int | None = 201) -> Answer:
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status=status, headers={}, body=text, processed=None if status is None else True)


def test_a_time_is_told_as_it_is_everywhere_with_as_many_as_one_call_takes() -> None:
    assert isinstance(CONNECTOR, Scheduling)
    first, second = write_schedules(sends(BATCH_SIZE + 1), CONFIG, at=NOON)
    assert (len(first.keys), second.keys) == (BATCH_SIZE, ("k50",))
    assert second.path == "/campaigns/trigger/schedule/create"
    assert json.loads(second.body) == {
        **CONFIG,
        "schedule": {"time": "2026-03-01T12:00:00Z"},
        "recipients": [
            {
                "external_user_id": "c50",
                "trigger_properties": {"offer": "tv", "decision_id": "k50"},
            }
        ],
    }


@pytest.mark.parametrize(
    ("answer", "outcomes", "reason"),
    [
        (answered(TAKEN), ["sent", "sent"], ""),
        (answered({**TAKEN, "notice": "paused"}), ["unknown"] * 2, "paused"),
        (answered({**TAKEN, "schedule_id": ""}), ["unknown"] * 2, "did not name it"),
        (answered(b"<html>"), ["unknown"] * 2, "cannot be read"),
        (answered({"message": "no"}, 400), ["failed"] * 2, "refused the call (400)"),
        (answered(b"reset", None), ["unknown"] * 2, "No answer"),
        (
            answered(
                {**TAKEN, "errors": [{"type": "bad", "input_array": "recipients", "index": 0}]}
            ),
            ["failed", "sent"],
            "bad",
        ),
    ],
)
def test_only_what_braze_names_is_held(answer: Answer, outcomes: list[str], reason: str) -> None:
    (request,) = write_schedules(sends(2), CONFIG, at=NOON)
    found = read_scheduled(request, answer)
    assert [each.outcome for each in found] == outcomes
    assert reason in found[0].reason
    named = f"/campaigns/trigger/schedule:{CONFIG['campaign_id']}:s"
    assert [each.schedule_id for each in found] == [
        named if each.outcome == "sent" else None for each in found
    ]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (answered({"message": "success"}), "taken_back"),
        (answered(b"<html>"), "unknown"),
        (answered({"message": "no such schedule"}, 400), "refused"),
        (answered(b"", 429), "retry"),
        (answered(b"", 502), "unknown"),
        (answered(b"reset", None), "unknown"),
    ],
)
def test_only_what_braze_says_so_is_taken_back(answer: Answer, outcome: str) -> None:
    request = write_recall("/canvas/trigger/schedule:c:s:1", ["k1", "k2"])
    assert (request.path, request.keys) == ("/canvas/trigger/schedule/delete", ("k1", "k2"))
    assert json.loads(request.body) == {"canvas_id": "c", "schedule_id": "s:1"}
    assert read_recall(request, answer).outcome == outcome


def test_messages_of_ours_are_held_for_each_content() -> None:
    shown = "[web_push]\nalert = '{{api_trigger_properties.${offer}}}'\n"
    config = {"messages": f"override_frequency_capping = true\n{shown}"}
    two = [sends(1)[0], replace(sends(2)[1], properties={"offer": "sim"})]
    calls = write_schedules(two, config, at=NOON)
    assert [each.path for each in calls] == ["/messages/schedule/create"] * 2
    body = json.loads(calls[0].body)
    assert (body["external_user_ids"], body["schedule"]) == (
        ["c0"],
        {"time": "2026-03-01T12:00:00Z"},
    )
    assert body["override_messaging_limits"] is True
    (held,) = read_scheduled(calls[0], answered(TAKEN))
    assert held.schedule_id == "/messages/schedule::s"
    back = write_recall(held.schedule_id, held.key)
    assert (back.path, json.loads(back.body)) == ("/messages/schedule/delete", {"schedule_id": "s"})
