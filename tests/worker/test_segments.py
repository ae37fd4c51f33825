"""The worker follows segments: with events, with the time, and in the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from opportune import pipeline, project, segments
from opportune.storage import Frame, SegmentLog, Stores

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
PROVIDER = "next-best-offer"
Until = Callable[..., None]


def buy(stores: Stores, user_id: str, at: datetime) -> None:
    order = {"type": "track", "event": "Order Completed", "userId": user_id, "messageId": user_id}
    log = SegmentLog(stores.settings.log_folder)
    log.append(
        Frame(
            received_at_us=round(at.timestamp() * 1_000_000),
            source_id="shop",
            kind="batch",
            body=msgspec.json.encode({"batch": [{**order, "timestamp": at.isoformat()}]}),
        )
    ).result()
    log.close()


def define(stores: Stores, name: str, rule: object) -> None:
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('segment', %(name)s, 1, %(body)s::jsonb, now())",
        {"name": name, "body": json.dumps({"rule": rule})},
    )


def test_the_worker_follows_fills_and_tells(market: Any, until: Until) -> None:
    stores = market.stores
    bought = {"event": "Order Completed", "within": {"hours": 1}}
    times = [MIDNIGHT]

    def members(name: str) -> int:
        count: int = market.count("segment_membership", f"left_at is null and segment = '{name}'")
        return count

    def told() -> list[tuple[str, str]]:
        rows = stores.lake.read("events", ["event", "user_id"]).to_pylist()
        return sorted(
            (row["event"], row["user_id"]) for row in rows if row["event"] in segments.OWN_EVENTS
        )

    define(stores, "buyers", bought)
    with market.working(lambda: times[-1]):
        until(lambda: market.count("live_segment", "filled_at is not null") == 1)
        buy(stores, "ada", MIDNIGHT)
        until(lambda: members("buyers") == 1)
        until(lambda: told() == [("Segment Entered", "ada")])
        times.append(MIDNIGHT + timedelta(hours=1, seconds=1))
        until(lambda: members("buyers") == 0)
        define(stores, "quiet", {"not": {"segment": "buyers"}})
        until(lambda: members("quiet") == 1)
        until(lambda: len(told()) == 2)
    with market.working(lambda: times[-1]):
        buy(stores, "bob", times[-1])
        until(lambda: told()[:2] == [("Segment Entered", "ada"), ("Segment Entered", "bob")])
        stores.state.rows("delete from definition where name = 'quiet'")
        until(lambda: market.count("live_segment") == 1)
    assert (members("buyers"), members("quiet"), market.count("segment_change")) == (1, 0, 0)
    assert told()[2:] == [("Segment Exited", "ada")]


def test_a_day_is_decided_for_the_members_of_that_moment(
    market: Any, sandbox: Any, until: Until
) -> None:
    market.apply({PROVIDER: sandbox.url})
    market.register(50)
    stores = market.stores
    definitions = project.read(stores.state)
    six = MIDNIGHT + timedelta(hours=6)
    with market.working(lambda: MIDNIGHT):
        until(lambda: market.count("profile") == 50)
        until(lambda: market.count("live_segment", "filled_at is null") == 0)
        until(lambda: market.count("live_segment") == len(definitions.segments))
    before = stores.state.rows("select * from segment_membership order by segment, profile_id")
    done = pipeline.run_day(stores, definitions, PROVIDER, six.date(), now=six)
    after = stores.state.rows("select * from segment_membership order by segment, profile_id")
    assert before == after
    assert done.audience == {
        name: sum(row["segment"] == name for row in after) for name in done.audience
    }
