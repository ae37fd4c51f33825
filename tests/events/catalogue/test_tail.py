"""The newest events: what arrived, what became of it, and whom it is about in hints only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from opportune import events

Order = Callable[..., dict[str, object]]
NOW_US = 1_772_344_800_000_000


def test_the_tail_tells_what_became_of_each_message(shop: Any, order: Order) -> None:
    shop.apply(
        shop='sources = ["shop"]\nviolations = "block"\n[[events]]\nname = "Order Completed"\n'
        'properties = { revenue = { type = "number" } }\n'
    )
    shop.send(
        order("a", revenue=1),
        order("b", event="Viewed"),
        order("c", revenue="x"),
        {"type": "page", "anonymousId": "visitor-77", "messageId": "d"},
        {"type": "track", "userId": "customer-2", "messageId": "e"},
    )
    rows = events.tail(shop.stores.state)
    assert [(each.message_id, each.outcome) for each in rows] == [
        ("a", "accepted"),
        ("b", "flagged"),
        ("d", "accepted"),
        ("e", "rejected"),
        ("c", "rejected"),
    ]
    assert [(each.event, each.type) for each in rows][2:4] == [(None, "page"), (None, "track")]
    assert (rows[0].user_hint, rows[2].anonymous_hint) == ("cu…1", "vi…7")
    assert rows[3].reason == "event_not_defined: A track message needs the name of its event."
    kept = str(shop.stores.state.rows("select * from event_tail"))
    assert "customer-1" not in kept
    assert "visitor-77" not in kept


def test_the_tail_is_followed_from_a_place_and_filtered(shop: Any, order: Order) -> None:
    shop.send(order("a"), order("b", event="Viewed"))
    shop.send({**order("c"), "userId": "customer-2"}, source="till")
    rows = events.tail(shop.stores.state)
    assert events.tail(shop.stores.state, after=rows[-1].place) == []

    def ids(**asked: object) -> list[str | None]:
        return [each.message_id for each in events.tail(shop.stores.state, **asked)]

    assert ids(after=rows[0].place) == ["b", "c"]
    assert ids(source="till") == ["c"]
    assert ids(event="Order Completed") == ["a", "c"]
    assert ids(user="customer-2") == ["c"]
    assert ids(user="customer-1", event="Viewed") == ["b"]
    assert ids(user="nobody") == []


def test_the_tail_stays_small_and_says_what_it_leaves_out(
    shop: Any, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By this name, the room has the function.
    ring = sys.modules["opportune.events.tail"]
    monkeypatch.setattr(ring, "BATCH_ROWS", 3)
    monkeypatch.setattr(ring, "RING_ROWS", 10)
    for batch in range(5):
        shop.send(*[order(f"{batch}-{n}") for n in range(8)])
    rows = events.tail(shop.stores.state)
    assert [each.message_id for each in rows[-4:]] == [None, "4-5", "4-6", "4-7"]
    assert (rows[-4].outcome, rows[-4].reason) == (
        "left_out",
        "5 more of this batch are not shown.",
    )
    assert len(rows) <= 10
    asked = events.tail(shop.stores.state, event="Order Completed")
    assert {each.outcome for each in asked} == {"accepted"}


def test_what_cannot_be_read_is_in_the_tail_without_its_contents(shop: Any) -> None:
    shop.frame(b'{"userId": "ana\\u0000", "x": ')
    shop.frame(b'{"userId": "ana@shop.example\\u0000", "event": "E"}', kind="fax")
    shop.ingest.tick()
    rows = events.tail(shop.stores.state)
    assert [(each.outcome, each.user_hint, each.event) for each in rows] == [
        ("rejected", None, None),
        ("rejected", "an…\ufffd", "E"),
    ]


def test_what_opportune_tells_its_own_log_is_stored_and_shown_to_nobody(
    shop: Any, order: Order
) -> None:
    said = [
        events.Own(event="Segment Memberships", at_us=NOW_US + n, properties={"segment": "a"})
        for n in range(60)
    ]
    shop.log.append(events.own_frame(said, now_us=NOW_US)).result(10)
    shop.send(order("a"))
    assert len(shop.stored()) == 61
    assert [each.message_id for each in events.tail(shop.stores.state)] == ["a"]
    assert list(shop.events()) == ["Order Completed"]
