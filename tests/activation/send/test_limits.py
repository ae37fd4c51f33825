"""A connector that cannot write a call, and a bucket that is empty, reserve nothing."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import pytest

from opportune.errors import InvalidInput
from opportune.storage import Stores, load_sql

DAY_AFTER = date(2026, 3, 2)


class BadConfig(InvalidInput):
    """As a connector may raise for settings that it cannot use."""

    code = "bad_config_of_a_test"


def test_where_no_call_can_be_written_nothing_is_reserved(sender: Any) -> None:
    sender.fill(3)
    with pytest.raises(BadConfig):
        sender.send(sender.slow(refusal=BadConfig("no campaign")))
    assert {(row["state"], row["attempts"]) for row in sender.outbox()} == {("pending", 0)}
    assert sender.stores.state.rows("select count(*)::int as n from bucket") == [{"n": 0}]


def test_with_nothing_due_a_connector_is_not_even_asked(sender: Any) -> None:
    assert sender.send(sender.slow(refusal=BadConfig("no campaign"))) == Counter()


def test_used_up_calls_reserve_nothing_and_come_back_with_time(sender: Any) -> None:
    sender.fill(100)
    slow = sender.slow(calls_per_hour=2, name="limited")
    assert slow.batch == 50
    assert sender.send(slow) == Counter(sent=50)
    assert sender.send(slow) == Counter()
    assert sender.states() == {"sent": 50, "pending": 50}
    sender.stores.state.rows("update bucket set filled_at = filled_at - interval '1 hour'")
    assert sender.send(slow) == Counter(sent=50)


def test_the_bucket_never_gives_more_than_an_hour_allows(stores: Stores) -> None:
    """Eight at once, on a limit whose half refills in a second: an hour's worth of a tiny hour."""
    sql = load_sql("opportune.activation", "take_tokens")
    facts = {"name": "b", "tokens": 3, "capacity": 50.0, "per_second": 50.0}
    ends = time.monotonic() + 1.0

    def take() -> int:
        taken = 0
        while time.monotonic() < ends:
            taken += 3 * len(stores.state.rows(sql, facts))
        return taken

    began = time.monotonic()
    with ThreadPoolExecutor(8) as threads:
        total = sum(each.result() for each in [threads.submit(take) for _ in range(8)])
    spent_s = time.monotonic() - began
    assert 48 <= total <= 50 + 50 * spent_s
    assert total > 50, "it did not refill"


def test_a_bucket_holds_no_more_than_its_capacity_and_a_clock_set_back_takes_nothing(
    stores: Stores,
) -> None:
    sql = load_sql("opportune.activation", "take_tokens")
    facts = {"name": "b", "tokens": 4, "capacity": 10.0, "per_second": 0.0}

    def take() -> list[float]:
        return [row["tokens"] for row in stores.state.rows(sql, facts)]

    assert [take(), take(), take()] == [[6.0], [2.0], []]
    stores.state.rows("update bucket set filled_at = clock_timestamp() - interval '9 hours'")
    facts["per_second"] = 1.0
    assert take() == [6.0]
    stores.state.rows("update bucket set filled_at = clock_timestamp() + interval '9 hours'")
    assert take() == [2.0]


def test_what_the_receiver_says_is_left_is_all_that_is_called(sender: Any, sandbox: Any) -> None:
    sender.fill(400)
    sandbox.ask("POST", "limits", {"pools": {"default": [5, 3600]}})
    assert sender.send() == Counter(sent=250, retry=150), "nobody knew yet"
    sender.expire()
    assert sender.send() == Counter(), "the window is used up: nobody is called"
    sender.stores.state.rows("update rate_window set resets_at = clock_timestamp()")
    sandbox.ask("POST", "limits", {"pools": {"default": [5, 3600]}})
    assert sender.send() == Counter(sent=150)
    assert [row["remaining"] for row in sender.stores.state.rows("table rate_window")] == [2]


def test_one_who_takes_over_counts_anew(sender: Any, sandbox: Any) -> None:
    sender.fill(100)
    sender.send()
    sender.stores.state.rows("update rate_window set remaining = 0")
    sender.fill(50, day=DAY_AFTER)
    assert sender.send() == Counter()
    sender.abandon(takeover=True)
    assert sender.send() == Counter(sent=50)
