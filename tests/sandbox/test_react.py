"""The customers live through a day: what is posted, when, under which ids, and that it repeats."""

from __future__ import annotations

import socket
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from opportune.sandbox.people import braze_id
from opportune.simulate import internet_provider

DAY = "2026-01-02"
STARTS = datetime(2026, 1, 2, tzinfo=UTC)
OFFERS = ("speed_upgrade", "tv_bundle", "mobile_sim", "loyalty_discount", "newsletter")
CHANNELS = ("email", "push", "sms")
HOURS = ("09", "13", "18", "20")
CUSTOMERS = 400


def properties(number: int) -> dict[str, str]:
    return {
        "offer": OFFERS[number % 5],
        "channel": CHANNELS[number % 3],
        "hour": HOURS[number % 4],
        "decision_id": f"d-{number}",
    }


def filled(start: Any, collector: Any, **changes: Any) -> Any:
    """Three of four customers got a message on the day."""
    client = start(events_url=collector.url, **changes)
    client.post("/_sandbox/clock", {"now": f"{DAY}T06:00:00Z"})
    numbers = [number for number in range(1, CUSTOMERS + 1) if number % 4]
    for at in range(0, len(numbers), 50):
        client.send(
            *(
                {"external_user_id": f"c{n:06d}", "trigger_properties": properties(n)}
                for n in numbers[at : at + 50]
            )
        )
    return client


def react(client: Any, day: str = DAY) -> dict[str, int]:
    answer = client.post("/_sandbox/react", {"day": day})
    assert answer.status == 200, answer.text
    counts: dict[str, int] = answer.json
    return counts


def test_every_message_is_sent_and_every_order_is_the_one_the_market_says(
    start: Any, collector: Any
) -> None:
    client = filled(start, collector)
    counts = react(client)
    market = internet_provider(customers=CUSTOMERS, seed=1)
    rows = np.arange(CUSTOMERS)
    reached = (rows + 1) % 4 != 0
    actions = np.column_stack([(rows + 1) % 5, (rows + 1) % 3, (rows + 1) % 4]).astype(np.int16)
    expected = market.orders(date(2026, 1, 2).toordinal(), rows, actions, reached)
    assert counts == {"orders": len(expected.position), "engagement": len(collector.engagement)}
    assert sorted(call["userId"] for call in collector.orders) == sorted(
        market.user_ids[expected.position].tolist()
    )
    revenue = sum(call["properties"]["revenue"] for call in collector.orders)
    assert round(revenue * 100) == expected.revenue_cents.sum()
    kinds = Counter(event["event_type"] for event in collector.engagement)
    assert sum(count for kind, count in kinds.items() if kind.endswith(".Send")) == 300
    assert {kind.rsplit(".", 1)[0] for kind in kinds} == {
        "users.messages.email",
        "users.messages.pushnotification",
        "users.messages.sms",
    }


def test_orders_are_segment_calls_with_the_decision_only_when_it_led_there(
    start: Any, collector: Any
) -> None:
    react(filled(start, collector))
    linked = 0
    for call in collector.orders:
        user, number = call["userId"], int(call["userId"][1:])
        assert (call["type"], call["event"]) == ("track", "Order Completed")
        assert call["messageId"] == f"order-o-20260102-{user}"
        assert call["properties"]["order_id"] == f"o-20260102-{user}"
        assert call["properties"]["currency"] == "EUR"
        at = datetime.fromisoformat(call["timestamp"])
        assert STARTS + timedelta(hours=9) <= at < STARTS + timedelta(hours=20 + 47)
        if "decision_id" in call["properties"]:
            linked += 1
            assert number % 4 != 0
            assert call["properties"]["decision_id"] == f"d-{number}"
            assert at >= STARTS + timedelta(hours=int(HOURS[number % 4]))
    assert 0 < linked < len(collector.orders)
    assert all("sentAt" not in body for body in collector.bodies("/v1/batch"))


