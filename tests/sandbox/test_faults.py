"""Injected trouble: before the effect nothing happened, after it everything did."""

from __future__ import annotations

import http.client
from typing import Any

import pytest

ONE = {"external_user_id": "c000001"}
LOST = (http.client.HTTPException, OSError)


def inject(client: Any, *faults: str) -> None:
    assert client.post("/_sandbox/faults", {"faults": list(faults)}).status == 200


@pytest.mark.parametrize("fault", ["500", "502", "503", "504"])
def test_a_status_fault_comes_before_the_effect(client: Any, fault: str) -> None:
    inject(client, fault)
    assert client.send(ONE).status == int(fault)
    assert client.received("c000001") == []
    assert client.send(ONE).status == 201


@pytest.mark.parametrize("fault", ["500_after", "502_after", "503_after", "504_after"])
def test_a_status_fault_after_the_effect_hides_a_message_that_was_accepted(
    client: Any, fault: str
) -> None:
    inject(client, fault)
    assert client.send(ONE).status == int(fault[:3])
    assert client.received("c000001")[0]["last_received"] == "2026-01-01T00:00:00.000Z"
    assert client.sent_users() == [["c000001"]]


def test_an_injected_429_has_rate_headers_and_no_effect(client: Any) -> None:
    inject(client, "429")
    answer = client.send(ONE)
    assert answer.status == 429
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert client.received("c000001") == []


@pytest.mark.parametrize(
    ("fault", "messages"),
    [("timeout_before", 0), ("timeout_after", 1), ("reset_before", 0), ("reset_after", 1)],
)
def test_a_lost_answer_can_be_looked_up(client: Any, fault: str, messages: int) -> None:
    inject(client, fault)
    client.timeout_s = 0.3
    with pytest.raises(LOST):
        client.send(ONE)
    client.timeout_s = 10
    assert len(client.received("c000001")) == messages
    assert client.get("/_sandbox/sends").json["sends"] == messages
    assert client.send(ONE).status == 201


def test_silence_ends_with_a_cut_connection(start: Any) -> None:
    client = start(silence_s=0.1)
    inject(client, "timeout_after")
    with pytest.raises(LOST):
        client.send(ONE)
    assert client.sent_users() == [["c000001"]]


def test_an_answer_can_be_damaged_after_the_effect(client: Any) -> None:
    inject(client, "malformed_after")
    answer = client.send(ONE)
    assert (answer.status, answer.text) == (201, b'{"dispatch_id": "')
    assert client.sent_users() == [["c000001"]]


def test_faults_are_used_one_per_send_call_and_by_no_other_call(client: Any) -> None:
    inject(client, "none", "503", "429")
    assert client.get("/campaigns/list").status == 200
    assert [client.send(ONE).status for _ in range(4)] == [201, 503, 429, 201]
    assert client.get("/_sandbox/faults").json == {"faults": []}


def test_a_wrong_call_is_refused_whatever_fault_was_to_follow(client: Any) -> None:
    inject(client, "timeout_after")
    assert client.send().status == 400


def test_new_faults_replace_those_that_are_left(client: Any) -> None:
    inject(client, "503", "503")
    inject(client)
    assert client.send(ONE).status == 201


@pytest.mark.parametrize("faults", [["boom"], ["503"] * 10_001])
def test_unknown_or_too_many_faults_are_400_and_change_nothing(
    client: Any, faults: list[str]
) -> None:
    inject(client, "503")
    answer = client.post("/_sandbox/faults", {"faults": faults})
    assert answer.status == 400
    assert "give at most 10000 of: 429, 500" in answer.json["message"]
    assert client.get("/_sandbox/faults").json == {"faults": ["503"]}
