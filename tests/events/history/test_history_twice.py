"""What is there already is not added: the same file, one that overlaps, and equal rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.documents import InvalidDefinition
from opportune.events import history
from opportune.events.history.note import BrokenNote, alone
from opportune.events.history.repeats import Repeats
from opportune.files import UnusableFile

PLAIN = """
[[messages]]
type = "track"
event = { constant = "Order" }
user_id = "customer"
timestamp = "at"
"""
HEAD = "customer,at,amount\n"


def row(customer: int, *, amount: int = 1) -> str:
    return f"c{customer},2024-03-{customer % 28 + 1:02},{amount}\n"


def ids(desk: Any) -> list[str]:
    return sorted(each.message_id for each in desk.events())


def test_the_same_file_twice_enters_nothing_the_second_time(desk: Any) -> None:
    request = desk.request(desk.file(HEAD + row(1) + row(2)), PLAIN)
    first = desk.enter(request)
    frames = desk.frames()
    second = desk.enter(request)
    assert (first.before, second.before) == (False, True)
    assert second.tally == first.tally
    assert desk.frames() == frames


def test_again_sends_the_same_ids(desk: Any) -> None:
    file = desk.file(HEAD + row(1) + row(2))
    desk.enter(desk.request(file, PLAIN))
    before = ids(desk)
    assert desk.enter(desk.request(file, PLAIN, again=True)).before is False
    assert len(desk.frames()) == 2
    assert ids(desk) == before


def test_a_file_that_overlaps_adds_only_what_is_new(desk: Any) -> None:
    desk.enter(desk.request(desk.file(HEAD + row(1) + row(2), name="march.csv"), PLAIN))
    desk.enter(desk.request(desk.file(HEAD + row(2) + row(3), name="april.csv"), PLAIN))
    assert [each.user_id for each in desk.events()] == ["c1", "c2", "c3"]


def test_another_source_has_other_ids(desk: Any) -> None:
    request = desk.request(desk.file(HEAD + row(1)), PLAIN)
    desk.enter(request)
    desk.enter(replace(request, source_id="outlet"))
    assert len(desk.events()) == 2


def test_ids_come_from_the_column_and_are_made_where_it_is_empty(desk: Any) -> None:
    schema = PLAIN + 'message_id = { column = "amount", prefix = "order-" }\n'
    desk.enter(desk.request(desk.file(HEAD + row(1, amount=17) + "c2,2024-03-01,\n"), schema))
    made, given_id = ids(desk)
    assert given_id == "order-17"
    assert made.startswith("import-")


def test_two_messages_alike_of_one_row_have_ids_of_their_own(desk: Any) -> None:
    desk.enter(desk.request(desk.file(HEAD + row(1)), PLAIN * 2))
    assert len(ids(desk)) == 2


@pytest.mark.parametrize(("equal_rows", "kept", "left_out"), [("one", 2, 2), ("each", 4, 0)])
def test_equal_rows_are_one_event_or_each_one(
    desk: Any, monkeypatch: pytest.MonkeyPatch, equal_rows: str, kept: int, left_out: int
) -> None:
    monkeypatch.setattr("opportune.events.history.table.CHUNK_ROWS", 2)
    schema = f'equal_rows = "{equal_rows}"\n' + PLAIN
    file = desk.file(HEAD + row(1) + row(1) + row(2) + row(1))
    found = desk.enter(desk.request(file, schema))
    assert (len(ids(desk)), found.tally.sent, found.tally.equal_rows) == (kept, kept, left_out)
    # The same rows in another file are the same events.
    desk.enter(desk.request(desk.file(HEAD + row(2) + row(1) + row(1), name="b.csv"), schema))
    assert len(ids(desk)) == kept


@given(
    numbers=st.lists(st.integers(0, 5), max_size=40), cuts=st.sets(st.integers(0, 40), max_size=5)
)
def test_repeats_count_what_came_before_however_it_is_cut(
    numbers: list[int], cuts: set[int]
) -> None:
    digests = [f"{number:032x}"[::-1] for number in numbers]
    for each in (True, False):
        repeats = Repeats(each=each)
        places = [0, *sorted(cut for cut in cuts if cut < len(digests)), len(digests)]
        found = np.concatenate(
            [
                repeats.count(pa.array(digests[start:end], pa.string()))
                for start, end in pairwise(places)
            ]
        )
        wanted = [numbers[:place].count(number) for place, number in enumerate(numbers)]
        if each:
            assert found.tolist() == wanted
        else:
            assert [count > 0 for count in found] == [count > 0 for count in wanted]


def test_too_many_rows_that_come_more_than_once_are_refused(
    desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("opportune.events.history.repeats.MOST_COUNTED", 1)
    file = desk.file(HEAD + (row(1) + row(2)) * 2)
    with pytest.raises(UnusableFile, match="more than 1 different rows come more than once"):
        desk.enter(desk.request(file, 'equal_rows = "each"\n' + PLAIN))


def test_a_preview_says_the_same_and_writes_nothing(desk: Any) -> None:
    request = desk.request(desk.file(HEAD + row(1) + row(1) + ",2024-03-01,1\n"), PLAIN)
    found = desk.preview(request)
    assert not (desk.folder / "data").exists()
    entered = desk.enter(request)
    assert (found.tally, found.examples) == (entered.tally, entered.examples)


def test_another_schema_is_another_import_of_the_same_rows(desk: Any) -> None:
    file = desk.file(HEAD + row(1))
    first = desk.enter(desk.request(file, PLAIN))
    second = desk.enter(desk.request(file, PLAIN + "properties = []\n"))
    assert first.import_id != second.import_id
    assert len(desk.events()) == 1


def test_one_process_imports_a_file_at_a_time(desk: Any) -> None:
    request = desk.request(desk.file(HEAD + row(1)), PLAIN)
    import_id = desk.preview(request).import_id
    with alone(desk.folder / "data", import_id), pytest.raises(history.ImportRunning):
        desk.enter(request)
    assert desk.enter(request).before is False


def test_a_note_that_cannot_be_read_says_what_to_do(desk: Any) -> None:
    request = desk.request(desk.file(HEAD + row(1)), PLAIN)
    import_id = desk.enter(request).import_id
    note = Path(desk.folder / "data" / "imports" / f"{import_id}.json")
    note.write_text("half of a no")
    with pytest.raises(BrokenNote, match="Delete it to import the file from its beginning"):
        desk.enter(request)
    note.unlink()
    desk.enter(request)
    assert len(desk.events()) == 1


def test_a_schema_without_messages_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="messages: missing"):
        history.parse_schema({}, where="s")
