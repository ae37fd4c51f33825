"""What arrives is counted: names, types, how full a field is, and no value of a person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from opportune import events
from opportune.events import catalogue

NOW_US = 1_772_344_800_000_000
HOUR_US = 3_600_000_000
Order = Callable[..., dict[str, object]]


def test_every_event_and_field_is_counted_with_its_types(shop: Any, order: Order) -> None:
    shop.send(
        order("a", revenue=19.99, items=2, coupon=None, gift=True, tags=["x"], place={"floor": 1}),
        order("b", revenue=5, items=1, coupon="SUMMER"),
        {"type": "identify", "userId": "c1", "messageId": "c", "traits": {"plan": "plus"}},
        {"type": "group", "userId": "c1", "groupId": "g", "messageId": "d", "traits": {"size": 3}},
    )
    seen = shop.events()
    assert {name: (each.type, each.events, each.fields) for name, each in seen.items()} == {
        "Order Completed": ("track", 2, 6),
        "identify": ("identify", 1, 1),
        "group": ("group", 1, 2),
    }
    fields = shop.fields("Order Completed")
    assert {name: dict(each.types) for name, each in fields.items()} == {
        "revenue": {"integer": 1, "number": 1},
        "items": {"integer": 2},
        "coupon": {"string": 1, "null": 1},
        "gift": {"boolean": 1},
        "tags": {"array": 1},
        "place": {"object": 1},
    }
    assert {name: each.fill_share for name, each in fields.items()} == {
        **{"revenue": 1.0, "items": 1.0},
        **{"coupon": 0.5, "gift": 0.5, "tags": 0.5, "place": 0.5},
    }
    samples = {name: each.sample for name, each in fields.items()}
    assert (samples["revenue"], samples["coupon"]) == ("5", "SUMMER")
    assert samples["place"] == '{"floor":"UBIGINT"}'
    assert [each.kind for each in shop.fields("group").values()] == ["property", "trait"]
    assert shop.fields("identify")["plan"].kind == "trait"


def test_first_and_last_seen_are_when_it_was_received(shop: Any, order: Order) -> None:
    shop.send(order("a", revenue=1), at_us=NOW_US - 200 * HOUR_US)
    shop.send(order("b", revenue=1), at_us=NOW_US - 30 * HOUR_US)
    shop.send(order("c", coupon="x"), at_us=NOW_US - HOUR_US)
    seen = shop.events()["Order Completed"]
    assert (seen.events, seen.events_7d, seen.events_24h) == (3, 2, 1)
    assert (seen.first_seen_at.isoformat(), seen.last_seen_at.isoformat()) == (
        "2026-02-20T22:00:00+00:00",
        "2026-03-01T05:00:00+00:00",
    )
    fields = shop.fields("Order Completed")
    assert fields["revenue"].last_seen_at.isoformat() == "2026-02-28T00:00:00+00:00"
    assert fields["coupon"].first_seen_at == seen.last_seen_at
    hours = shop.stores.state.rows("select count(*) as n from catalogue_hour")
    assert hours == [{"n": 2}], "what is older than eight days is dropped"


def test_repeats_and_rejects_are_not_counted(shop: Any, order: Order) -> None:
    shop.send(order("a"), order("a"), order("b"), {"type": "track", "userId": "c1"})
    shop.send(order("b"))
    assert shop.events()["Order Completed"].events == 2


def test_sources_are_counted_apart(shop: Any, order: Order) -> None:
    shop.send(order("a"), source="web")
    shop.send(order("b"), order("c"), source="till")
    found = events.seen_event(shop.stores.state, "Order Completed", now=shop.now)
    assert [(each.source_id, each.events) for each in found] == [("till", 2), ("web", 1)]


def test_samples_of_what_may_be_personal_are_masked(shop: Any, order: Order) -> None:
    shop.send(
        order("a", email="ana@shop.example", note="call +49 30 901820 or ana@shop.example"),
        order("b", phone="+49 30 901820", diagnosis="flu", buyer={"first_name": "Ana"}),
        {"type": "identify", "userId": "c1", "messageId": "c", "traits": {"name": "Ana"}},
    )
    fields = shop.fields("Order Completed")
    told = {
        name: (each.field_class.name, each.field_class.because, each.sample)
        for name, each in fields.items()
    }
    assert told == {
        "email": ("personal", "name", "xxx@xxxx.xxxxxxx"),
        "note": ("personal", "value", "xxxx +99 99 999999 xx xxx@xxxx.xxxxxxx"),
        "phone": ("personal", "name", "+99 99 999999"),
        "diagnosis": ("sensitive", "name", "(hidden)"),
        "buyer": ("personal", "value", '{"xxxxx_xxxx":"xxxxxxx"}'),
    }
    assert shop.fields("identify")["name"].sample == "xxx"
    kept = str(shop.counts())
    assert "Ana" not in kept
    assert "901820" not in kept
    assert "flu" not in kept


def test_a_declared_class_counts_first_and_at_once(shop: Any, order: Order) -> None:
    shop.send(order("a", email="ana@shop.example", size="42"))
    shop.apply(opportune='[properties]\nfree = ["email"]\npersonal = ["size"]\n')
    fields = shop.fields("Order Completed")
    assert (fields["email"].field_class.because, fields["size"].sample) == ("declared", "99")
    shop.send(order("b", email="bo@shop.example"))
    assert shop.fields("Order Completed")["email"].sample == "bo@shop.example"


def test_ids_in_names_end_up_counted_together(
    shop: Any, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "MOST_EVENTS", 5)
    monkeypatch.setattr(catalogue, "MOST_FIELDS", 3)
    shop.send(order("x", kept=1), order("y", kept=1))
    for batch in range(3):
        messages = [
            order(f"{batch}-{n}", event=f"Viewed {batch}-{n}", n=n, **{f"id-{batch}-{n}": n})
            for n in range(10)
        ]
        shop.send(*messages, order(f"o{batch}", **{f"p{batch}-{n}": n for n in range(5)}))
    seen = shop.events()
    assert len(seen) == 6
    assert sum(each.events for each in seen.values()) == 35
    assert (seen["Order Completed"].events, seen["(others)"].events) == (5, 26)
    fields = shop.fields("Order Completed")
    assert len(fields) == 4
    assert fields["kept"].types == {"integer": 2}
    assert fields["(others)"].types == {"integer": 13}
    assert (fields["(others)"].fill_share, fields["(others)"].sample) == (None, None)
    others = shop.fields("(others)")
    assert len(others) == 4
    assert sum(each.types["integer"] for each in others.values()) == 52


def test_names_longer_than_a_key_are_cut(shop: Any, order: Order) -> None:
    long = "é" * 1_000
    shop.send(order("a", event=long, **{long: 1}), order("b", event=long + "x"))
    assert {name: each.events for name, each in shop.events().items()} == {long[:200]: 2}
    assert list(shop.fields(long[:200])) == [long[:200]]


def test_what_no_database_holds_stops_nothing(shop: Any) -> None:
    body = (
        '{"batch": [{"type": "track", "userId": "c1", "messageId": "m", "event": "E", '
        '"properties": {"a\\u0000b": "x\\u0000y", "\\ud800": 1e999, "": {}, "d": 1, "d": "x"}}]}'
    )
    shop.frame(body.encode())
    assert shop.ingest.tick() == 1
    assert shop.events()["E"].events == 1
    assert set(shop.fields("E")) >= {"a\ufffdb", "", "d"}


@pytest.mark.parametrize("levels", [88, 120, 900])
def test_what_is_nested_very_deeply_stops_nothing(shop: Any, order: Order, levels: int) -> None:
    shop.apply(shop='[[events]]\nname = "E"\nproperties = { "a/b" = { type = "object" } }\n')
    deep = "[[]," * levels + "1" + "]" * levels
    fields = f'"a/b": {deep}, "n": 1, "s": "x", "o": {{}}, "none": null'
    body = (
        '{"batch": [{"type": "track", "userId": "c1", "messageId": "m", "event": "E", '
        f'"properties": {{{fields}}}}}]}}'
    )
    shop.frame(body.encode())
    assert shop.ingest.tick() == 1
    found = {name: dict(each.types) for name, each in shop.fields("E").items()}
    assert found == {
        **{"a/b": {"array": 1}, "n": {"integer": 1}, "s": {"string": 1}},
        **{"o": {"object": 1}, "none": {"null": 1}},
    }
    assert shop.fields("E")["a/b"].violations == {"wrong_type": 1}


def test_the_nearest_name_is_told_for_one_that_was_never_seen(shop: Any, order: Order) -> None:
    with pytest.raises(events.UnknownEvent, match="Nothing of a similar name was seen either"):
        events.seen_event(shop.stores.state, "Order Completd", now=shop.now)
    shop.send(order("a"))
    with pytest.raises(events.UnknownEvent) as refusal:
        events.seen_event(shop.stores.state, "order completd", now=shop.now)
    assert refusal.value.message == (
        "No event 'order completd' was ever seen. Did you mean 'Order Completed'? It was last seen "
        "2026-03-01 06:00 UTC."
    )
