"""Rejects are listed with their reason and sent again after a fix, once."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from opportune import events
from opportune.events import NothingChosen, Replay
from opportune.events.rejects import InvalidRejectId, NoSuchReject

NOW_US = 1_772_344_800_000_000
DAY_US = 86_400_000_000
Order = Callable[..., dict[str, object]]
STRICT = 'violations = "block"\nunplanned_events = "block"\n'
PLAN = (
    STRICT
    + '[[events]]\nname = "Order Completed"\nproperties = { revenue = { type = "number" } }\n'
)
FIXED = PLAN.replace('"number"', '["number", "string"]') + '[[events]]\nname = "Viewed"\n'


def send_again(shop: Any, *ids: str, at_us: int = NOW_US + 1) -> Replay:
    return events.replay(shop.stores, ids, sent_at_us=at_us)


def test_rejects_are_listed_newest_first_and_by_what_is_asked_for(shop: Any, order: Order) -> None:
    shop.apply(shop=PLAN)
    shop.send(order("a", revenue="1"), {"type": "track", "userId": "c"}, at_us=NOW_US - DAY_US)
    shop.send(order("b", event="Viewed"), at_us=NOW_US)
    shop.send(order("c", event="Viewed"), at_us=NOW_US + 1, source="till")

    def found(**chosen: object) -> list[str]:
        return [f"{each.code}/{each.event}/{each.source_id}" for each in shop.rejects(**chosen)]

    every = [
        "unplanned/Viewed/till",
        "unplanned/Viewed/shop",
        "schema_violation/Order Completed/shop",
        "event_not_defined/None/shop",
    ]
    assert found() == every
    assert found(code="unplanned") == every[:2]
    assert found(source="shop") == every[1:]
    assert found(event="Order Completed") == [every[2]]
    assert found(since=shop.now) == every[:2]
    assert found(since=shop.now + timedelta(days=1)) == []
    assert found(open_only=True) == every
    first = shop.rejects()[2]
    assert first.reject_id == f"shop:{NOW_US - DAY_US}:0:schema_violation"
    assert (first.state, first.message_id) == ("open", "a")


def test_pages_have_every_reject_once(shop: Any, order: Order) -> None:
    shop.apply(shop=PLAN)
    for at_us in (NOW_US, NOW_US + 1):
        shop.send(*[order(f"{at_us}-{n}", event="E") for n in range(5)], at_us=at_us)
        shop.send(
            *[order(f"t{at_us}-{n}", event="E") for n in range(3)], at_us=at_us, source="till"
        )
    seen: list[str] = []
    before = None
    while page := events.rejects(shop.stores, events.RejectFilter(), before=before, rows=3):
        seen += [each.reject_id for each in page]
        before = page[-1].reject_id
    assert len(seen) == len(set(seen)) == 16
    assert seen == [each.reject_id for each in shop.rejects()]


def test_a_reject_that_fits_after_a_fix_becomes_an_event_of_its_own_time(
    shop: Any, order: Order
) -> None:
    shop.apply(shop=PLAN)
    shop.send({**order("a", revenue="1"), "timestamp": "2026-02-01T10:00:00Z"})
    (reject,) = shop.rejects()
    shop.apply(shop=FIXED)
    assert send_again(shop, reject.reject_id).sent == (reject.reject_id,)
    assert [each.state for each in shop.rejects()] == ["waiting"]
    assert send_again(shop, reject.reject_id).waiting == (reject.reject_id,)
    assert shop.ingest.tick() == 1
    (row,) = shop.stores.lake.read("events").to_pylist()
    assert (row["message_id"], row["received_at_us"], row["user_id"]) == ("a", NOW_US, "customer-1")
    assert (row["occurred_at"].isoformat(), row["source_id"]) == (
        "2026-02-01T10:00:00+00:00",
        "shop",
    )
    assert json.loads(row["properties"]) == {"revenue": "1"}
    assert [each.state for each in shop.rejects()] == ["replayed"]
    assert shop.rejects(open_only=True) == []
    assert shop.events()["Order Completed"].events == 1
    assert send_again(shop, reject.reject_id).done == (reject.reject_id,)
    assert shop.ingest.tick() == 0


def test_frames_that_were_sent_twice_are_stored_once(shop: Any, order: Order) -> None:
    shop.apply(shop=PLAN)
    shop.send(order("a", revenue="1"))
    (reject,) = shop.rejects()
    shop.apply(shop=FIXED)
    send_again(shop, reject.reject_id)
    # As if the process had been killed before it noted that it sent them.
    shop.stores.state.rows("delete from reject_replay")
    send_again(shop, reject.reject_id)
    assert shop.ingest.tick() == 2
    assert shop.stored() == ["a"]
    assert shop.events()["Order Completed"].events == 1
    assert [each.state for each in shop.rejects()] == ["replayed"]


def test_one_that_breaks_a_rule_again_is_a_reject_again_with_its_new_reason(
    shop: Any, order: Order
) -> None:
    shop.apply(shop=PLAN)
    shop.send(order("a", event="Viewed", page=1))
    (reject,) = shop.rejects()
    shop.apply(
        shop=PLAN + '[[events]]\nname = "Viewed"\nproperties = { page = { type = "string" } }\n'
    )
    send_again(shop, reject.reject_id)
    shop.ingest.tick()
    told = {each.code: (each.state, each.reason) for each in shop.rejects()}
    assert told["unplanned"][0] == "refused again"
    assert told["schema_violation"] == (
        "open",
        "Tracking plan 'shop': event 'Viewed', property 'page': integer given, must be string.",
    )
    assert shop.stored() == []
    shop.apply(shop=FIXED)
    again = events.replay(
        shop.stores, events.RejectFilter(event="Viewed", open_only=True), sent_at_us=NOW_US + 2
    )
    assert len(again.sent) == 2
    shop.ingest.tick()
    assert shop.stored() == ["a"]
    assert [each.state for each in shop.rejects()] == ["replayed", "replayed"]


def test_state_that_was_away_learns_what_became_of_it(shop: Any, order: Order) -> None:
    shop.apply(shop=PLAN)
    shop.send(order("a", revenue="1"), order("b", event="Viewed"))
    first, second = shop.rejects()
    shop.apply(shop=PLAN.replace('"number"', '"string"'))
    shop.ingest.tick()
    send_again(shop, first.reject_id, second.reject_id)
    shop.ingest.store()
    assert shop.ingest.tick() == 2
    assert [each.state for each in shop.rejects()] == ["replayed", "refused again"]


def test_messages_without_an_id_get_one_that_stays_the_same(shop: Any) -> None:
    shop.frame(b'{"userId": "c1", "traits": 5}', kind="identify")
    shop.ingest.tick()
    (reject,) = shop.rejects()
    assert (reject.code, reject.message_id) == ("traits_not_object", None)
    for at_us in (1, 2):
        send_again(shop, reject.reject_id, at_us=at_us)
        shop.ingest.tick()
    assert {each.reason for each in shop.rejects()} == {reject.reason}
    assert [each.message_id for each in shop.rejects()] == [f"replay-{reject.reject_id}-0"]


def test_a_whole_request_that_could_not_be_read_is_taken_message_by_message(
    shop: Any, order: Order
) -> None:
    shop.frame(json.dumps({"batch": [order("a"), {"type": "bad"}]}).encode(), kind="fax")
    shop.ingest.tick()
    (reject,) = shop.rejects()
    assert (reject.code, reject.index) == ("unknown_kind", -1)
    send_again(shop, reject.reject_id)
    shop.ingest.tick()
    assert shop.stored() == ["a"]
    assert {(each.code, each.index, each.state) for each in shop.rejects()} == {
        ("unknown_kind", -1, "refused again"),
        ("unknown_type", 1, "open"),
    }


def test_what_was_cut_cannot_be_sent_again_and_says_so(shop: Any) -> None:
    shop.frame(b'{"batch": [', kind="batch")
    shop.frame(json.dumps({"batch": [{"type": "track", "event": "x" * 40_000}]}).encode())
    shop.ingest.tick()
    ids = [each.reject_id for each in shop.rejects()]
    replay = send_again(shop, *ids)
    assert (replay.sent, sorted(replay.unusable)) == ((), sorted(ids))
    assert all("no whole message" in reason for reason in replay.unusable.values())


def test_ids_that_are_none_send_nothing(shop: Any, order: Order) -> None:
    shop.apply(shop=PLAN)
    shop.send(order("a", event="E"))
    (reject,) = shop.rejects()
    with pytest.raises(InvalidRejectId, match="'nonsense' is no id of a reject"):
        send_again(shop, reject.reject_id, "nonsense")
    with pytest.raises(NoSuchReject, match="No reject has the id 'shop:1:0:unplanned'"):
        send_again(shop, reject.reject_id, "shop:1:0:unplanned")
    for nothing in ([], events.RejectFilter(open_only=True)):
        with pytest.raises(NothingChosen):
            events.replay(shop.stores, nothing, sent_at_us=1)
    assert [each.state for each in shop.rejects()] == ["open"]
    assert shop.ingest.tick() == 0
