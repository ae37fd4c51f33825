"""A user with several rows: one under way at a time, and no receipt settles another row."""

from __future__ import annotations

import json
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from opportune.activation import Answer, Request
from opportune.sandbox import CAMPAIGN_ID

DAY = date(2026, 3, 1)
NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)


def test_a_user_s_next_row_waits_until_the_last_one_is_settled(sender: Any, sandbox: Any) -> None:
    """A receiver shows its newest receipt only: it would hide what became of the first."""
    sender.fill([1])
    sandbox.faults("reset_before")
    assert sender.send() == Counter(unknown=1)
    sender.fill([1, 2], day=date(2026, 3, 2), due_at=NINE + timedelta(days=1))
    tomorrow = NINE + timedelta(days=1)
    sandbox.tell_time(tomorrow)
    assert sender.send(now=tomorrow) == Counter(sent=1)
    assert [row["state"] for row in sender.outbox()] == ["unknown", "pending", "sent"]
    assert sender.ask(now=tomorrow) == Counter(retry=1)
    sender.expire()
    # Both wait for the same user now; the older goes first, the newer in a batch of its own.
    assert sender.send(now=tomorrow) == Counter(sent=1)
    assert [row["state"] for row in sender.outbox()] == ["sent", "pending", "sent"]
    assert sender.send(now=tomorrow) == Counter(sent=1)
    assert sandbox.sends()[0] == 3


def test_senders_at_once_never_have_two_rows_of_a_user_under_way(sender: Any, sandbox: Any) -> None:
    for day in range(3):
        sender.fill(200, day=DAY + timedelta(days=day))
    under_way: Counter[str] = Counter()
    most = 0
    guard = threading.Lock()

    def call(request: Request) -> Answer:
        nonlocal most
        users = [each["external_user_id"] for each in json.loads(request.body)["recipients"]]
        with guard:
            under_way.update(users)
            most = max(most, *under_way.values())
        answer = sender.channel.call(request)
        with guard:
            under_way.subtract(users)
        return answer

    narrow = replace(sender.slow(batch_size=5), call=call)

    def work() -> None:
        with ThreadPoolExecutor(1) as own:
            while sender.states().get("pending"):
                replace(sender, pool=own).send(narrow)

    with ThreadPoolExecutor(4) as threads:
        for each in [threads.submit(work) for _ in range(4)]:
            each.result()
    assert sender.states() == {"sent": 600}
    assert most == 1


def test_a_receipt_of_the_day_before_does_not_settle_today_s_send(
    sender: Any, sandbox: Any
) -> None:
    sender.fill([1])
    assert sender.send() == Counter(sent=1)
    tomorrow = NINE + timedelta(days=1)
    sandbox.tell_time(tomorrow)
    sender.fill([1], day=date(2026, 3, 2), due_at=tomorrow)
    sandbox.faults("reset_before")
    assert sender.send(now=tomorrow) == Counter(unknown=1)
    assert sender.ask(now=tomorrow) == Counter(retry=1)
    sender.expire()
    assert sender.send(now=tomorrow) == Counter(sent=1)
    assert sandbox.sends() == (2, 1, 1)


def test_rows_of_different_days_are_asked_about_each_since_its_own_attempt(
    sender: Any,
) -> None:
    tomorrow = NINE + timedelta(days=1)
    sender.fill([1])
    sender.fill([1], day=date(2026, 3, 2), due_at=tomorrow)
    stores = sender.stores
    stores.state.rows(
        "update outbox set state = 'unknown', attempts = 1, attempted_at = due_at,"
        " leased_until = clock_timestamp()"
    )

    def received_yesterday(request: Request) -> Answer:
        received = [{"api_campaign_id": CAMPAIGN_ID, "last_received": "2026-03-01T09:00:05.000Z"}]
        users = [{"external_id": "c000001", "campaigns_received": received}]
        body = json.dumps({"message": "success", "users": users}).encode()
        return Answer(status=201, headers={}, body=body, processed=True)

    found = sender.ask(sender.answering(received_yesterday), now=tomorrow)
    assert found == Counter(sent=1, retry=1)
    assert [row["state"] for row in sender.outbox()] == ["sent", "pending"]


@pytest.mark.parametrize(("behind_s", "outcome"), [(55, "sent"), (65, "retry")])
def test_a_receiver_s_clock_may_be_a_minute_behind(
    sender: Any, sandbox: Any, behind_s: int, outcome: str
) -> None:
    sender.fill([1])
    behind = NINE - timedelta(seconds=behind_s)
    sandbox.tell_time(behind)
    sandbox.faults("reset_after")
    assert sender.send() == Counter(unknown=1)
    assert sender.ask() == Counter({outcome: 1})
