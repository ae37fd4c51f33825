"""State built again from all events is the State that was there, and may take its place."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from opportune import pipeline, profiles, segments, worker
from opportune.pipeline import WORKER_LOCK, Rebuilt, WorkerRuns
from opportune.storage import Frame, State, Stores, open_stores

T0 = datetime(2026, 3, 1, 6, tzinfo=UTC)
BOUGHT = {"event": "Order Completed", "within": {"days": 1}}
PEOPLE = ("profile", "identifier", "identifier_link", "consent", "account", "segment_membership")
QUERIES = {
    "profile": "select t::text as row from profile as t order by 1",
    "identifier": "select t::text as row from identifier as t order by 1",
    "identifier_link": "select t::text as row from identifier_link as t order by 1",
    "identity_cut": "select t::text as row from identity_cut as t order by 1",
    "identity_decision": "select t::text as row from identity_decision as t order by 1",
    "consent": "select t::text as row from consent as t order by 1",
    "account": "select t::text as row from account as t order by 1",
    "segment_membership": "select t::text as row from segment_membership as t order by 1",
    "outbox": "select t::text as row from outbox as t order by 1",
    "profile_change": "select t::text as row from profile_change as t order by 1",
}


class Market:
    """A market with a clock; what is said is taken in at once, as a worker does."""

    def __init__(self, stores: Stores) -> None:
        self.stores, self.now, self.said = stores, T0, 0

    def define(self, kind: str, name: str, body: Mapping[str, object]) -> None:
        self.stores.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " values (%(kind)s, %(name)s, 1, %(body)s::jsonb, %(now)s)",
            {"kind": kind, "name": name, "body": json.dumps(body), "now": self.now},
        )

    def say(self, *messages: Mapping[str, object]) -> None:
        self.said += 1
        batch = [
            {"type": "track", "messageId": f"m{self.said}-{place}", **message}
            for place, message in enumerate(messages)
        ]
        for each in batch:
            each.setdefault("timestamp", self.now.isoformat())
        with self.running() as (ingest, log):
            body = msgspec.json.encode({"batch": batch})
            at_us = round(self.now.timestamp() * 1_000_000)
            log.append(
                Frame(received_at_us=at_us, source_id="shop", kind="batch", body=body)
            ).result()
            ingest.catch_up()
            segments.announce(self.stores.state, log, now=self.now)
            segments.tell(self.stores.state, log, now=self.now)
            profiles.tell(self.stores.state, log, now=self.now)
            ingest.catch_up()

    def wait(self, span: timedelta) -> None:
        self.now += span
        with self.running() as (ingest, _):
            ingest.tick()

    def rebuild(
        self,
        *,
        swap: bool = False,
        told: Callable[[int, int], object] = lambda *_: None,
    ) -> Rebuilt:
        with ExitStack() as stack:
            return pipeline.rebuild(
                self.stores,
                worker.decoders(self.stores),
                self.stores.open_log(stack),
                swap=swap,
                now=self.now,
                told=told,
            )

    @contextmanager
    def running(self) -> Iterator[tuple[pipeline.Ingest, object]]:
        with ExitStack() as stack:
            log = self.stores.open_log(stack)
            decoders = worker.decoders(self.stores)
            ingest = pipeline.Ingest(self.stores, decoders, clock=lambda: self.now)
            stack.callback(ingest.close)
            yield ingest, log


def differing(done: Rebuilt) -> dict[str, tuple[int, int, int]]:
    return {
        each.table: (each.only_live, each.only_built, each.differing)
        for each in done.tables
        if not each.is_equal
    }


def rows(state: State, *tables: str) -> dict[str, list[str]]:
    return {name: [row["row"] for row in state.rows(QUERIES[name])] for name in tables}


@pytest.fixture
def market(stores: Stores) -> Market:
    """People who were joined, cut, set aside and decided on, and who entered and left segments."""
    pipeline.create_tables(stores)
    market = Market(stores)
    market.define("segment", "buyers", {"rule": BOUGHT})
    market.define("segment", "rich", {"rule": {"trait": "spent", "at_least": 100}})
    segments.sync(stores.state, now=T0)
    segments.fill(stores, now=T0)
    market.say(
        {"type": "identify", "userId": "ann", "anonymousId": "a1", "traits": {"spent": 200}},
        {"type": "identify", "userId": "bob", "anonymousId": "a2", "traits": {"spent": 5}},
        {"event": "Order Completed", "userId": "ann"},
        {"event": "Order Completed", "anonymousId": "a3"},
        {"type": "group", "userId": "ann", "groupId": "acme", "traits": {"size": 7}},
    )
    market.now += timedelta(hours=1)
    market.say(
        {"type": "identify", "userId": "bob", "anonymousId": "a1", "traits": {"plan": "plus"}},
        {"type": "identify", "userId": "cem", "anonymousId": "a2", "traits": {"plan": "free"}},
        {"type": "identify", "userId": "cem", "traits": {"email": "cem@shop.example"}},
    )
    aside = {item.other: item.review_id for item in profiles.review(stores.state)}
    decide = {"by": "ann", "now": market.now}
    profiles.settle(stores.state, aside["anonymous_id", "a1"], "apart", **decide)
    profiles.settle(stores.state, aside["anonymous_id", "a2"], "move", **decide)
    market.say({"event": "Login", "userId": "ann", "anonymousId": "a3"})
    done = profiles.cut(stores.state, "anonymous_id", "a3", reason="a tablet", **decide)
    profiles.restore(stores.state, done.cut_id, **decide)
    profiles.cut(stores.state, "anonymous_id", "a1", reason="a kiosk", **decide)
    market.wait(timedelta(days=2))
    market.say({"event": "Order Completed", "userId": "bob"})
    return market


def test_what_the_events_come_to_is_what_is_there(market: Market) -> None:
    outbox = rows(market.stores.state, "outbox", "profile_change")
    seen: list[tuple[int, int]] = []
    done = market.rebuild(told=lambda *each: seen.append(each))
    assert differing(done) == {}
    assert done.is_equal
    assert not done.swapped
    assert seen[-1] == (done.events, done.events)
    live = {each.table: each.live for each in done.tables}
    assert min(live[name] for name in ("profile", "identity_cut", "identity_decision")) > 1
    assert live["segment_membership"] > 3
    assert rows(market.stores.state, "outbox", "profile_change") == outbox


def test_what_differs_is_counted_and_mended(market: Market) -> None:
    state = market.stores.state
    good = rows(state, *PEOPLE)
    state.rows("update profile set traits = '{}' where traits <> '{}'")
    state.rows("delete from identifier_link where owner_id <> other_id and rule = 'seen_together'")
    state.rows("insert into account values ('nobody', '{}', 0, 0)")
    found = differing(market.rebuild())
    assert found["profile"][:2] == (0, 0)
    assert found["profile"][2] > 1
    assert found["account"] == (1, 0, 0)
    assert found["identifier_link"][0] == 0 < found["identifier_link"][1]
    assert market.rebuild(swap=True).swapped
    assert rows(state, *PEOPLE) == good
    assert differing(market.rebuild()) == {}


def test_a_state_that_was_lost_comes_from_the_log(
    market: Market, fresh_database: Callable[..., object]
) -> None:
    good = rows(market.stores.state, *PEOPLE, "identity_cut", "identity_decision")
    with fresh_database() as url:  # type: ignore[attr-defined]
        stores = open_stores(replace(market.stores.settings, database_url=url), now=T0)
        lost = Market(stores)
        lost.now, lost.said = market.now, market.said
        lost.define("segment", "buyers", {"rule": BOUGHT})
        lost.define("segment", "rich", {"rule": {"trait": "spent", "at_least": 100}})
        assert lost.rebuild(swap=True).swapped
        assert rows(stores.state, *PEOPLE, "identity_cut", "identity_decision") == good
        # The worker that comes next finds the members that are there, and goes on with new events.
        segments.sync(stores.state, now=lost.now)
        segments.fill(stores, now=lost.now)
        assert rows(stores.state, *PEOPLE) == {name: good[name] for name in PEOPLE}
        lost.say({"event": "Order Completed", "userId": "cem"})
        assert profiles.get(stores.state, "user_id", "cem").segments == ("buyers",)
        made = profiles.cut(
            stores.state, "email", "cem@shop.example", by="ann", reason="typo", now=lost.now
        )
        assert made.cut_id > len(good["identity_cut"])
        stores.close()


def test_it_goes_on_after_it_was_killed(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["opportune.pipeline.rebuild"], "ROWS_AT_ONCE", 1)

    def killed(count: int, total: int) -> None:
        if 0 < count < total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        market.rebuild(told=killed)
    began = market.stores.state.rows("select events from opportune_rebuild.rebuild_progress")
    seen: list[int] = []
    done = market.rebuild(told=lambda count, _: seen.append(count))
    assert differing(done) == {}
    assert seen[0] > began[0]["events"] > 0
    again: list[int] = []
    assert market.rebuild(told=lambda count, _: again.append(count)).events == done.events
    assert again == []


def test_it_waits_for_no_worker_to_run(market: Market) -> None:
    with market.stores.state.lock(WORKER_LOCK), pytest.raises(WorkerRuns):
        market.rebuild()


def test_what_a_restored_backup_does_not_know_is_heard_from_the_log(market: Market) -> None:
    state = market.stores.state
    good = rows(state, "identity_cut", "identity_decision", "identifier", "identifier_link")
    events = market.stores.lake.read("events")
    with state.transaction() as connection:
        assert profiles.hear(connection, events) == 0
    state.rows("delete from identity_cut")
    state.rows("delete from identity_decision")
    state.rows("update identifier_link set decision = null, decided_by = null, decided_at = null")
    with state.transaction() as connection:
        assert profiles.hear(connection, events) > 0
    assert rows(state, *good) == good
