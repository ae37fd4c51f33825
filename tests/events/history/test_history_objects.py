"""JSON lines of any shape, and cells within cells, with a schema that says what they mean."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from opportune.errors import InvalidInput
from opportune.events import history

SCHEMA = """
[types]
amount = "number"

[[messages]]
type = "track"
event = "what"
user_id = "customer.id"
timestamp = "at"

[messages.properties]
amount = "amount"
items = "items"
city = "customer.address.city"
note = "note"

[[messages]]
type = "identify"
user_id = "customer.id"
timestamp = "at"
only = { new = ["true"] }
[messages.traits]
address = "customer.address"
"""
ORDER = {
    **{"what": "Order", "at": "2026-01-05T10:00:00Z", "amount": "1,250.50", "new": True},
    **{"items": [{"sku": "a"}], "note": 'a "b" \\ ü \u2028', "other": 1},
    "customer": {"id": 7, "address": {"city": "Graz", "zip": None}},
}


def lines(*rows: object) -> str:
    return "".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows)


def test_lines_of_any_shape_become_messages_with_values_from_within(desk: Any) -> None:
    second = {**ORDER, "at": 1767607201, "amount": 12.5, "new": False, "customer": {"id": "u\\8"}}
    times = 'timestamp = { column = "at", format = "s" }'
    schema = SCHEMA.replace('timestamp = "at"', times)
    first = {**ORDER, "at": "1767607200"}
    found = desk.enter(desk.request(desk.file(lines(first, second), name="o.jsonl"), schema))
    assert found.tally.messages == {"identify": {"": 1}, "track": {"Order": 2}}
    ordered, told, other = sorted(
        desk.events(), key=lambda each: (each.occurred_at_us, each.type == "identify")
    )
    assert (ordered.user_id, told.user_id, other.user_id) == ("7", "7", "u\\8")
    assert json.loads(ordered.properties) == {
        **{"amount": 1250.5, "items": [{"sku": "a"}], "city": "Graz", "note": ORDER["note"]},
    }
    assert json.loads(told.traits) == {"address": {"city": "Graz", "zip": None}}
    assert json.loads(other.properties) == {
        **{"amount": 12.5, "items": [{"sku": "a"}], "note": ORDER["note"]},
    }


def test_without_a_list_every_key_that_has_no_other_use_is_a_property(desk: Any) -> None:
    schema = SCHEMA.partition("[messages.properties]")[0].replace("customer.id", "who")
    rows = ({"who": "a", "what": "E", "at": "2026-01-05", "n": n, f"k{n}": None} for n in (1, "x"))
    desk.enter(desk.request(desk.file(lines(*rows), name="o.jsonl"), schema))
    assert sorted(desk.properties(), key=str) == [{"n": "x"}, {"n": 1}]


def test_a_line_that_cannot_be_used_is_told_with_its_number(desk: Any) -> None:
    bad = (b'{"a": \xff}', '{"a": "\\ud800"}', "[1]", "{", lines({**ORDER, "amount": "much"}))
    text = b"\n".join(each if isinstance(each, bytes) else each.encode() for each in bad)
    rows = [lines(ORDER).encode(), b"\n", text, lines({**ORDER, "at": "soon"}).encode()]
    found = desk.enter(desk.request(desk.file(b"".join(rows), name="o.jsonl"), SCHEMA))
    assert [(row, code) for row, code, _ in desk.refusals()] == [
        *((3, "bad_request"), (4, "bad_request"), (5, "message_not_object"), (6, "bad_request")),
        *((7, "wrong_type"), (8, "timestamp_invalid")),
    ]
    assert "column 'amount' must be a number" in desk.refusals()[4][2]
    assert (found.tally.rows, found.tally.sent) == (7, 3)
    payload = json.loads(desk.decoded().rejects[5].payload)
    assert (payload["at"], payload["customer"]) == ("soon", ORDER["customer"])


def test_a_part_of_a_file_makes_the_same_ids_as_the_whole(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{**ORDER, "amount": number, f"key{number}": 1} for number in range(9)]
    desk.enter(desk.request(desk.file(lines(*rows), name="whole.jsonl"), SCHEMA))
    ids = {each.message_id for each in desk.events()}
    assert len(ids) == 18
    monkeypatch.setattr("opportune.events.history.objects.CHUNK_LINES", 2)
    found = desk.enter(desk.request(desk.file(lines(*rows[3:]), name="part.jsonl"), SCHEMA))
    assert found.tally.sent == 12
    assert {each.message_id for each in desk.events()} == ids


def test_stopped_between_two_parts_it_goes_on(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    monkeypatch.setattr("opportune.events.history.objects.CHUNK_LINES", 2)
    rows = [{**ORDER, "amount": number} if number % 3 != 1 else [] for number in range(7)]
    request = desk.request(desk.file(lines(*rows), name="o.jsonl"), SCHEMA)
    for _ in range(2):
        with pytest.raises(Stopped):
            desk.enter(request, pause=stop)
    found = desk.enter(request)
    assert (found.tally.rows, found.tally.sent) == (7, 10)
    assert found.tally.refused == {"message_not_object": 2}
    assert sum(len(json.loads(frame.body).get("batch", [])) for frame in desk.frames()) == 10
    assert [row for row, _, _ in desk.refusals()] == [2, 5]


def test_a_key_that_no_line_has_is_told_with_the_nearest_one(desk: Any) -> None:
    given = {**ORDER, "whta": ORDER["what"]}
    del given["what"]
    with pytest.raises(InvalidInput) as refusal:
        desk.enter(desk.request(desk.file(lines(given), name="o.jsonl"), SCHEMA))
    assert str(refusal.value).startswith(
        "o.jsonl: key 'what' (messages[0], event): none of the first 1,000 lines has it. "
        "Did you mean 'whta'?"
    )


def test_lines_that_are_no_messages_need_a_schema(desk: Any) -> None:
    with pytest.raises(history.SchemaMissing, match="are no messages of the tracking protocol"):
        desk.enter(desk.request(desk.file(lines(ORDER), name="o.jsonl"), None))


def test_cells_within_cells_of_parquet_are_named_by_their_path(desk: Any, tmp_path: Path) -> None:
    at = datetime.fromisoformat(ORDER["at"])
    row = {**{key: ORDER[key] for key in ("what", "amount", "new", "note", "items")}, "at": at}
    rows = [
        {**row, "customer": {"id": "u1", "address": {"city": "Graz"}}},
        {**row, "customer": None},
    ]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "o.parquet")
    desk.enter(desk.request(tmp_path / "o.parquet", SCHEMA))
    assert desk.properties()[0]["city"] == "Graz"
    assert [(row, code) for row, code, _ in desk.refusals()] == [(2, "no_user_anon_id")]
    wrong = SCHEMA.replace("address.city", "adress.city")
    with pytest.raises(InvalidInput, match="there is no such column"):
        desk.enter(desk.request(tmp_path / "o.parquet", wrong))
