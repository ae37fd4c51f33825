"""JSON lines of messages: what each becomes, and what is no message."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from opportune.events import LIMITS, history

ORDER = {
    "type": "track",
    "event": "Order Completed",
    "userId": "c1",
    "messageId": "m1",
    "timestamp": "2024-03-01T10:00:00.000Z",
    "properties": {"revenue": 12.5},
}


def lines(*messages: Any) -> str:
    return "".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in messages)


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def taken(desk: Any, *messages: Any) -> history.Imported:
    found: history.Imported = desk.enter(
        desk.request(desk.file(lines(*messages), name="events.jsonl"), None)
    )
    return found


def test_messages_keep_id_time_and_content(desk: Any) -> None:
    found = taken(desk, ORDER, "", {**ORDER, "messageId": "m2", "type": "identify"})
    assert found.tally.messages == {"track": {"Order Completed": 1}, "identify": {"": 1}}
    first = next(each for each in desk.events() if each.message_id == "m1")
    assert (first.user_id, first.properties) == ("c1", '{"revenue": 12.5}')
    assert first.occurred_at_us == us("2024-03-01T10:00:00")
    assert history.is_history(first)


def test_times_of_an_export_are_not_corrected_for_a_clock(desk: Any) -> None:
    """The export was corrected when it was received; what `sentAt` says is long past."""
    taken(desk, {**ORDER, "sentAt": "2024-03-01T10:00:05Z", "receivedAt": "2024-03-01T10:00:06Z"})
    assert [each.occurred_at_us for each in desk.events()] == [us("2024-03-01T10:00:00")]


@pytest.mark.parametrize("name", ["originalTimestamp", "receivedAt", "sentAt"])
def test_another_time_of_the_export_will_do(desk: Any, name: str) -> None:
    taken(desk, {**ORDER, "timestamp": None, name: "2023-01-01T00:00:00Z"})
    assert [each.occurred_at_us for each in desk.events()] == [us("2023-01-01T00:00:00")]


def test_a_context_of_its_own_stays_beside_the_mark(desk: Any) -> None:
    found = taken(desk, {**ORDER, "context": {"locale": "de"}})
    (event,) = desk.events()
    assert json.loads(event.context or "") == {
        "import": {"id": found.import_id, "file": "events.jsonl"},
        "locale": "de",
    }


def test_a_write_key_does_not_get_into_the_log(desk: Any) -> None:
    secret = {**ORDER, "writeKey": "secret-of-the-shop"}
    found = taken(desk, secret, {**secret, "type": "tracks"}, json.dumps(secret)[:-1])
    assert (found.tally.sent, len(desk.refusals())) == (1, 2)
    assert not any(b"secret-of-the-shop" in frame.body for frame in desk.frames())


def test_a_line_without_an_id_gets_one_that_depends_on_nothing_else(desk: Any) -> None:
    nameless = {**ORDER, "messageId": None}
    taken(desk, nameless, {**nameless, "userId": "c2"}, nameless)
    taken(desk, {**nameless, "userId": "c3"}, nameless)
    assert sorted(each.user_id for each in desk.events()) == ["c1", "c2", "c3"]


def test_lines_that_are_no_messages_are_told_with_their_number(desk: Any) -> None:
    found = taken(
        desk,
        ORDER,
        '{"type": "track", ',
        "[1, 2]",
        "17",
        {**ORDER, "messageId": "m5", "userId": 17},
        {**ORDER, "messageId": "m6", "event": ["Order"]},
        {**ORDER, "messageId": "m7", "timestamp": "soon"},
        {**ORDER, "messageId": "m8", "timestamp": None},
        {**ORDER, "messageId": "m9", "properties": "none"},
        {**ORDER, "messageId": "m10", "properties": {"note": "x" * LIMITS.message_bytes}},
        {**ORDER, "messageId": "m11", "type": "tracks"},
        '{"type": "track", "userId": "\ud83d"}'.encode("utf-8", "surrogatepass").decode("latin-1"),
        {**ORDER, "messageId": "m13", "userId": "c13"},
    )
    assert [(row, code) for row, code, _ in sorted(desk.refusals())][:10] == [
        (2, "bad_request"),
        (3, "message_not_object"),
        (4, "message_not_object"),
        (5, "id_not_string"),
        (6, "event_not_string"),
        (7, "timestamp_invalid"),
        (8, "timestamp_missing"),
        (9, "properties_not_object"),
        (10, "message_too_large"),
        (11, "unknown_type"),
    ]
    assert sorted(each.user_id for each in desk.events()) == ["c1", "c13"]
    assert (found.tally.rows, found.tally.sent) == (13, 2)


def test_an_endless_line_is_one_refusal(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opportune.events.history.lines.LINE_BYTES", 40_000)
    found = taken(desk, ORDER, json.dumps({"a": "x" * 200_000}), {**ORDER, "messageId": "m3"})
    assert (found.tally.refused, found.tally.sent) == ({"message_too_large": 1}, 2)


def test_gzip_a_byte_order_mark_and_a_last_line_without_an_end(desk: Any) -> None:
    data = b"\xef\xbb\xbf" + lines(ORDER, {**ORDER, "messageId": "m2"}).strip().encode()
    file = desk.file(gzip.compress(data), name="events.jsonl.gz")
    assert desk.enter(desk.request(file, None)).tally.sent == 2


def test_time_to_come_is_now(desk: Any) -> None:
    found = taken(desk, {**ORDER, "timestamp": "2031-01-01T00:00:00Z"})
    assert (found.tally.late, desk.events()[0].occurred_at_us) == (1, us("2026-03-01T06:00:00"))


def test_many_lines_go_in_several_parts(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opportune.events.history.lines.PART_LINES", 10)
    found = taken(desk, *({**ORDER, "messageId": f"m{place}"} for place in range(25)))
    assert [rows for _, rows, _ in desk.told] == [10, 20, 25]
    assert desk.preview(desk.request(desk.folder / "events.jsonl", None)).tally == found.tally
    assert (found.tally.sent, len(desk.events())) == (25, 25)
