from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.activation.connectors.braze import CONNECTOR, decode_currents
from opportune.events.model import Decoded, Event, Reject
from opportune.storage import Frame

TIME = 1_767_636_000


def decode(*events: object) -> Decoded:
    return decode_body(json.dumps({"events": events}).encode())


def decode_body(body: bytes) -> Decoded:
    frame = Frame(received_at_us=1, source_id="braze", kind="currents", body=body)
    return decode_currents(frame)


def currents(
    event_type: str, properties: Mapping[str, object] | None = None, **changes: object
) -> dict[str, object]:
    return {
        "event_type": event_type,
        "id": "e1",
        "time": TIME,
        "user": {"user_id": "5eea769d45bb2e1467418f92", "external_user_id": "c000001"},
        "properties": dict(properties or {}),
    } | changes


def only_event(entry: object) -> Event:
    decoded = decode(entry)
    assert list(decoded.rejects) == []
    assert len(decoded.events) == 1
    return decoded.events[0]


def properties(entry: object) -> dict[str, object]:
    found = json.loads(only_event(entry).properties or "null")
    assert isinstance(found, dict)
    return found


def only_reject(entry: object) -> Reject:
    decoded = decode(entry)
    assert list(decoded.events) == []
    assert len(decoded.rejects) == 1
    return decoded.rejects[0]


def test_a_click_becomes_an_event_that_names_the_decision() -> None:
    entry = currents(
        "users.messages.email.Click",
        {
            "campaign_id": "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10",
            "dispatch_id": "14497aa4b013bf150881547fb3076fd6",
            "url": "https://shop.example/tv?d=win_back%3A20260105%3A01&email=ann%40x.example#top",
            "is_suspected_bot_click": False,
        },
    )
    event = only_event(entry)
    assert event == Event(
        message_id="braze:e1",
        type="track",
        event="Message Clicked",
        user_id="c000001",
        anonymous_id=None,
        occurred_at_us=TIME * 1_000_000,
        properties=event.properties,
        traits=None,
        context=None,
    )
    assert properties(entry) == {
        "campaign_id": "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10",
        "dispatch_id": "14497aa4b013bf150881547fb3076fd6",
        "channel": "email",
        "braze_event_type": "users.messages.email.Click",
        "suspected_bot": False,
        "url": "https://shop.example/tv",
        "decision_id": "win_back:20260105:01",
    }


@pytest.mark.parametrize(
    ("event_type", "name", "channel"),
    [
        ("users.messages.email.Send", "Message Sent By Braze", "email"),
        ("users.messages.pushnotification.Send", "Message Sent By Braze", "push"),
        ("users.messages.sms.Send", "Message Sent By Braze", "sms"),
        ("users.messages.email.Open", "Message Opened", "email"),
        ("users.messages.pushnotification.Open", "Message Opened", "push"),
        ("users.messages.inappmessage.Click", "Message Clicked", "in_app"),
        ("users.messages.contentcard.Click", "Message Clicked", "content_card"),
        ("users.messages.sms.ShortLinkClick", "Message Clicked", "sms"),
        ("users.messages.email.Unsubscribe", "Message Unsubscribed", "email"),
        ("users.messages.email.Bounce", "Message Bounced", "email"),
        ("users.messages.email.SoftBounce", "users.messages.email.SoftBounce", "email"),
        ("users.messages.webhook.Failure", "users.messages.webhook.Failure", "webhook"),
        ("users.campaigns.Conversion", "users.campaigns.Conversion", None),
        ("users.behaviors.app.Click", "users.behaviors.app.Click", None),
        ("something.New", "something.New", None),
    ],
)
def test_a_type_gives_the_name_and_the_channel(
    event_type: str, name: str, channel: str | None
) -> None:
    entry = currents(event_type)
    assert only_event(entry).event == name
    assert properties(entry).get("channel") == channel


@pytest.mark.parametrize(
    ("given_value", "machine"), [("true", True), (True, True), ("false", False), (None, False)]
)
def test_an_open_tells_people_from_machines(given_value: object, machine: bool) -> None:
    entry = currents("users.messages.email.Open", {"machine_open": given_value})
    assert properties(entry)["machine_open"] is machine


