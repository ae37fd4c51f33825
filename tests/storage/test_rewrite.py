"""Rows leave the lake and frames leave the log, and everything else stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from opportune.storage import Frame, Lake, SegmentLog, end_offsets, open_engine, read_frames
from opportune.storage.blank import blank
from opportune.storage.rewrite import drop_history, rewrite, tidy

SCHEMA = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("number", pa.int64()),
        pa.field("at", pa.timestamp("us", "UTC")),
        pa.field("values", pa.list_(pa.float64())),
    ]
)
FILES = 6


def rows(number: int, *names: str) -> pa.Table:
    at = datetime(2026, 3, 1 + number, tzinfo=UTC)
    return pa.Table.from_pylist(
        [{"name": name, "number": number, "at": at, "values": [1.5]} for name in names],
        schema=SCHEMA,
    )


def without_ana(part: pa.Table) -> pa.Table:
    theirs = pc.equal(part["name"], "ana-of-the-lake")
    return part.filter(pc.invert(theirs)) if pc.any(theirs).as_py() else part


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path / "lake")
    made.create("fact", SCHEMA)
    for number in range(FILES):
        names = ["ben", "ana-of-the-lake"] if number % 2 else ["ben"]
        names = ["ana-of-the-lake"] if number == 5 else names
        made.append("fact", rows(number, *names), key=f"k{number}", positions={"log": number})
    return made


def holding(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and b"ana-of-the-lake" in path.read_bytes()
    ]


def test_only_files_with_such_a_row_are_written_anew_and_a_second_time_none(lake: Lake) -> None:
    before = set(lake.files("fact"))
    told: list[tuple[int, int]] = []
    done = rewrite(lake, "fact", without_ana, told=lambda at, of: told.append((at, of)))
    assert (done.files, done.rewritten, done.rows_before, done.rows_after) == (6, 3, 5, 2)
    assert told[-1] == (6, 6)
    # The file that had nothing else is gone.
    after = set(lake.files("fact"))
    assert (len(after), len(after & before)) == (5, 3)
    assert sorted(lake.read("fact")["number"].to_pylist()) == [0, 1, 2, 3, 4]
    assert rewrite(lake, "fact", without_ana).rewritten == 0
    assert lake.has("fact", "k3")
    assert lake.position("fact", "log") == 5


def test_what_is_pruned_by_is_still_known_of_files_written_anew(lake: Lake) -> None:
    rewrite(lake, "fact", without_ana)
    assert len(lake.files("fact", between=("number", 3, 3))) == 1
    low, high = datetime(2026, 3, 4, tzinfo=UTC), datetime(2026, 3, 5, tzinfo=UTC)
    assert len(lake.files("fact", between=("at", low, high))) == 2


def test_after_the_history_is_dropped_no_byte_is_left_and_everybody_goes_on(lake: Lake) -> None:
    other = Lake(lake.folder)
    engine = open_engine("duckdb:", other)
    assert other.read("fact").num_rows == 8
    assert holding(lake.folder)
    rewrite(lake, "fact", without_ana)
    drop_history(lake, "fact")
    assert holding(lake.folder) == []
    drop_history(lake, "fact")
    count = "select count(*) as n from fact"
    assert engine.query(count, tables={"fact": None})["n"].to_pylist() == [5]
    for writer in (other, lake, Lake(lake.folder)):
        assert writer.append("fact", rows(7, "eve"))
        assert not writer.append("fact", rows(7, "eve"), key="k1")
    assert {each.read("fact").num_rows for each in (lake, other, Lake(lake.folder))} == {8}
    assert other.position("fact", "log") == 5
    engine.close()


def test_a_query_whose_files_went_away_is_asked_again(lake: Lake) -> None:
    class Slow(Lake):
        """Its list of files is read, and then the files are written anew."""

        late = True

        def files(self, table: str, **given: object) -> list[str]:
            found = super().files(table, **given)  # type: ignore[arg-type]
            if self.late:
                self.late = False
                rewrite(lake, table, without_ana)
                drop_history(lake, table)
            return found

    engine = open_engine("duckdb:", Slow(lake.folder))
    found = engine.query("select count(*) as n from fact", tables={"fact": None})
    assert found["n"].to_pylist() == [5]
    engine.close()


def test_tidying_keeps_what_a_reader_may_still_read(lake: Lake) -> None:
    before = [Path(path) for path in lake.files("fact")]
    lake.compact("fact")
    assert tidy(lake, "fact", keep_hours=1) == 0
    assert all(path.exists() for path in before)
    assert tidy(lake, "fact", keep_hours=0) == 6
    assert not any(path.exists() for path in before)
    assert lake.read("fact").num_rows == 8


def test_a_blanked_log_is_whole_and_says_nothing(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path / "log", rotate_bytes=200)
    frames = [
        Frame(
            received_at_us=1 + place, source_id="shop", kind="batch", body=f"body {place}".encode()
        )
        for place in range(8)
    ]
    for frame in frames[:5]:
        log.append(frame).result()
    read, reached = read_frames(tmp_path / "log", {}, limit_bytes=10_000)
    assert read == frames[:5]
    assert blank(tmp_path / "log", reached) > 0
    assert not any(b"body" in path.read_bytes() for path in (tmp_path / "log").iterdir())
    for frame in frames[5:]:
        log.append(frame).result()
    log.close()
    assert read_frames(tmp_path / "log", reached, limit_bytes=10_000)[0] == frames[5:]
    # From the beginning, too: nothing is damaged, nothing is there.
    assert read_frames(tmp_path / "log", {}, limit_bytes=10_000)[0] == frames[5:]
    sizes = end_offsets(tmp_path / "log")
    blank(tmp_path / "log", {name: size + 99 for name, size in sizes.items()})
    assert end_offsets(tmp_path / "log") == sizes
    assert read_frames(tmp_path / "log", {}, limit_bytes=10_000)[0] == []


def test_a_blanking_that_was_killed_is_finished(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path / "log")
    for place in range(3):
        body = f"body {place}".encode()
        log.append(Frame(received_at_us=1, source_id="shop", kind="batch", body=body)).result()
    log.close()
    (path,) = (tmp_path / "log").iterdir()
    data = path.read_bytes()
    at = data.index(b"body 1")
    path.write_bytes(data[:at] + b"\0" * 3 + data[at + 3 :])
    blank(tmp_path / "log", {path.name: len(data)})
    assert b"body" not in path.read_bytes()
    assert b"y 1" not in path.read_bytes()
    assert path.stat().st_size == len(data)


def test_a_file_from_before_a_column_is_written_anew_with_null_in_it(lake: Lake) -> None:
    lake.create("fact", pa.schema([*SCHEMA, ("more", pa.string())]))
    assert rewrite(lake, "fact", without_ana).rewritten == 3
    drop_history(lake, "fact")
    assert holding(lake.folder) == []
    assert lake.read("fact")["more"].to_pylist() == [None] * 5
    assert lake.has_grown("fact")
