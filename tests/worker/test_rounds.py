"""The worker does what is due when it is due, and one of several works."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from opportune import pipeline, worker
from opportune.storage import Frame, SegmentLog, Stores, load_sql

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
SIX, NINE, LATE = (MIDNIGHT + timedelta(hours=hour) for hour in (6, 9, 21))
PROVIDER = "next-best-offer"
Until = Callable[..., None]


def test_the_worker_takes_in_decides_and_sends(market: Any, sandbox: Any, until: Until) -> None:
    market.apply({PROVIDER: sandbox.url})
    market.register(100)
    times = [MIDNIGHT]
    with market.working(lambda: times[-1]):
        until(lambda: market.count("profile") == 100)
        assert market.count("job") == 0, "the day is decided from six on"
        times.append(SIX)
        until(lambda: market.count("job", "done_at is not null") == 1)
        assert sandbox.sends() == (0, 0, 0)
        times.append(NINE)
        until(lambda: market.all_sent(due=NINE))
        by_nine = sandbox.sends()[0]
        assert 0 < by_nine == market.outbox()["sent"]
        times.append(LATE)
        until(lambda: market.outbox().keys() == {"sent"})
        until(lambda: pipeline.caught_up(market.stores))
    treated = market.count("outbox")
    assert sandbox.sends() == (treated, treated, 1)
    # One id for all that went out that day, so that Braze counts it apart.
    made = market.stores.state.rows("select use_case, day, send_id from braze_send_id")
    send_id = f"opportune-{PROVIDER}-20260301"
    assert made == [{"use_case": PROVIDER, "day": MIDNIGHT.date(), "send_id": send_id}]
    sent = market.stores.lake.read("events", ["event"])["event"].to_pylist()
    assert sent.count("Message Sent") == treated


def test_a_day_that_is_done_is_not_decided_again(market: Any, sandbox: Any, until: Until) -> None:
    market.apply({PROVIDER: sandbox.url}, at_once=True)
    market.register(20)
    for _ in range(2):
        with market.working():
            until(market.all_sent)
    assert market.count("job") == market.count("job", "attempts = 1") == 1
    sent = market.count("outbox")
    assert sandbox.sends() == (sent, sent, 1)


def test_the_simulated_clock_stands_where_it_was_set(stores: Stores) -> None:
    clock = worker.simulated_clock(stores)
    assert clock() == datetime(1970, 1, 1, tzinfo=UTC)
    stores.state.rows(load_sql("opportune", "set_simulated_now"), {"now": SIX})
    assert clock() == SIX
    stores.state.rows(load_sql("opportune", "set_simulated_now"), {"now": NINE})
    assert clock() == NINE


def test_a_second_worker_waits_and_goes_on_when_the_first_ends(
    market: Any, sandbox: Any, until: Until
) -> None:
    market.apply({PROVIDER: sandbox.url})
    with market.working(lambda: MIDNIGHT) as first:
        until(market.is_held)
        with market.working():
            market.register(20)
            until(lambda: market.count("profile") == 20)
            time.sleep(0.2)
            assert market.count("job") == 0
            first.set()
            until(market.all_sent)


def test_computed_traits_follow_events_and_their_windows(
    market: Any, sandbox: Any, until: Until, take_in: Callable[..., None]
) -> None:
    market.apply({PROVIDER: sandbox.url})
    body = '{"event": "Order Completed", "compute": "count", "within": {"days": 1}}'
    market.stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('computed_trait', 'orders', 1, %(body)s::jsonb, now())",
        {"body": body},
    )
    bought = {"type": "track", "event": "Order Completed", "messageId": "m", "userId": "ana"}
    take_in({**bought, "timestamp": MIDNIGHT.isoformat()}, received_at=MIDNIGHT)
    times = [MIDNIGHT]
    with market.working(lambda: times[-1]):
        until(lambda: market.count("computed_trait", "traits = '{\"orders\": 1}'") == 1)
        # On the event itself, while the clock stands still.
        again = {**bought, "messageId": "n", "timestamp": MIDNIGHT.isoformat()}
        log = SegmentLog(market.stores.settings.log_folder)
        frame = Frame(
            received_at_us=int(MIDNIGHT.timestamp() * 1_000_000),
            source_id="shop",
            kind="batch",
            body=msgspec.json.encode({"batch": [again]}),
        )
        log.append(frame).result()
        log.close()
        until(lambda: market.count("computed_trait", "traits = '{\"orders\": 2}'") == 1)
        times.append(MIDNIGHT + timedelta(hours=25))
        until(lambda: market.count("computed_trait") == 0)
