"""Rows of CSV and Parquet as events that keep their time."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from opportune.events import history

ORDERS = """
customer,at,amount,note
c1,2024-03-01T10:00:00Z,12.50,first
c2,2024-03-02T11:30:00+02:00,7,
c1,2024-03-03,,"two
lines"
""".lstrip()
TWO_KINDS = """
[types]
amount = "number"

[[messages]]
type = "identify"
user_id = "customer"
timestamp = "at"
traits = ["plan"]

[[messages]]
type = "track"
event = { column = "what" }
user_id = "customer"
timestamp = "at"
properties = { revenue = "amount", currency = { constant = "EUR" } }
"""


def orders_at(timestamp: str) -> str:
    return f"""
        [[messages]]
        type = "track"
        event = {{ constant = "Order" }}
        user_id = "customer"
        timestamp = {timestamp}
    """


PLAIN = orders_at('"at"')
WITH_AMOUNT = '[types]\namount = "number"\n' + PLAIN


def us(*when: int) -> int:
    return round(datetime(*when, tzinfo=UTC).timestamp() * 1_000_000)  # type: ignore[misc, arg-type]


def test_rows_of_csv_become_events_with_their_own_time(desk: Any) -> None:
    found = desk.enter(desk.request(desk.file(ORDERS)))
    assert (found.tally.rows, found.tally.messages) == (3, {"track": {"Order Completed": 3}})
    assert [(each.user_id, each.occurred_at_us) for each in desk.events()] == [
        ("c1", us(2024, 3, 1, 10)),
        ("c2", us(2024, 3, 2, 9, 30)),
        ("c1", us(2024, 3, 3)),
    ]
    assert desk.properties() == [
        {"amount": 12.5, "note": "first"},
        {"amount": 7.0},
        {"note": "two\nlines"},
    ]
    assert (found.tally.first_us, found.tally.last_us) == (us(2024, 3, 1, 10), us(2024, 3, 3))


def test_every_frame_is_received_now_and_from_the_source(desk: Any) -> None:
    desk.enter(desk.request(desk.file(ORDERS)))
    assert {(frame.source_id, frame.kind, frame.received_at_us) for frame in desk.frames()} == {
        ("shop", "batch", us(2026, 3, 1, 6))
    }


def test_a_row_may_make_several_kinds_of_messages(desk: Any) -> None:
    file = desk.file("customer,at,plan,what,amount\nc1,2024-03-01,basic,Bought,3\n")
    found = desk.enter(desk.request(file, TWO_KINDS))
    assert found.tally.messages == {"identify": {"": 1}, "track": {"Bought": 1}}
    by_type = {each.type: each for each in desk.events()}
    assert json.loads(by_type["identify"].traits or "") == {"plan": "basic"}
    assert json.loads(by_type["track"].properties or "") == {"revenue": 3.0, "currency": "EUR"}
    assert by_type["identify"].message_id != by_type["track"].message_id


def test_only_some_rows_may_make_a_message(desk: Any) -> None:
    schema = """
        [[messages]]
        type = "track"
        event = { constant = "Paid" }
        user_id = "customer"
        timestamp = "at"
        only = { state = ["paid", "sent"] }
    """
    rows = "c1,2024-03-01,paid\nc2,2024-03-02,open\nc3,2024-03-03,sent\nc4,2024-03-04,\n"
    found = desk.enter(desk.request(desk.file("customer,at,state\n" + rows), schema))
    assert [each.user_id for each in desk.events()] == ["c1", "c3"]
    assert found.tally.refused == {}


@pytest.mark.parametrize(
    ("head", "columns", "fields", "properties", "traits"),
    [
        ('type = "page"\nname = "a"\ncategory = "b"', "Home,shop", "properties = []", True, False),
        ('type = "group"\ngroup_id = "a"', "g1,x", 'traits = ["b"]', True, True),
        ('type = "alias"\nprevious_id = "a"', "old,x", "", True, False),
    ],
)
def test_messages_of_other_types(
    desk: Any, head: str, columns: str, fields: str, properties: bool, traits: bool
) -> None:
    schema = f'[[messages]]\n{head}\nuser_id = "who"\ntimestamp = "at"\n{fields}\n'
    file = desk.file(f"who,at,a,b\nc1,2024-03-01,{columns}\n")
    assert desk.enter(desk.request(file, schema)).tally.sent == 1
    (event,) = desk.events()
    assert (event.properties is not None, event.traits is not None) == (properties, traits)


def test_parquet_keeps_the_types_of_its_columns(desk: Any) -> None:
    table = pa.table(
        {
            # As a data frame keeps whole numbers when one is missing.
            "customer": pa.array([7.0, 8.0, None]),
            "at": pa.array(["2024-07-01 12:00", "1969-07-20 20:00", None]).cast("timestamp[ns]"),
            "amount": pa.array([Decimal("12.10"), None, Decimal("1.00")]),
            "count": pa.array([1, 2, 3], pa.int8()),
            "share": pa.array([0.1, float("nan"), float("inf")], pa.float32()),
            "vip": pa.array([True, None, False]),
            "day": pa.array([date(2024, 1, 2), None, None]),
            "seen": pa.array([datetime(2024, 1, 2, tzinfo=UTC), None, None]),
            "tags": pa.array([["a", "b"], [], None]),
            "plan": pa.array(["basic", "plus", None]).dictionary_encode(),
            "raw": pa.array([b"x", b"y", b"z"]),
        }
    )
    path = desk.folder / "orders.parquet"
    parquet.write_table(table, path)
    schema = orders_at('{ column = "at", zone = "Europe/Vienna" }')
    found = desk.enter(desk.request(path, schema))
    assert [(each.user_id, each.occurred_at_us) for each in desk.events()] == [
        ("8", us(1969, 7, 20, 19)),
        ("7", us(2024, 7, 1, 10)),
    ]
    assert desk.properties()[1] == {
        "amount": 12.1,
        "count": 1,
        "share": 0.1,
        "vip": True,
        "day": "2024-01-02",
        "seen": "2024-01-02T00:00:00.000000Z",
        "tags": ["a", "b"],
        "plan": "basic",
        "raw": "x",
    }
    assert found.tally.refused == {"no_user_anon_id": 1}


@pytest.mark.parametrize(
    ("form", "text", "expected"),
    [
        ('format = "s"', "1709287200", us(2024, 3, 1, 10)),
        ('format = "ms"', "1709287200500", us(2024, 3, 1, 10) + 500_000),
        ('format = "us"', "-1", -1),
        ('format = "s"', "1709287200.25", us(2024, 3, 1, 10) + 250_000),
        ('format = "%d.%m.%Y %H:%M"', "01.07.2024 12:00", us(2024, 7, 1, 12)),
        ('zone = "America/New_York"', "2024-07-01 12:00", us(2024, 7, 1, 16)),
        ('zone = "America/New_York"', "2024-07-01T12:00:00-01:00", us(2024, 7, 1, 13)),
        ('zone = "Europe/Vienna"', "2024-01-15", us(2024, 1, 14, 23)),
        ('format = "iso"', "0001-01-01", us(1, 1, 1)),
    ],
)
def test_times_are_read_as_the_schema_says(desk: Any, form: str, text: str, expected: int) -> None:
    schema = orders_at(f'{{ column = "at", {form} }}')
    desk.enter(desk.request(desk.file(f"customer,at\nc1,{text}\n"), schema))
    assert [each.occurred_at_us for each in desk.events()] == [expected]


@pytest.mark.parametrize(
    "constant", ['"2024-03-01T10:00:00Z"', "2024-03-01T12:00:00+02:00", "2024-03-01 10:00:00"]
)
def test_all_rows_may_have_one_time(desk: Any, constant: str) -> None:
    schema = orders_at(f"{{ constant = {constant} }}")
    desk.enter(desk.request(desk.file("customer\nc1\n"), schema))
    assert [each.occurred_at_us for each in desk.events()] == [us(2024, 3, 1, 10)]


def test_parquet_times_with_a_zone_and_columns_of_nothing(desk: Any) -> None:
    path = desk.folder / "orders.parquet"
    at = pa.array([datetime(2024, 3, 1, 10, tzinfo=UTC)]).cast(pa.timestamp("s", "Asia/Tokyo"))
    parquet.write_table(pa.table({"customer": ["c1"], "at": at, "no": pa.nulls(1)}), path)
    desk.enter(desk.request(path, PLAIN))
    assert [each.occurred_at_us for each in desk.events()] == [us(2024, 3, 1, 10)]
    assert desk.properties() == [{}]


def test_a_time_still_to_come_becomes_now_and_is_counted(desk: Any) -> None:
    found = desk.enter(desk.request(desk.file("customer,at,amount\nc1,2031-01-01,1\n")))
    assert [each.occurred_at_us for each in desk.events()] == [us(2026, 3, 1, 6)]
    assert (found.tally.late, found.tally.last_us) == (1, us(2026, 3, 1, 6))


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("12.50", ".", 12.5),
        ("1,234.50", ".", 1234.5),
        (" € 12 ", ".", 12),
        ("-3e2", ".", -300),
        (".5", ".", 0.5),
        ("1.234,50", ",", 1234.5),
        ("12,5", ",", 12.5),
    ],
)
def test_money_written_as_text_becomes_a_number(
    desk: Any, text: str, decimal: str, number: float
) -> None:
    file = desk.file(f'customer;at;amount\nc1;2024-03-01;"{text}"\n')
    head = f'delimiter = ";"\ndecimal = "{decimal}"\n'
    desk.enter(desk.request(file, head + WITH_AMOUNT))
    assert desk.properties() == [{"amount": number}]


def test_types_of_cells(desk: Any) -> None:
    schema = """
        [types]
        count = "integer"
        vip = "boolean"
        basket = "json"
        born = { type = "time", format = "%d.%m.%Y" }
        code = "text"
    """
    head = "customer,at,count,vip,basket,born,code\n"
    row = 'c1,2024-03-01,3,Yes,"{""a"": [1]}",31.01.1990,007\n'
    desk.enter(desk.request(desk.file(head + row), schema + PLAIN))
    assert desk.properties() == [
        {
            "count": 3,
            "vip": True,
            "basket": {"a": [1]},
            "born": "1990-01-31T00:00:00.000000Z",
            "code": "007",
        }
    ]


def test_cells_of_csv_stay_texts_and_a_dry_run_says_which_look_like_numbers(desk: Any) -> None:
    rows = "customer,at,amount,postcode\nc1,2024-03-01,12,01067\nc2,2024-03-02,3.5,10115\n"
    request = desk.request(desk.file(rows), PLAIN)
    assert desk.preview(request).hints == (
        "column 'amount' holds numbers and stays text; types.amount = \"number\" makes them "
        "numbers",
    )
    assert not desk.log_folder.exists()
    empty = desk.file("customer,at,amount,postcode\n", name="empty.csv")
    assert desk.preview(desk.request(empty, PLAIN)).hints == ()
    table = pa.table({"customer": ["c1"], "at": ["2024-03-01"], "amount": [12], "no": ["2x"]})
    parquet.write_table(table, desk.folder / "orders.parquet")
    assert desk.preview(desk.request(desk.folder / "orders.parquet", PLAIN)).hints == ()
    desk.enter(request)
    assert desk.properties() == [
        {"amount": "12", "postcode": "01067"},
        {"amount": "3.5", "postcode": "10115"},
    ]


@pytest.mark.parametrize("form", ["plain", "gzip", "bom", "latin-1", "semicolon"])
def test_the_forms_in_which_csv_comes(desk: Any, form: str) -> None:
    head, text = "", "customer,at,amount,note\nc1,2024-03-01,1,Grüße\n"
    if form == "semicolon":
        head, text = 'delimiter = ";"\n', text.replace(",", ";")
    data = text.encode("latin-1" if form == "latin-1" else "utf-8")
    if form == "latin-1":
        head = 'encoding = "latin-1"\n'
    data = gzip.compress(data) if form == "gzip" else data
    data = b"\xef\xbb\xbf" + data if form == "bom" else data
    desk.enter(desk.request(desk.file(data), head + WITH_AMOUNT))
    assert desk.properties() == [{"amount": 1.0, "note": "Grüße"}]


def test_quotation_marks_and_control_characters_survive(desk: Any) -> None:
    file = desk.file('customer,at,note\n"a ""b"" \\",2024-03-01,"tab\there"\n')
    desk.enter(desk.request(file, PLAIN))
    assert desk.events()[0].user_id == 'a "b" \\'
    assert desk.properties() == [{"note": "tab\there"}]


def test_a_header_without_rows_is_an_import_of_nothing(desk: Any) -> None:
    found = desk.enter(desk.request(desk.file("customer,at,amount\n")))
    assert (found.tally.rows, found.tally.sent, desk.frames()) == (0, 0, [])


def test_columns_without_a_name_are_left_out(desk: Any) -> None:
    file = desk.file(",customer,at\n17,c1,2024-03-01\n")
    desk.enter(desk.request(file, PLAIN))
    assert desk.properties() == [{}]


def test_rows_are_counted_on_over_many_chunks(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("opportune.events.history.table.CHUNK_ROWS", 7)
    rows = [f"c{place},2024-03-01,{place}" for place in range(1, 101)]
    rows[49] = "c50,2024-03-01,many"
    rows[80] = "c81"
    found = desk.enter(desk.request(desk.file("\n".join(["customer,at,amount", *rows]))))
    assert (found.tally.rows, found.tally.sent) == (100, 98)
    assert [(row, code) for row, code, _ in desk.refusals()] == [
        (50, "wrong_type"),
        (81, "wrong_cells"),
    ]
    assert [share for _, _, share in desk.told][-1] == 1.0
    assert [rows for _, rows, _ in desk.told] == sorted(rows for _, rows, _ in desk.told)


def test_the_mark_says_which_import_and_file_an_event_came_from(desk: Any) -> None:
    found = desk.enter(desk.request(desk.file(ORDERS)))
    assert {each.context for each in desk.events()} == {
        f'{{"import":{{"id":"{found.import_id}","file":"orders.csv"}}}}'
    }
    assert all(history.is_history(each) for each in desk.events())


@pytest.mark.parametrize("context", [None, "{}", '{"import": 17}', '{"page": "/import"}'])
def test_an_event_without_the_mark_is_not_history(desk: Any, context: str | None) -> None:
    desk.enter(desk.request(desk.file(ORDERS)))
    event = msgspec.structs.replace(desk.events()[0], context=context)
    assert not history.is_history(event)


def test_events_of_a_live_import_start_what_live_ones_start(desk: Any) -> None:
    desk.enter(desk.request(desk.file(ORDERS), live=True))
    assert [history.is_history(each) for each in desk.events()] == [False] * 3