def test_engagement_follows_the_message_in_time_and_names_its_dispatch(
    start: Any, collector: Any
) -> None:
    client = filled(start, collector)
    react(client)
    calls = client.get("/_sandbox/journal").json["calls"]
    dispatch_ids = {m["external_user_id"]: c["dispatch_id"] for c in calls for m in c["messages"]}
    sends = [one for one in collector.engagement if one["event_type"].endswith(".Send")]
    sent_at = {one["user"]["external_user_id"]: one["time"] for one in sends}
    assert len(sends) == len(sent_at) == 300
    for event in collector.engagement:
        user = event["user"]["external_user_id"]
        hour = timedelta(hours=int(HOURS[int(user[1:]) % 4]))
        assert sent_at[user] == int((STARTS + hour).timestamp())
        assert event["time"] >= sent_at[user]
        assert event["user"]["user_id"] == braze_id(user)
        assert event["properties"]["dispatch_id"] == dispatch_ids[user]


def test_a_click_leads_to_the_offer_with_the_decision_id(start: Any, collector: Any) -> None:
    react(filled(start, collector))
    clicks = [one for one in collector.engagement if one["event_type"].endswith("Click")]
    numbers = [int(one["user"]["external_user_id"][1:]) for one in clicks]
    assert len(clicks) > 0
    assert [one["properties"]["url"] for one in clicks] == [
        f"https://shop.example/{properties(number)['offer']}?d=d-{number}" for number in numbers
    ]


def test_both_posts_carry_their_keys_and_at_most_a_hundred_entries(
    start: Any, collector: Any
) -> None:
    react(filled(start, collector))
    headers = {path: headers for path, headers, _ in collector.posts}
    currents = headers["/api/connectors/braze/currents"]
    assert currents["authorization"] == "Bearer currents-key"
    assert currents["braze-currents-version"] == "1"
    assert headers["/v1/batch"]["authorization"] == "Basic c2hvcC1rZXk6"
    sizes = [len(body["events"]) for body in collector.bodies("/api/connectors/braze/currents")]
    assert max(sizes) == 100


def test_living_through_a_day_again_posts_the_same_again(start: Any, collector: Any) -> None:
    client = filled(start, collector)
    first = react(client)
    before = (collector.engagement, collector.orders)
    collector.posts.clear()
    assert react(client) == first
    for earlier, later in zip(before, (collector.engagement, collector.orders), strict=True):
        assert sorted(map(str, earlier)) == sorted(map(str, later))
    ids = [event["id"] for event in collector.engagement]
    assert len(set(ids)) == len(ids)


def test_another_day_has_other_orders_and_no_engagement(start: Any, collector: Any) -> None:
    client = filled(start, collector)
    react(client)
    orders = {call["messageId"] for call in collector.orders}
    collector.posts.clear()
    assert react(client, "2026-01-03")["engagement"] == 0
    assert not orders & {call["messageId"] for call in collector.orders}
    assert all("decision_id" not in call["properties"] for call in collector.orders)


def test_a_message_without_a_known_action_sells_like_no_message(start: Any, collector: Any) -> None:
    client = start(events_url=collector.url)
    base = react(client, "2026-01-01")
    silent = sorted(map(str, collector.orders))
    collector.posts.clear()
    odd = [
        {"offer": "free_beer", "channel": "email", "hour": "09"},
        {"offer": "tv_bundle", "channel": "email"},
        {"offer": ["tv_bundle"], "channel": "email", "hour": "09"},
    ]
    for at in range(0, CUSTOMERS, 50):
        client.send(
            *(
                {"external_user_id": f"c{n:06d}", "trigger_properties": odd[n % 3]}
                for n in range(at + 1, at + 51)
            )
        )
    assert react(client, "2026-01-01")["orders"] == base["orders"]
    assert sorted(map(str, collector.orders)) == silent
    assert client.get("/_sandbox/sends").json["sends"] == CUSTOMERS


