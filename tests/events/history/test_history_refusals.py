"""Rows and files that cannot be used: told with their number and reason, and the others go on."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from opportune.errors import NotFound
from opportune.events import LIMITS, history
from opportune.files import UnusableFile

TRACK = """
[[messages]]
type = "track"
event = "what"
user_id = "customer"
timestamp = "at"
"""


def problems(desk: Any, path: Path, schema: str | None = TRACK) -> list[str]:
    with pytest.raises(UnusableFile) as refusal:
        desk.enter(desk.request(path, schema))
    assert not (desk.folder / "data" / "imports").exists()
    return list(refusal.value.problems)


def test_each_bad_row_is_told_with_file_number_and_reason(desk: Any) -> None:
    rows = [
        "c1,2024-03-01,Bought",
        ",2024-03-01,Bought",
        "c3,yesterday,Bought",
        "c4,,Bought",
        "c5,2024-03-01,",
        "c6,2024-03-01",
        f"{'x' * 501},2024-03-01,Bought",
        "c8,12024-03-01,Bought",
        "c9,2024-03-09,Bought",
    ]
    found = desk.enter(desk.request(desk.file("\n".join(["customer,at,what", *rows])), TRACK))
    where = f"orders.csv (import {found.import_id}), row"
    time = (
        "column 'at' must be a time such as 2026-01-31T09:30:00Z (another 'format' can be set in "
        "the schema), years 1 to 9999."
    )
    assert sorted(desk.refusals()) == [
        (2, "no_user_anon_id", f"{where} 2: nothing stands in 'customer' to say whose it is."),
        (3, "timestamp_invalid", f"{where} 3: {time}"),
        (4, "timestamp_invalid", f"{where} 4: {time}"),
        (5, "event_not_defined", f"{where} 5: nothing stands in 'what'."),
        (6, "wrong_cells", f"{where} 6: it has 2 cells, the header has 3."),
        (7, "id_too_long", f"{where} 7: 'customer' may have 500 characters."),
        (8, "timestamp_invalid", f"{where} 8: {time}"),
    ]
    assert [each.user_id for each in desk.events()] == ["c1", "c9"]
    assert (found.tally.rows, found.tally.refusals, len(found.examples)) == (9, 7, 7)


def test_a_reject_holds_what_stood_in_the_row(desk: Any) -> None:
    desk.enter(desk.request(desk.file("customer,at,what\n,2024-03-01,Bought\n"), TRACK))
    (reject,) = desk.decoded().rejects
    assert reject.payload == '{"customer":null,"at":"2024-03-01","what":"Bought"}'


def test_rows_at_the_end_that_are_too_wide_are_told_as_well(desk: Any) -> None:
    rows = ",c1,2024-03-01,Bought\n" + ",c2,2024-03-01,Bought,much\n" * 2
    found = desk.enter(desk.request(desk.file(",customer,at,what\n" + rows), TRACK))
    assert [(row, code) for row, code, _ in desk.refusals()] == [
        (2, "wrong_cells"),
        (3, "wrong_cells"),
    ]
    assert (found.tally.rows, found.tally.sent) == (3, 1)


def test_a_cell_of_a_wrong_type_refuses_its_row(desk: Any) -> None:
    schema = '[types]\namount = "number"\nmany = "integer"\n' + TRACK
    rows = "c1,2024-03-01,Bought,12 apples,1\nc2,2024-03-01,Bought,12,1.5\nc3,2024-03-01,Bought,1,2"
    desk.enter(desk.request(desk.file(f"customer,at,what,amount,many\n{rows}\n"), schema))
    assert [(row, reason.partition(": ")[2]) for row, _, reason in sorted(desk.refusals())] == [
        (1, "column 'amount' must be a number."),
        (2, "column 'many' must be a whole number."),
    ]
    assert desk.properties() == [{"amount": 1.0, "many": 2}]


def test_typed_columns_of_another_type_refuse_their_rows(desk: Any) -> None:
    path = desk.folder / "orders.parquet"
    columns = {"customer": ["c1"], "at": ["2024-03-01"], "what": ["Bought"], "amount": [True]}
    parquet.write_table(pa.table(columns), path)
    found = desk.enter(desk.request(path, '[types]\namount = "number"\n' + TRACK))
    assert found.tally.refused == {"wrong_type": 1}


def test_a_message_that_is_too_large_is_refused(desk: Any) -> None:
    note = "x" * LIMITS.message_bytes
    file = desk.file(f"customer,at,what,note\nc1,2024-03-01,Bought,{note}\nc2,2024-03-01,Bought,\n")
    found = desk.enter(desk.request(file, TRACK))
    assert found.tally.refused == {"message_too_large": 1}
    assert [each.user_id for each in desk.events()] == ["c2"]


def test_a_row_that_is_not_utf8_is_refused_and_its_neighbours_are_not(desk: Any) -> None:
    rows = b"customer,at,what\nc1,2024-03-01,Gr\xfc\xdfe\nc2,2024-03-01,Gr\xc3\xbc\xc3\x9fe\n"
    found = desk.enter(desk.request(desk.file(rows), TRACK))
    assert found.tally.refused == {"not_utf8": 1}
    assert [(each.user_id, each.event) for each in desk.events()] == [("c2", "Grüße")]


def test_of_very_many_refusals_the_rest_is_counted(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opportune.events.history.note.REFUSED_BYTES", 1_000)
    rows = "".join(f",2024-03-01,{'x' * 90}{place}\n" for place in range(100))
    found = desk.enter(desk.request(desk.file("customer,at,what\n" + rows), TRACK))
    rejects = desk.decoded().rejects
    told = len(rejects) - 1
    assert 1 < told < 10
    assert rejects[-1].reason == (
        f"orders.csv (import {found.import_id}): {100 - told} more rows for the same reason."
    )
    assert found.tally.refused == {"no_user_anon_id": 100}


def test_missing_and_double_columns_are_told_all_at_once(desk: Any) -> None:
    schema = '[types]\namount = "number"\n' + TRACK
    assert problems(desk, desk.file("custommer,at,at,note\n1,2,3,4\n"), schema) == [
        "orders.csv: column 'at': there are 2 columns of this name.",
        "orders.csv: column 'customer' (messages[0], userId): there is no such "
        "column. Did you mean 'custommer'? Allowed: at, custommer, note.",
        "orders.csv: column 'what' (messages[0], event): there is no such column. "
        "Did you mean 'at'? Allowed: at, custommer, note.",
        "orders.csv: column 'amount' (types): there is no such column. Allowed: at, "
        "custommer, note.",
    ]


def test_mistakes_of_all_files_are_told_at_once(desk: Any) -> None:
    first = desk.request(desk.file("customer,at\n", name="a.csv"), TRACK)
    second = desk.request(desk.file("", name="b.csv"), TRACK)
    with pytest.raises(UnusableFile) as refusal:
        history.check([first, second])
    assert [line.partition(":")[0] for line in refusal.value.problems] == ["a.csv", "b.csv"]


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "orders.csv", "orders.csv: the file is empty."),
        (b"\xef\xbb\xbf\n", "orders.csv", "orders.csv: the file is empty."),
        (b"\xff\xfea\x00", "orders.csv", "orders.csv: the file is UTF-16. Save it as UTF-8."),
        (b"PAR1 and no more", "orders.parquet", "orders.parquet: it cannot be read after row 0"),
        (
            gzip.compress(b"PAR1", mtime=0),
            "orders.parquet.gz",
            "Parquet inside gzip. Unpack it first.",
        ),
        (b'[{"type": "track"}]', "orders.json", "this is one JSON list"),
    ],
)
def test_files_that_are_nothing_to_import(desk: Any, data: bytes, name: str, reason: str) -> None:
    (problem,) = problems(desk, desk.file(data, name=name))
    assert reason in problem


def test_a_gzip_that_ends_too_early_can_be_gone_on_with_once_it_is_whole(desk: Any) -> None:
    rows = "".join(f"c{place},2024-03-01,Bought {place}\n" for place in range(20_000))
    whole = gzip.compress(f"customer,at,what\n{rows}".encode())
    request = desk.request(desk.file(whole[:-2_000], name="orders.csv.gz"), TRACK)
    with pytest.raises(UnusableFile, match="cannot be read"):
        desk.enter(request)
    desk.enter(desk.request(desk.file(whole, name="orders.csv.gz"), TRACK))
    assert len(desk.events()) == 20_000


def test_parquet_that_is_damaged_inside_is_refused(desk: Any) -> None:
    path = desk.folder / "orders.parquet"
    rows = {"customer": [f"c{place}" for place in range(5_000)]}
    rows |= {"at": ["2024-03-01"] * 5_000, "what": ["Bought"] * 5_000}
    parquet.write_table(pa.table(rows), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[100:2_000] = b"x" * 1_900
    path.write_bytes(data)
    with pytest.raises(UnusableFile, match="it cannot be read after row 0"):
        desk.enter(desk.request(path, TRACK))


def test_an_open_quotation_mark_does_not_eat_the_file(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opportune.events.history.table.BLOCK_BYTES", 1 << 20)
    rows = "c1,2024-03-01,Bought\n" * 100_000
    with pytest.raises(UnusableFile, match="a quotation mark may be open"):
        desk.enter(
            desk.request(desk.file(f'customer,at,what\nc1,2024-03-01,"Bought\n{rows}'), TRACK)
        )


def test_a_file_of_rows_of_another_width_is_refused(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opportune.events.history.table.MOST_PENDING", 10)
    with pytest.raises(UnusableFile, match="the delimiter may be another one"):
        desk.enter(desk.request(desk.file("customer,at,what\n" + "c1;2024;x\n" * 20), TRACK))


def test_a_folder_and_a_file_that_is_not_there(desk: Any) -> None:
    with pytest.raises(NotFound, match="is a folder, not a file"):
        desk.enter(desk.request(desk.folder, TRACK))
    with pytest.raises(NotFound, match="There is no file"):
        desk.enter(desk.request(desk.folder / "orders.csv", TRACK))


def test_a_table_needs_a_schema(desk: Any) -> None:
    with pytest.raises(history.SchemaMissing, match="Say with --schema"):
        desk.enter(desk.request(desk.file("a,b\n1,2\n"), None))
