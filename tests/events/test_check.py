"""What the collector asks before it answers: the same refusals as behind the log, only faster."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.events import (
    LIMITS,
    EmptyBatch,
    Limits,
    MalformedBody,
    check_segment,
    decode_segment,
)
from opportune.events.message import TYPES, is_sound
from opportune.storage import Frame

Make = Callable[..., Frame]
Captured = Callable[[str], list[dict[str, Any]]]

# Small, so that a generated message is as likely to keep them as to break them.
SMALL = Limits(message_bytes=400, messages=3, fields=4, message_id=5, group_id=5)
IDS = st.sampled_from(["", "c1", "é" * 500, "é" * 501, "12345", "123456"])
ANY = st.one_of(IDS, st.none(), st.integers(), st.booleans(), st.just([]), st.just({}))
OBJECTS = st.one_of(
    ANY, st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from([1, "x" * 90, {"y": None}]))
)
TIMES = st.sampled_from(["2026-01-15T09:30:00Z", "2026-01-15", "2026-01-15T09:30:00z", "x", 5])
MESSAGES = st.one_of(
    ANY,
    st.fixed_dictionaries(
        {"type": st.one_of(st.sampled_from(TYPES), ANY), "userId": IDS},
        optional={
            **dict.fromkeys(("anonymousId", "messageId", "event", "groupId", "previousId"), ANY),
            **dict.fromkeys(("name", "category", "sentAt", "unknown"), ANY),
            **dict.fromkeys(("properties", "traits", "context"), OBJECTS),
            "timestamp": st.one_of(TIMES, st.none()),
        },
    ),
)


def make(messages: list[object]) -> Frame:
    body = json.dumps({"batch": messages}).encode()
    return Frame(received_at_us=10**15, source_id="shop", kind="batch", body=body)


@given(messages=st.lists(MESSAGES, min_size=1, max_size=5), limits=st.sampled_from([SMALL, LIMITS]))
def test_the_quick_answer_names_the_rejects_of_the_whole_decoding(
    messages: list[object], limits: Limits
) -> None:
    frame = make(messages)
    assert check_segment(frame, limits=limits) == decode_segment(frame, limits=limits).rejects


@pytest.mark.parametrize("field", ["sentAt", "groupId", "previousId", "name", "integrations"])
def test_a_number_that_no_reader_can_hold_is_refused_by_both_or_by_none(field: str) -> None:
    body = f'{{"batch":[{{"type":"identify","userId":"c1","{field}":1e999}}]}}'.encode()
    frame = Frame(received_at_us=0, source_id="shop", kind="batch", body=body)
    assert check_segment(frame) == decode_segment(frame).rejects


@pytest.mark.parametrize("kind", ["batch", "track"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"5", b"[" * 5000, b'"\xff"'])
def test_what_cannot_be_read_is_refused_by_both(frame: Make, kind: str, body: bytes) -> None:
    for ask in (check_segment, decode_segment):
        with pytest.raises(MalformedBody):
            ask(frame(body, kind=kind))


def test_an_empty_batch_is_refused_by_the_quick_check(frame: Make) -> None:
    with pytest.raises(EmptyBatch):
        check_segment(frame({"batch": []}))


@pytest.mark.parametrize("kind", TYPES)
def test_a_single_call_without_an_identifier_is_rejected(frame: Make, kind: str) -> None:
    (reject,) = check_segment(frame({"event": "e"}, kind=kind))
    assert (reject.index, reject.code) == (0, "no_user_anon_id")


def test_nothing_slow_is_asked_of_the_messages_of_real_clients(
    frame: Make, captured: Captured
) -> None:
    frequent = ("identify", "page", "screen", "track")
    for name in ("segpy_plain", "rudpy_plain", "segnode", "browser_batch"):
        for request in captured(name):
            sound = [
                is_sound(json.dumps(message).encode(), LIMITS)
                for message in request["body"]["batch"]
                if message["type"] in frequent
            ]
            assert sound == [True] * len(sound)
            assert check_segment(frame(request["body"])) == []


@pytest.mark.parametrize(("count", "sound"), [(300, True), (301, False)])
@pytest.mark.parametrize("field", ["properties", "traits"])
def test_fields_are_counted_by_the_quick_check(field: str, count: int, sound: bool) -> None:
    message = {"type": "identify", "userId": "c1", field: {str(n): n for n in range(count)}}
    assert is_sound(json.dumps(message).encode(), LIMITS) is sound
