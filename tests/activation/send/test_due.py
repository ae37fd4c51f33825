"""What is due is handed over once, in batches, and comes back as one event each."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opportune.events import LIMITS, decode_segment
from opportune.storage import read_frames

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_what_is_due_is_sent_once_and_comes_back_as_one_event_each(
    sender: Any, sandbox: Any
) -> None:
    sender.fill(120)
    assert sender.send() == Counter(sent=120)
    assert sender.send() == Counter()
    assert sandbox.sends() == (120, 120, 1)
    rows = sender.outbox()
    assert {(row["state"], row["attempts"], row["reason"]) for row in rows} == {("sent", 1, "")}
    assert len({row["dispatch_id"] for row in rows}) == 3
    came_back = sender.events()
    assert [name for name, _, _ in came_back] == ["Message Sent"] * 120
    assert {identity for _, identity, _ in came_back} == {f"delivery:{row['key']}" for row in rows}
    by_key = {row["key"]: row["dispatch_id"] for row in rows}
    key = "win_back:20260301:000007"
    (properties,) = [p for _, identity, p in came_back if identity == f"delivery:{key}"]
    assert properties == {
        "decision_id": key,
        "use_case": "win_back",
        "connector": "braze",
        "dispatch_id": by_key[key],
        "reason": None,
    }


def test_the_message_carries_the_options_and_the_decision(sender: Any, sandbox: Any) -> None:
    sender.fill([7])
    sender.send()
    (call,) = sandbox.ask("GET", "journal")["calls"]
    assert call["messages"] == [
        {
            "external_user_id": "c000007",
            "trigger_properties": {"offer": "bundle", "decision_id": "win_back:20260301:000007"},
        }
    ]


def test_nothing_is_sent_before_it_is_due_nor_for_another_use_case(
    sender: Any, sandbox: Any
) -> None:
    sender.fill([1], due_at=NINE + timedelta(seconds=1))
    sender.fill([2], name="other")
    assert sender.send() == Counter()
    assert sandbox.sends() == (0, 0, 0)
    assert sender.send(now=NINE + timedelta(seconds=1)) == Counter(sent=1)
    assert sender.states() == {"pending": 1, "sent": 1}


def test_a_batch_is_what_all_connections_can_carry_the_rest_waits_its_turn(
    sender: Any, sandbox: Any
) -> None:
    small = sender.slow(calls_per_hour=4)
    assert (sender.channel.batch, small.batch) == (1200, 100)
    sender.fill(300)
    counts = [sender.send(small)["sent"] for _ in range(2)]
    assert counts == [100, 0]
    assert sender.states() == {"sent": 100, "pending": 200}
    assert {row["attempts"] for row in sender.outbox() if row["state"] == "pending"} == {0}
    assert sandbox.sends() == (100, 100, 1)


def test_even_one_call_an_hour_is_made(sender: Any) -> None:
    slowest = sender.slow(calls_per_hour=1)
    sender.fill(60)
    assert [sender.send(slowest)["sent"] for _ in range(2)] == [50, 0]


def test_one_frame_of_events_holds_no_more_than_one_may(
    sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.fill(120)
    monkeypatch.setattr("opportune.activation.settle.LIMITS", replace(LIMITS, messages=50))
    sender.send()
    frames, _ = read_frames(sender.stores.settings.log_folder, {}, limit_bytes=10_000_000)
    sizes = [len(decode_segment(frame).events) for frame in frames]
    assert sizes == [50, 50, 20]


def test_the_event_of_a_use_case_with_a_long_name_is_not_refused(sender: Any) -> None:
    name = "w" * 90
    sender.fill(2, name=name)
    long = replace(sender.channel, name=name)
    assert sender.send(long) == Counter(sent=2)
    identities = {identity for _, identity, _ in sender.events()}
    assert {len(identity) for identity in identities} == {len("delivery:") + 32}
    assert len(identities) == 2
