"""What breaks a tracking plan is flagged and stored, or blocked and kept as a reject."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Order = Callable[..., dict[str, object]]

PLAN = """
sources = ["shop"]
[[events]]
name = "Order Completed"
[events.properties]
order_id = { type = "string", required = true, pattern = "^[0-9]+$" }
revenue = { type = "number" }
items = { type = "integer" }
coupon = { type = ["string", "null"], required = true }
at = { type = "date-time" }
tags = { type = "array" }
place = { type = "object" }
gift = { type = "boolean" }
other = { type = "any", required = true }
[[events]]
type = "identify"
traits = { plan = { type = "string", required = true } }
"""
GOOD: dict[str, object] = {
    **{"order_id": "1", "revenue": 1, "items": 1, "coupon": None, "at": "2026-03-01T06:00:00Z"},
    **{"tags": [], "place": {}, "gift": False, "other": {"any": "thing"}},
}


def block(plan: str, *keys: str) -> str:
    return "".join(f'{key} = "block"\n' for key in keys) + plan


def test_what_keeps_to_the_plan_is_neither_flagged_nor_refused(shop: Any, order: Order) -> None:
    keys = ("violations", "unplanned_events", "unplanned_properties")
    shop.apply(shop=block(PLAN, *keys))
    shop.send(
        order("a", **GOOD),
        order("b", **{**GOOD, "at": "2026-03-01", "revenue": 2.5, "coupon": "X", "gift": None}),
        {"type": "identify", "userId": "c", "messageId": "c", "traits": {"plan": "plus"}},
        {"type": "page", "userId": "c", "messageId": "d", "properties": {"x": 1}},
    )
    assert (shop.rejects(), shop.stored()) == ([], ["a", "b", "c", "d"])
    assert {each.flagged for each in shop.events().values()} == {0}


def test_violations_are_counted_and_stored_by_default(shop: Any, order: Order) -> None:
    shop.apply(shop=PLAN)
    shop.send(
        order("a", **{**GOOD, "order_id": "A1", "revenue": "1", "items": 1.5}),
        order("b", **{**GOOD, "order_id": None, "at": "yesterday", "ordr_id": 1}),
        order("c", event="Order Completd"),
        {"type": "identify", "userId": "c", "messageId": "d", "traits": {}},
    )
    assert (shop.rejects(), shop.stored()) == ([], ["a", "b", "c", "d"])
    seen = shop.events()
    assert {name: (each.flagged, each.unplanned) for name, each in seen.items()} == {
        "Order Completed": (2, 0),
        "Order Completd": (1, 1),
        "identify": (1, 0),
    }
    fields = shop.fields("Order Completed")
    assert {name: each.violations for name, each in fields.items() if each.violations} == {
        "order_id": {"wrong_value": 1, "missing": 1},
        "revenue": {"wrong_type": 1},
        "items": {"wrong_type": 1},
        "at": {"wrong_value": 1},
        "ordr_id": {"unplanned": 1},
    }
    plan = shop.fields("identify")["plan"]
    assert (plan.violations, plan.first_seen_at, plan.fill_share) == ({"missing": 1}, None, 0.0)


def test_a_blocked_event_is_a_reject_that_says_what_was_given_and_allowed(
    shop: Any, order: Order
) -> None:
    keys = ("violations", "unplanned_events", "unplanned_properties")
    shop.apply(shop=block(PLAN, *keys))
    shop.send(
        order("a", **{**GOOD, "revenue": "secret"}),
        order("b", **{**GOOD, "order_id": "secret"}),
        order("c", **{name: value for name, value in GOOD.items() if name != "coupon"}),
        order("d", **{**GOOD, "revenu": 1}),
        order("e", event="Order Completd"),
        order("f", event="Something Else"),
        {"type": "identify", "userId": "c", "messageId": "g", "traits": {"plan": 1}},
    )
    assert shop.stored() == []
    about = "Tracking plan 'shop': event 'Order Completed', property"
    told = {each.message_id: (each.code, each.reason, each.index) for each in shop.rejects()}
    assert told == {
        "a": ("schema_violation", f"{about} 'revenue': string given, must be number.", 0),
        "b": ("schema_violation", f"{about} 'order_id': the text does not match '^[0-9]+$'.", 1),
        "c": ("schema_violation", f"{about} 'coupon': missing, and required.", 2),
        "d": (
            "schema_violation",
            f"{about} 'revenu' is not planned. Did you mean 'revenue'?",
            3,
        ),
        "e": (
            "unplanned",
            "Tracking plan 'shop': event 'Order Completd' is not planned. Did you mean "
            "'Order Completed'?",
            4,
        ),
        "f": (
            "unplanned",
            "Tracking plan 'shop': event 'Something Else' is not planned. Add it to the plan, or "
            "do not send it.",
            5,
        ),
        "g": (
            "schema_violation",
            "Tracking plan 'shop': event 'identify', trait 'plan': integer given, must be string.",
            6,
        ),
    }
    assert shop.events()["Order Completed"].blocked == 4
    profiles = shop.stores.state.rows("select count(*) as n from profile")
    assert profiles == [{"n": 0}], "nothing of it reaches profiles"


def test_the_payload_of_a_reject_is_the_message_as_it_was_understood(shop: Any) -> None:
    shop.apply(
        shop='unplanned_events = "block"\nviolations = "block"\n[[events]]\ntype = "group"\n'
        'traits = { size = { type = "integer" } }\n'
    )
    shop.send(
        {"type": "bad"},
        {
            **{"type": "track", "event": "E", "anonymousId": "a1", "messageId": "m"},
            **{"properties": {"n": 12345678901234567890, "é": "ü"}, "context": {"ip": "1.2.3.4"}},
            **{"timestamp": "2026-02-01T10:00:00+01:00"},
        },
        {"type": "group", "userId": "c", "groupId": "g", "messageId": "n", "traits": {"size": "x"}},
    )
    event, group = (each for each in shop.rejects() if each.code != "unknown_type")
    assert (event.index, group.index) == (1, 2)
    assert json.loads(event.payload) == {
        "type": "track",
        "event": "E",
        "anonymousId": "a1",
        "messageId": "m",
        "timestamp": "2026-02-01T09:00:00+00:00",
        "properties": {"n": 12345678901234567890, "é": "ü"},
        "context": {"ip": "1.2.3.4"},
    }
    assert json.loads(group.payload)["groupId"] == "g"


def test_other_sources_are_not_judged(shop: Any, order: Order) -> None:
    shop.apply(shop=block(PLAN, "violations", "unplanned_events"))
    shop.send(order("a", event="Whatever"), source="till")
    shop.send(order("b", event="Message Sent"), source="opportune")
    assert shop.stored() == ["a", "b"]


def test_an_event_in_one_of_several_plans_is_planned(shop: Any, order: Order) -> None:
    every = 'unplanned_events = "block"\nunplanned_properties = "block"\n'
    shop.apply(
        one=every + '[[events]]\nname = "A"\nproperties = { x = {} }\n',
        two=every + '[[events]]\nname = "A"\nproperties = { y = {} }\n[[events]]\nname = "B"\n',
    )
    shop.send(
        order("a", event="A", x=1, y=2),
        order("b", event="B"),
        order("c", event="C"),
        order("d", event="A", z=1),
    )
    assert shop.stored() == ["a", "b"]
    assert [each.message_id for each in shop.rejects()] == ["c", "d"]


def test_a_new_version_of_a_plan_applies_from_then_on(shop: Any, order: Order) -> None:
    shop.send(order("a", event="E"))
    shop.apply(shop=block(PLAN, "unplanned_events"))
    shop.send(order("b", event="E"))
    shop.apply(shop=PLAN)
    shop.send(order("c", event="E"))
    assert shop.stored() == ["a", "c"]
    seen = shop.events()["E"]
    assert (seen.events, seen.blocked, seen.flagged, seen.unplanned) == (2, 1, 1, 2)


def test_a_refused_message_that_is_repeated_is_refused_once(shop: Any, order: Order) -> None:
    shop.apply(shop=block(PLAN, "unplanned_events"))
    shop.send(order("a", event="E"), order("a", event="E"))
    shop.send(order("a", event="E"))
    assert [each.message_id for each in shop.rejects()] == ["a"]
    assert shop.events()["E"].blocked == 1
    shop.apply(shop=PLAN)
    shop.send(order("a", event="E"))
    assert shop.stored() == ["a"], "its sender sent it once more after the fix"


def test_field_names_that_are_paths_elsewhere_are_judged_by_their_values(
    shop: Any, order: Order
) -> None:
    names = ["a/b~c", "$.x", "", 'q"uote', "a.b"]
    fields = "\n".join(
        f'{json.dumps(name)} = {{ type = "string", pattern = "^ok$" }}' for name in names
    )
    shop.apply(
        shop=f'violations = "block"\n[[events]]\nname = "E"\n[events.properties]\n{fields}\n'
    )
    shop.send(order("good", event="E", **dict.fromkeys(names, "ok")))
    shop.send(*[order(f"bad {name}", event="E", **{name: "no"}) for name in names])
    assert shop.stored() == ["good"]
    assert len(shop.rejects()) == len(names)