def test_of_two_messages_a_day_both_are_sent_and_the_last_one_counts(
    start: Any, collector: Any
) -> None:
    client = start(events_url=collector.url)
    for offer in ("newsletter", "tv_bundle"):
        for at in range(0, CUSTOMERS, 50):
            chosen = {"offer": offer, "channel": "email", "hour": "09", "decision_id": offer}
            client.send(
                *(
                    {"external_user_id": f"c{n:06d}", "trigger_properties": chosen}
                    for n in range(at + 1, at + 51)
                )
            )
    react(client, "2026-01-01")
    kinds = Counter(event["event_type"] for event in collector.engagement)
    assert kinds["users.messages.email.Send"] == 2 * CUSTOMERS
    urls = {e["properties"]["url"] for e in collector.engagement if "url" in e["properties"]}
    assert urls == {"https://shop.example/tv_bundle?d=tv_bundle"}
    sends = client.get("/_sandbox/sends?day=2026-01-01").json
    assert (sends["most_per_customer_and_day"], sends["customers"]) == (2, CUSTOMERS)


def test_created_users_get_messages_and_do_nothing(start: Any, collector: Any) -> None:
    client = start(events_url=collector.url)
    client.send({"external_user_id": "new", "send_to_existing_only": False, "attributes": {}})
    assert react(client, "2026-01-01")["engagement"] == 0


def test_engagement_sticks_to_the_profile(start: Any, collector: Any) -> None:
    client = filled(start, collector)
    react(client)
    buyers = [call["userId"] for call in collector.orders if int(call["userId"][1:]) % 4]
    assert {client.received(user)[0]["converted"] for user in buyers} == {True}
    opened = {
        event["user"]["external_user_id"]
        for event in collector.engagement
        if event["event_type"] == "users.messages.email.Open"
    }
    assert {client.received(user)[0]["engaged"]["opened_email"] for user in opened} == {True}
    client.post("/_sandbox/clock", {"now": "2026-01-04T06:00:00Z"})
    react(client, "2026-01-03")
    assert {client.received(user)[0]["engaged"]["opened_email"] for user in opened} == {True}


def test_what_the_collector_could_not_take_is_posted_again(start: Any, collector: Any) -> None:
    client = filled(start, collector)
    collector.statuses = [503, 429, 500]
    counts = react(client)
    assert len(collector.orders) == counts["orders"]
    assert len(collector.engagement) == counts["engagement"]
    assert collector.tries == len(collector.posts) + 3


def test_a_collector_that_refuses_ends_it_with_a_reason(start: Any, collector: Any) -> None:
    client = filled(start, collector)
    collector.statuses = [401] * 50
    answer = client.post("/_sandbox/react", {"day": DAY})
    assert answer.status == 503
    assert answer.json["code"] == "events_refused"
    assert "answered 401; check events_url and its keys" in answer.json["message"]


def test_patience_with_a_collector_that_cannot_ends(start: Any, collector: Any) -> None:
    collector.statuses = [503] * 1000
    client = start(events_url=collector.url, post_patience_s=0.1)
    answer = client.post("/_sandbox/react", {"day": DAY})
    assert answer.status == 503
    assert "answered 503 for 0.1 s; start it, then react again" in answer.json["message"]


def test_patience_with_a_collector_that_is_not_there_ends(start: Any) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # taken, and nobody listens
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        client = start(events_url=url, post_patience_s=0.1)
        answer = client.post("/_sandbox/react", {"day": DAY})
    assert answer.status == 503
    assert "could not be reached for 0.1 s" in answer.json["message"]
    assert client.get("/_sandbox/sends").status == 200


def test_without_an_address_the_day_is_only_counted(start: Any) -> None:
    counts = react(start())
    assert counts["orders"] > 0
    assert counts["engagement"] == 0


def test_an_address_may_have_a_path(start: Any, collector: Any) -> None:
    react(start(events_url=f"{collector.url}/behind/"))
    assert {path for path, _, _ in collector.posts} == {"/behind/v1/batch"}