@pytest.mark.parametrize(
    ("given_value", "bot"), [(True, True), ("true", True), (False, False), (None, False)]
)
def test_a_click_tells_people_from_scanners(given_value: object, bot: bool) -> None:
    entry = currents("users.messages.email.Click", {"is_suspected_bot_click": given_value})
    assert properties(entry)["suspected_bot"] is bot


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://shop.example/a?x=1", {"url": "https://shop.example/a"}),
        ("https://shop.example/?d=", {"url": "https://shop.example/"}),
        (
            "https://shop.example/?d=one&d=two",
            {"url": "https://shop.example/", "decision_id": "one"},
        ),
        ("https://ann@shop.example/?d=one", {"decision_id": "one"}),
        ("https://shop.example/unsubscribe/ann@x.example?d=one", {"decision_id": "one"}),
        ("https://shop.example/?d=ann@x.example", {"url": "https://shop.example/"}),
        ("https://shop.example/?d=" + "x" * 2000, {"url": "https://shop.example/"}),
        ("https://[broken/?d=one", {}),
        ("https://shop.example/?" + "a=1&" * 200, {}),
        (7, {}),
        (None, {}),
    ],
)
def test_a_link_keeps_its_place_and_our_decision_only(
    url: object, expected: dict[str, object]
) -> None:
    found = properties(currents("users.messages.email.Click", {"url": url}))
    assert {name: found[name] for name in ("url", "decision_id") if name in found} == expected


def test_a_purchase_becomes_an_order() -> None:
    entry = currents(
        "users.behaviors.Purchase",
        {
            "product_id": "tv_bundle",
            "price": 12,
            "currency": "EUR",
            "purchase_properties": {"street": "High Street 1"},
        },
    )
    assert only_event(entry).event == "Order Completed"
    assert properties(entry) == {"product_id": "tv_bundle", "currency": "EUR", "revenue": 12.0}


@pytest.mark.parametrize("price", [None, "12", True, float("inf"), 10**400])
def test_a_purchase_without_a_price_is_refused(price: object) -> None:
    entry = currents("users.behaviors.Purchase", {"product_id": "tv", "price": price})
    reject = only_reject(entry)
    assert reject.code == "invalid_price"
    assert reject.reason == "A purchase needs properties.price, a number."


PERSONAL = {
    "email_address": "ann@x.example",
    "to_phone_number": "+491701234567",
    "user_agent": "Mozilla/5.0 (Ann)",
    "ip": "203.0.113.7",
    "bounce_reason": "550 <ann@x.example> unknown",
    "abort_log": "no address ann@x.example",
    "campaign_name": "for Ann",
    "link_alias": "ann@x.example",
    "custom_properties": {"name": "Ann"},
    "send_id": {"nested": "Ann"},
    "something_new": "Ann",
}
PERSON = {"external_user_id": "c000001", "device_id": "Ann", "timezone": "Ann/Berlin"}


def test_personal_values_are_left_out_of_events() -> None:
    entry = currents("users.messages.email.Bounce", PERSONAL | {"is_drop": True}, user=PERSON)
    assert properties(entry) == {
        "is_drop": True,
        "channel": "email",
        "braze_event_type": "users.messages.email.Bounce",
    }


def test_personal_values_are_left_out_of_rejects() -> None:
    reject = only_reject(currents("users.messages.email.Bounce", PERSONAL, user=PERSON, time=0))
    assert json.loads(reject.payload) == {
        "event_type": "users.messages.email.Bounce",
        "id": "e1",
        "time": 0,
    }
    assert reject.message_id == "braze:e1"


BAD_ID = "id must be a text of 1 to 94 characters."
BAD_TIME = "time must be seconds since 1970, in UTC."
FAR_TIME = "time must lie between 1970 and the year 2100."
NO_USER = "The event has no user.external_user_id: whose is it?"


