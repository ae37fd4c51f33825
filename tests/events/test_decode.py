"""What the rules of the tracking protocol make of a request."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.events import (
    EmptyBatch,
    Event,
    Limits,
    MalformedBody,
    decode_segment,
)
from opportune.storage import Frame

Make = Callable[..., Frame]
Captured = Callable[[str], list[dict[str, Any]]]


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)


RECEIVED_US = us("2026-11-21T19:13:11Z")


def track(**fields: object) -> dict[str, object]:
    base = {"type": "track", "userId": "c1", "event": "Order Completed", "messageId": "m1"}
    return {**base, **fields}


def test_a_track_message_becomes_an_event(frame: Make) -> None:
    message = track(
        anonymousId=None,
        timestamp="2026-11-21T19:00:00.5+00:00",
        properties={"revenue": 19.99},
        context={"ip": "203.0.113.9"},
        integrations={"All": True},
        channel="server",
        _metadata={"nodeVersion": "v20"},
        name=5,
    )
    decoded = decode_segment(frame({"batch": [message]}))
    assert decoded.rejects == []
    assert decoded.events == [
        Event(
            message_id="m1",
            type="track",
            event="Order Completed",
            user_id="c1",
            anonymous_id=None,
            occurred_at_us=us("2026-11-21T19:00:00.5Z"),
            properties='{"revenue": 19.99}',
            traits=None,
            context='{"ip": "203.0.113.9"}',
        )
    ]


def test_a_single_call_takes_its_type_from_its_path(frame: Make) -> None:
    body = {"type": "track", "userId": "c1", "messageId": "m1", "traits": {"plan": "gold"}}
    (event,) = decode_segment(frame(body, kind="identify")).events
    assert (event.type, event.event, event.traits) == ("identify", None, '{"plan": "gold"}')


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"type": None}, "unknown_type"),
        ({"type": "import"}, "unknown_type"),
        ({"type": 3}, "unknown_type"),
        ({"type": ["track"]}, "unknown_type"),
        ({"userId": None}, "no_user_anon_id"),
        ({"userId": "", "anonymousId": ""}, "no_user_anon_id"),
        ({"userId": 7}, "id_not_string"),
        ({"anonymousId": {"a": 1}}, "id_not_string"),
        ({"messageId": 5}, "message_id_not_string"),
        ({"messageId": "m" * 101}, "message_id_too_long"),
        ({"event": None}, "event_not_defined"),
        ({"event": ""}, "event_not_defined"),
        ({"event": 5}, "event_not_string"),
        ({"properties": [1]}, "properties_not_object"),
        ({"properties": "x"}, "properties_not_object"),
        ({"properties": {str(n): n for n in range(301)}}, "too_many_fields"),
        ({"traits": False}, "traits_not_object"),
        ({"context": 0}, "context_not_object"),
        ({"timestamp": "yesterday"}, "timestamp_invalid"),
        ({"timestamp": 1700000000}, "timestamp_invalid"),
        ({"properties": {"text": "x" * 33_000}}, "message_too_large"),
        ({"type": "page", "name": 4}, "name_not_string"),
        ({"type": "screen", "category": []}, "category_not_string"),
        ({"type": "group"}, "id_required"),
        ({"type": "group", "groupId": 5}, "id_not_string"),
        ({"type": "group", "groupId": "g" * 501}, "id_too_long"),
        ({"type": "alias"}, "id_required"),
        ({"type": "alias", "previousId": "p", "userId": None, "anonymousId": "a"}, "id_required"),
        ({"type": "alias", "previousId": 5}, "id_not_string"),
    ],
)
def test_a_message_that_breaks_a_rule_is_rejected_alone(
    frame: Make, fields: dict[str, object], code: str
) -> None:
    messages = [track(messageId="before"), track(**fields), track(messageId="after")]
    decoded = decode_segment(frame({"batch": messages}))
    assert [event.message_id for event in decoded.events] == ["before", "after"]
    (reject,) = decoded.rejects
    assert (reject.index, reject.code) == (1, code)
    assert reject.reason.endswith(".")
    assert json.dumps(messages[1]).startswith(reject.payload)
    given_id = messages[1]["messageId"]
    assert reject.message_id == (given_id if given_id == "m1" else None)


@pytest.mark.parametrize("message", [5, "text", None, ["a"], True])
def test_a_message_that_is_no_object_is_rejected(frame: Make, message: object) -> None:
    (reject,) = decode_segment(frame({"batch": [message]})).rejects
    assert (reject.code, reject.payload) == ("message_not_object", json.dumps(message))


def test_a_reject_keeps_no_write_key(frame: Make) -> None:
    message = {"type": "track", "messageId": "m1", "writeKey": "SECRET", "event": "x"}
    (reject,) = decode_segment(frame({"batch": [message]})).rejects
    assert reject.payload == '{"type":"track","messageId":"m1","event":"x"}'
    assert reject.message_id == "m1"


def test_messages_beyond_the_limit_are_rejected(frame: Make) -> None:
    messages = [track(messageId=f"m{n}") for n in range(4)]
    decoded = decode_segment(frame({"batch": messages}), limits=Limits(messages=3))
    assert [event.message_id for event in decoded.events] == ["m0", "m1", "m2"]
    assert [(r.index, r.message_id, r.code) for r in decoded.rejects] == [
        (3, "m3", "too_many_messages")
    ]


def test_as_many_fields_as_allowed_are_taken(frame: Make) -> None:
    message = track(properties={str(n): n for n in range(300)})
    assert len(decode_segment(frame({"batch": [message]})).events) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b'{"batch": {}}',
        b'{"batch": [{"type": "track"}',
        b'{"batch": [{"a": NaN}]}',
        b'{"batch": [{"a": "\xff"}]}',
        b'{"batch": [{"a": "\x01"}]}',
        b'{"batch": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_a_body_that_cannot_be_read_is_refused_as_a_whole(frame: Make, body: bytes) -> None:
    with pytest.raises(MalformedBody):
        decode_segment(frame(body))


def test_a_single_message_that_is_no_object_is_refused(frame: Make) -> None:
    with pytest.raises(MalformedBody):
        decode_segment(frame(b"[]", kind="track"))


def test_an_empty_batch_is_refused(frame: Make) -> None:
    with pytest.raises(EmptyBatch):
        decode_segment(frame({"batch": []}))


@given(body=st.binary(max_size=60) | st.text(alphabet='{}[]":,batch\\u0d8', max_size=60))
def test_any_bytes_are_decoded_or_refused(body: bytes | str) -> None:
    data = body.encode() if isinstance(body, str) else body
    for prefix, suffix in ((b"", b""), (b'{"batch":[', b"]}"), (b'{"batch":[{"a":"', b'"}]}')):
        made = Frame(received_at_us=0, source_id="s", kind="batch", body=prefix + data + suffix)
        try:
            decoded = decode_segment(made)
        except (MalformedBody, EmptyBatch):
            continue
        assert decoded.events or decoded.rejects


def test_half_characters_and_nul_are_replaced_and_whole_ones_kept(frame: Make) -> None:
    # JavaScript cuts emoji in half; neither a half nor NUL fits into a database.
    body = rb"""{"batch":[{"type":"track","userId":"c1\ud83d","event":"a\u0000b",
        "properties":{"whole":"\ud83d\ude00","half":"\ude00.","literal":"\\ud83d \\u0000"}}]}"""
    (event,) = decode_segment(frame(body)).events
    assert (event.user_id, event.event) == ("c1\ufffd", "a\ufffdb")
    assert event.properties is not None
    properties = json.loads(event.properties)
    assert properties == {"whole": "😀", "half": "\ufffd.", "literal": r"\ud83d \u0000"}


@pytest.mark.parametrize(
    ("timestamp", "sent_at", "expected"),
    [
        # The phone's clock is ten minutes fast; it sends five seconds after the event.
        ("2026-11-21T19:23:00Z", "2026-11-21T19:23:05Z", "2026-11-21T19:13:06Z"),
        ("2026-11-21T19:03:00Z", "2026-11-21T19:03:05Z", "2026-11-21T19:13:06Z"),
        ("2026-01-01T08:00:00+02:00", None, "2026-01-01T06:00:00Z"),
        ("2026-01-01T08:00:00", None, "2026-01-01T08:00:00Z"),
        ("2026-01-01", None, "2026-01-01T00:00:00Z"),
        (None, None, "2026-11-21T19:13:11Z"),
        (None, "2026-11-21T19:23:05Z", "2026-11-21T19:13:11Z"),
        ("2027-01-01T00:00:00Z", None, "2026-11-21T19:13:11Z"),
        ("2026-11-21T19:20:00Z", "2026-11-21T19:10:00Z", "2026-11-21T19:13:11Z"),
        ("2026-01-01T00:00:00Z", "nonsense", "2026-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "0001-01-01T00:00:00Z"),
    ],
)
def test_the_time_is_corrected_for_the_clients_clock(
    frame: Make, timestamp: str | None, sent_at: str | None, expected: str
) -> None:
    expected_at = datetime.fromisoformat(expected)
    for body, kind in (
        ({"batch": [track(timestamp=timestamp)], "sentAt": sent_at}, "batch"),
        ({"batch": [track(timestamp=timestamp, sentAt=sent_at)]}, "batch"),
        (track(timestamp=timestamp, sentAt=sent_at), "track"),
    ):
        (event,) = decode_segment(frame(body, kind=kind)).events
        since = expected_at - datetime(1970, 1, 1, tzinfo=UTC)
        assert event.occurred_at_us == since.days * 86_400_000_000 + since.seconds * 1_000_000


@pytest.mark.parametrize("timestamp", ["2026-01-01T08:00:00", "2026-01-01"])
def test_a_time_without_an_offset_is_taken_as_utc_and_the_context_says_so(
    frame: Make, timestamp: str
) -> None:
    contexts = [None, {"ip": "own"}, {"opportune": {"assumed_utc": False}, "ip": "own"}]
    messages = [track(timestamp=timestamp, context=context) for context in contexts]
    events = decode_segment(frame({"batch": messages})).events
    assumed = {"opportune": {"assumed_utc": True}}
    assert [json.loads(event.context or "") for event in events] == [
        assumed,
        {"ip": "own", **assumed},
        {"ip": "own", **assumed},
    ]
    assert {event.occurred_at_us for event in events} <= {
        us("2026-01-01T08:00:00Z"),
        us("2026-01-01T00:00:00Z"),
    }


@pytest.mark.parametrize("timestamp", [None, "2026-01-01T08:00:00Z", "2026-01-01T08:00:00+02:00"])
def test_a_time_with_an_offset_says_nothing_of_it(frame: Make, timestamp: str | None) -> None:
    (event,) = decode_segment(frame({"batch": [track(timestamp=timestamp)]})).events
    assert event.context is None


def test_traits_of_the_context_are_found_where_the_time_has_no_offset(frame: Make) -> None:
    context = {"traits": {"plan": "gold"}}
    message = track(type="identify", context=context, timestamp="2026-01-01")
    (event,) = decode_segment(frame({"batch": [message]})).events
    assert event.traits == '{"plan": "gold"}'


def test_an_identify_that_is_no_sign_of_life_keeps_that_in_its_context(frame: Make) -> None:
    message = track(type="identify", traits={"plan": None}, context={"active": False})
    (event,) = decode_segment(frame({"batch": [message]})).events
    assert (event.traits, event.context) == ('{"plan": null}', '{"active": false}')


def test_traits_of_a_group_that_are_null_stay_null(frame: Make) -> None:
    message = track(type="group", groupId="g1", traits={"size": None, "name": "x"})
    (event,) = decode_segment(frame({"batch": [message]})).events
    assert event.traits == '{"size": null, "name": "x"}'


def test_messages_may_arrive_in_any_order(frame: Make) -> None:
    times = ["2026-11-21T19:10:00Z", "2026-11-21T19:09:00Z", "2026-11-21T19:11:00Z"]
    messages = [track(timestamp=time, messageId=time) for time in times]
    events = decode_segment(frame({"batch": messages})).events
    assert [event.occurred_at_us for event in events] == [us(time) for time in times]


def test_a_message_without_an_id_gets_the_same_one_at_each_reading(frame: Make) -> None:
    body = {"batch": [track(messageId=None), track(messageId="")]}
    ids = [
        [e.message_id for e in decode_segment(frame(body, segment="1.log", offset=at)).events]
        for at in (8, 8, 9)
    ]
    assert ids[0] == ids[1]
    assert len({*ids[0], *ids[2]}) == 4
    assert all(len(each) == 37 and each.startswith("made-") for each in ids[0])


def test_the_context_of_the_batch_is_joined_and_the_messages_own_wins(frame: Make) -> None:
    messages = [track(), track(context={"ip": "own", "x": 1}), track(context=None)]
    body = {"batch": messages, "context": {"ip": "shared", "locale": "de"}}
    contexts = [e.context for e in decode_segment(frame(body)).events]
    assert [json.loads(context or "") for context in contexts] == [
        {"ip": "shared", "locale": "de"},
        {"ip": "own", "locale": "de", "x": 1},
        {"ip": "shared", "locale": "de"},
    ]


def test_identify_takes_the_traits_of_its_context_only_when_it_has_none(frame: Make) -> None:
    context = {"traits": {"plan": "gold"}}
    messages = [
        track(type="identify", context=context),
        track(type="identify", context=context, traits=None),
        track(type="identify", context=context, traits={}),
        track(type="identify", context={"traits": 5}),
        track(type="identify"),
        track(context=context),
    ]
    events = decode_segment(frame({"batch": messages})).events
    gold = '{"plan": "gold"}'
    assert [event.traits for event in events] == [gold, gold, "{}", None, None, None]


def test_what_other_types_say_of_themselves_is_among_their_properties(frame: Make) -> None:
    messages = [
        track(type="page", name="Home", category="Docs", properties={"name": "own", "a": 1}),
        track(type="screen", name="Home"),
        track(type="page"),
        track(type="group", groupId="g1", traits={"size": 3}),
        track(type="alias", previousId="p1"),
    ]
    events = decode_segment(frame({"batch": messages})).events
    assert [json.loads(event.properties or "null") for event in events] == [
        {"name": "own", "category": "Docs", "a": 1},
        {"name": "Home"},
        None,
        {"groupId": "g1"},
        {"previousId": "p1"},
    ]
    assert [event.event for event in events] == [None] * 5
    assert events[3].traits == '{"size": 3}'


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("segpy_plain", "identify track track page screen group alias track"),
        ("segpy_gzip", "identify track track page screen group alias track"),
        ("segpy_sync", "identify track track page screen group alias track"),
        ("rudpy_plain", "identify track track page screen group alias"),
        ("rudpy_gzip", "identify track track page screen group alias"),
        ("rudpy_sync", "identify track track page screen group alias"),
        ("rudpy_module", "track"),
        ("segnode", "identify track track page screen group alias"),
        ("browser_batch", "page track identify track group alias"),
    ],
)
def test_every_message_of_real_clients_is_accepted(
    frame: Make, captured: Captured, name: str, types: str
) -> None:
    decoded = [decode_segment(frame(request["body"])) for request in captured(name)]
    events = [event for each in decoded for event in each.events]
    assert [reject for each in decoded for reject in each.rejects] == []
    assert " ".join(event.type for event in events) == types
    assert len({event.message_id for event in events}) == len(events)
    for event in events:
        assert event.user_id or event.anonymous_id
        assert event.occurred_at_us <= RECEIVED_US
        if event.type == "identify":
            assert "email" in json.loads(event.traits or "")


def test_every_single_call_of_the_browser_library_is_accepted(
    frame: Make, captured: Captured
) -> None:
    kinds = {"p": "page", "t": "track", "i": "identify", "g": "group", "a": "alias", "s": "screen"}
    for request in captured("browser_std"):
        kind = kinds[request["path"].rsplit("/", 1)[1]]
        decoded = decode_segment(frame(request["body"], kind=kind))
        assert [event.type for event in decoded.events] == [kind]