@pytest.mark.parametrize(
    ("changes", "code", "reason"),
    [
        ({"id": None}, "invalid_id", BAD_ID),
        ({"id": ""}, "invalid_id", BAD_ID),
        ({"id": "x" * 95}, "invalid_id", BAD_ID),
        ({"id": "x\x00"}, "invalid_id", BAD_ID),
        ({"id": "x\ud800"}, "invalid_id", BAD_ID),
        (
            {"event_type": 5},
            "invalid_event_type",
            "event_type must be a text of 1 to 255 characters.",
        ),
        ({"time": None}, "invalid_time", BAD_TIME),
        ({"time": "2026-01-05"}, "invalid_time", BAD_TIME),
        ({"time": True}, "invalid_time", BAD_TIME),
        ({"time": 0}, "invalid_time", FAR_TIME),
        ({"time": float("nan")}, "invalid_time", BAD_TIME),
        ({"time": 10**400}, "invalid_time", BAD_TIME),
        ({"time": TIME * 1000}, "invalid_time", FAR_TIME),
        ({"user": None}, "missing_user", NO_USER),
        ({"user": {"user_id": "5eea"}}, "missing_user", NO_USER),
        ({"user": {"external_user_id": ""}}, "missing_user", NO_USER),
        ({"user": {"external_user_id": 5}}, "missing_user", NO_USER),
        ({"user": {"external_user_id": "c\x00"}}, "missing_user", NO_USER),
    ],
)
def test_a_bad_event_is_refused_with_its_reason(
    changes: dict[str, object], code: str, reason: str
) -> None:
    reject = only_reject(currents("users.messages.email.Open") | changes)
    assert (reject.index, reject.code, reject.reason) == (0, code, reason)


def test_texts_and_numbers_that_no_store_can_hold_are_left_out() -> None:
    given_properties = {"name": "a\x00", "link_id": "\ud800", "product_id": 10**400}
    found = properties(currents("users.behaviors.CustomEvent", given_properties))
    assert found == {}


def test_a_bad_event_does_not_harm_its_neighbours() -> None:
    good = currents("users.messages.email.Open")
    decoded = decode(good, "text", good | {"id": "e2"})
    assert [event.message_id for event in decoded.events] == ["braze:e1", "braze:e2"]
    assert list(decoded.rejects) == [
        Reject(
            index=1,
            message_id=None,
            code="invalid_event",
            reason="An event must be an object.",
            payload="{}",
        )
    ]


def test_an_empty_list_is_nothing_and_no_mistake() -> None:
    decoded = decode()
    assert (list(decoded.events), list(decoded.rejects)) == ([], [])


@pytest.mark.parametrize(
    ("body", "code", "reason"),
    [
        (b"", "invalid_json", "The body is not JSON; Braze posts an object."),
        (b"\xff", "invalid_json", "The body is not JSON; Braze posts an object."),
        (b'{"events":[', "invalid_json", "The body is not JSON; Braze posts an object."),
        (b"[" * 99_999, "invalid_json", "The body is not JSON; Braze posts an object."),
        (b"[]", "invalid_batch", 'The body must be an object with a list "events".'),
        (b'{"events":{}}', "invalid_batch", 'The body must be an object with a list "events".'),
    ],
)
def test_a_body_that_is_no_batch_is_one_reject(body: bytes, code: str, reason: str) -> None:
    decoded = decode_body(body)
    assert list(decoded.events) == []
    expected = Reject(index=-1, message_id=None, code=code, reason=reason, payload="{}")
    assert list(decoded.rejects) == [expected]


def test_times_with_fractions_keep_their_microseconds() -> None:
    entry = currents("users.messages.email.Open", time=TIME + 0.25)
    assert only_event(entry).occurred_at_us == TIME * 1_000_000 + 250_000


def test_the_connector_decodes_the_same() -> None:
    body = json.dumps({"events": [currents("users.messages.email.Open")]}).encode()
    frame = Frame(received_at_us=1, source_id="braze", kind="currents", body=body)
    assert CONNECTOR.decode(frame) == decode_currents(frame)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
entries = values | st.fixed_dictionaries(
    {},
    optional={
        "event_type": values
        | st.sampled_from(["users.behaviors.Purchase", "users.messages.x.Click"]),
        "id": values,
        "time": values | st.just(TIME),
        "user": values | st.fixed_dictionaries({"external_user_id": values}),
        "properties": values | st.fixed_dictionaries({"url": values, "price": values}),
    },
)


@given(st.lists(entries, max_size=4))
def test_every_entry_becomes_one_event_or_one_reject(given_entries: list[object]) -> None:
    decoded = decode(*given_entries)
    assert len(decoded.events) + len(decoded.rejects) == len(given_entries)


@given(st.binary(max_size=50))
def test_no_body_stops_the_decoder(body: bytes) -> None:
    decoded = decode_body(body)
    assert len(decoded.rejects) == 1
