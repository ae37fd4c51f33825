"""The lake: whole commits only, with their proof inside, whatever was killed, full or too late."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from opportune.storage import ConcurrentWrite, DuckDB, Lake, LakeUnavailable, SchemaMismatch

DAY = date(2026, 3, 1)
MOMENT = datetime(2026, 3, 1, 6, 0, 0, 123456, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("word", pa.string()),
        ("share", pa.float64()),
        ("values", pa.list_(pa.float64())),
    ]
)


def rows(*numbers: int | None, **columns: list[Any]) -> pa.Table:
    many = len(numbers)
    body = {
        "number": list(numbers),
        "day": [DAY] * many,
        "at": [MOMENT] * many,
        "word": ["a"] * many,
        "share": [0.5] * many,
        "values": [[1.0]] * many,
    }
    return pa.table(body | columns, schema=SCHEMA)


def numbers(lake: Lake) -> list[int]:
    return sorted(lake.read("fact", columns=["number"])["number"].to_pylist())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return another(tmp_path / "lake")


def another(folder: Path) -> Lake:
    made = Lake(folder)
    made.create("fact", SCHEMA)
    return made


def test_a_table_that_is_there_is_not_made_again(lake: Lake) -> None:
    lake.append("fact", rows(1))
    lake.create("fact", SCHEMA)
    another(lake.folder)
    assert numbers(lake) == [1]


@pytest.mark.parametrize("attempt", range(5))
def test_a_table_is_made_once_by_many_at_the_same_time(tmp_path: Path, attempt: int) -> None:
    together = threading.Barrier(6)
    failures: list[BaseException] = []

    def make() -> None:
        together.wait()
        try:
            another(tmp_path / "lake")
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert another(tmp_path / "lake").read("fact").num_rows == 0


def test_a_table_with_other_columns_is_refused_and_stays(lake: Lake) -> None:
    lake.append("fact", rows(1))
    with pytest.raises(SchemaMismatch) as refused:
        Lake(lake.folder).create("fact", pa.schema([("number", pa.int64()), ("new", pa.string())]))
    assert refused.value.message == (
        "Table 'fact' of the lake has other columns or types than this program writes. In the "
        "folder: number, day, at, word, share, values. Expected: number, new. Use the newest "
        "version of the program that wrote to the data folder, or start a new folder."
    )
    assert numbers(lake) == [1]


GROWN = pa.schema([*SCHEMA, ("more", pa.list_(pa.string())), ("since", pa.timestamp("us", "UTC"))])


def grown(lake: Lake) -> Lake:
    newer = Lake(lake.folder)
    newer.create("fact", GROWN)
    return newer


def full(*numbers: int) -> pa.Table:
    body = rows(*numbers).to_pydict()
    more = {"more": [["x"]] * len(numbers), "since": [MOMENT] * len(numbers)}
    return pa.table(body | more, schema=GROWN)


def asked(lake: Lake) -> list[dict[str, Any]]:
    sql = "select number, more, since, word from fact order by number"
    return DuckDB(lake).query(sql, tables={"fact": None}).to_pylist()


def version(lake: Lake) -> int:
    return int(DeltaTable(str(lake.folder / "fact")).version())


def test_a_table_of_an_older_program_gains_columns_and_old_rows_have_null_there(lake: Lake) -> None:
    lake.append("fact", rows(1), key="day-1", positions={"one.log": 5})
    newer = grown(lake)
    none = {"number": 1, "more": None, "since": None, "word": "a"}
    some = {"number": 2, "more": ["x"], "since": MOMENT, "word": "a"}
    assert newer.has("fact", "day-1")
    assert newer.position("fact", "one.log") == 5
    # Only files from before, then both, then one that was made of both.
    assert asked(newer) == [none]
    assert newer.append("fact", full(2))
    assert asked(newer) == [none, some]
    newer.compact("fact")
    assert len(newer.files("fact")) == 1
    assert asked(newer) == [none, some]
    assert newer.read("fact")["more"].to_pylist() in ([None, ["x"]], [["x"], None])
    assert newer.read("fact").schema.names == GROWN.names


def test_columns_are_added_once_in_one_commit(lake: Lake) -> None:
    lake.append("fact", rows(1))
    before = version(lake)
    newer = grown(lake)
    newer.create("fact", GROWN)
    grown(lake)
    assert version(lake) == before + 1
    assert newer.has_grown("fact")
    assert not another(lake.folder.with_name("new")).has_grown("fact")


def test_whoever_reads_an_older_snapshot_goes_on(lake: Lake) -> None:
    lake.append("fact", rows(1))
    pinned = lake.files("fact")
    reader = Lake(lake.folder)
    assert reader.schema("fact").names == SCHEMA.names
    grown(lake).append("fact", full(2))
    assert pq.read_table(pinned)["number"].to_pylist() == [1]
    assert sorted(reader.read("fact")["number"].to_pylist()) == [1, 2]
    sql = "select * from fact order by number"
    assert DuckDB(reader).query(sql, tables={"fact": None}).schema.names == SCHEMA.names
    reader.create("fact", GROWN)
    assert DuckDB(reader).query(sql, tables={"fact": None}).schema.names == GROWN.names


def test_an_older_program_writes_no_rows_without_the_columns(lake: Lake) -> None:
    newer = grown(lake)
    newer.append("fact", full(1))
    with pytest.raises(SchemaMismatch, match=r"In the folder: .*, more, since\. Expected: "):
        lake.append("fact", rows(2), key="k")
    with pytest.raises(SchemaMismatch, match="Use the newest version of the program"):
        another(lake.folder)
    assert not newer.has("fact", "k")
    assert numbers(newer) == [1]


@pytest.mark.parametrize(
    "schema",
    [
        pa.schema([*SCHEMA][:-1]),
        pa.schema([pa.field("number", pa.string()), *[*SCHEMA][1:]]),
        pa.schema([pa.field("number", pa.int64(), nullable=False), *[*SCHEMA][1:]]),
        pa.schema([pa.field("more", pa.string()), *SCHEMA]),
        pa.schema([*SCHEMA, pa.field("more", pa.string(), nullable=False)]),
    ],
    ids=["removed", "other type", "stricter", "not at the end", "not nullable"],
)
def test_any_other_change_of_columns_is_refused(lake: Lake, schema: pa.Schema) -> None:
    lake.append("fact", rows(1))
    before = version(lake)
    with pytest.raises(SchemaMismatch, match="other columns or types"):
        Lake(lake.folder).create("fact", schema)
    assert version(lake) == before
    assert lake.append("fact", rows(2))


@pytest.mark.parametrize("attempt", range(5))
def test_columns_are_added_once_by_many_at_the_same_time(lake: Lake, attempt: int) -> None:
    lake.append("fact", rows(0))
    before = version(lake)
    together = threading.Barrier(6)
    failures: list[BaseException] = []

    def grow() -> None:
        newer = Lake(lake.folder)
        together.wait()
        try:
            newer.create("fact", GROWN)
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=grow) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert version(lake) == before + 1
    assert grown(lake).append("fact", full(1))


def test_a_table_that_this_process_did_not_make_is_known_by_its_folder(lake: Lake) -> None:
    lake.append("fact", rows(1))
    stranger = Lake(lake.folder)
    assert stranger.schema("fact").names == SCHEMA.names
    assert stranger.append("fact", rows(2))
    assert numbers(stranger) == [1, 2]


def test_a_table_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    nothing = Lake(tmp_path / "lake")
    for call in (
        lambda: nothing.files("fact"),
        lambda: nothing.read("fact"),
        lambda: nothing.append("fact", rows(1)),
        lambda: nothing.schema("fact"),
        lambda: nothing.compact("fact"),
        lambda: nothing.position("fact", "a"),
        lambda: nothing.has("fact", "a"),
    ):
        with pytest.raises(LakeUnavailable, match="Check that its folder is there"):
            call()


def test_what_was_appended_comes_back_unchanged(lake: Lake) -> None:
    table = rows(1, None, word=["é\n\"'", None], values=[[], [float("inf"), None]])
    lake.append("fact", table)
    back = lake.read("fact")
    assert back.to_pylist() == table.to_pylist()
    assert [str(kind) for kind in back.schema.types[:5]] == [str(kind) for kind in SCHEMA.types[:5]]


def test_a_commit_with_a_key_is_made_once(lake: Lake) -> None:
    assert not lake.has("fact", "day-1")
    assert lake.append("fact", rows(1), key="day-1")
    assert not lake.append("fact", rows(2), key="day-1")
    assert lake.append("fact", rows(3), key="day-2")
    assert not another(lake.folder).append("fact", rows(4), key="day-1")
    assert lake.has("fact", "day-1")
    assert numbers(lake) == [1, 3]


def test_no_rows_move_a_position_and_add_no_file(lake: Lake) -> None:
    assert lake.position("fact", "one.log") == 0
    assert lake.append("fact", rows(), positions={"one.log": 7, "two.log": 8})
    assert (lake.position("fact", "one.log"), lake.position("fact", "two.log")) == (7, 8)
    assert lake.files("fact") == []
    assert lake.read("fact").num_rows == 0


def test_keys_and_positions_survive_checkpoints_and_compaction(lake: Lake) -> None:
    lake.append("fact", rows(-1), key="first")
    for number in range(1, 111):
        lake.append("fact", rows(number), key=f"k{number}", positions={"one.log": number * 10})
    log = lake.folder / "fact" / "_delta_log"
    assert len(list(log.glob("*.checkpoint.parquet"))) == 2
    lake.compact("fact")
    # As the clean-up of a day later does: what is before the checkpoint goes.
    for entry in log.glob("0*.json"):
        if int(entry.stem) < 99:
            entry.unlink()
    for reader in (lake, another(lake.folder)):
        assert reader.position("fact", "one.log") == 1100
        assert reader.has("fact", "first")
        assert not reader.append("fact", rows(5), key="k5")
        assert numbers(reader) == [-1, *range(1, 111)]
        assert len(reader.files("fact")) == 1


def test_an_idle_reader_sees_what_came_after_a_clean_up(lake: Lake) -> None:
    idle = another(lake.folder)
    assert idle.files("fact") == []
    for number in range(60):
        lake.append("fact", rows(number))
    for entry in (lake.folder / "fact" / "_delta_log").glob("0*.json"):
        if int(entry.stem) < 49:
            entry.unlink()
    assert len(idle.files("fact")) == 60


def test_a_position_never_goes_back(lake: Lake) -> None:
    lake.append("fact", rows(1), positions={"one.log": 100})
    with pytest.raises(ConcurrentWrite):
        lake.append("fact", rows(2), positions={"one.log": 99})
    assert lake.position("fact", "one.log") == 100
    assert numbers(lake) == [1]


def test_two_readers_of_one_log_do_not_store_the_same_frames_twice(lake: Lake) -> None:
    first, second = another(lake.folder), another(lake.folder)
    assert (first.position("fact", "one.log"), second.position("fact", "one.log")) == (0, 0)
    first.append("fact", rows(1, 2), positions={"one.log": 200})
    with pytest.raises(ConcurrentWrite) as late:
        second.append("fact", rows(1, 2, 3), positions={"one.log": 300})
    assert late.value.code == "concurrent_write"
    assert numbers(lake) == [1, 2]
    assert second.position("fact", "one.log") == 200
    assert second.append("fact", rows(3), positions={"one.log": 300})
    assert numbers(lake) == [1, 2, 3]


def test_writers_at_once_are_whole_or_refused(lake: Lake) -> None:
    """One writer a table: the one who is late is told so, and nothing of it is there."""
    kept: list[int] = []
    together = threading.Barrier(3)

    def write(writer: Lake, start: int) -> None:
        together.wait()
        for number in range(start, start + 8):
            try:
                writer.append("fact", rows(number), key=str(number))
            except ConcurrentWrite:
                continue
            kept.append(number)

    threads = [
        threading.Thread(target=write, args=(another(lake.folder), 100 * each)) for each in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(lake) == sorted(kept)
    assert len(kept) >= 8
    assert [number for number in kept if not lake.has("fact", str(number))] == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            rows(1).select(["number", "day"]),
            "Rows do not fit table 'fact'. Columns given: number, day. Expected, in this order: "
            "number, day, at, word, share, values.",
        ),
        (
            rows(1).set_column(0, "number", pa.array(["joe@example.com"])),
            "Rows do not fit table 'fact': column 'number' must be int64, and what was given is "
            "string or has values that do not fit.",
        ),
        (
            rows(1).set_column(5, "values", pa.array([1])),
            "Rows do not fit table 'fact': column 'values' must be list<item: double>, and what "
            "was given is int64 or has values that do not fit.",
        ),
        (
            rows(1).set_column(0, "number", pa.array([1.5])),
            "Rows do not fit table 'fact': column 'number' must be int64, and what was given is "
            "double or has values that do not fit.",
        ),
    ],
)
def test_rows_that_do_not_fit_are_refused_without_their_values(
    lake: Lake, table: pa.Table, said: str
) -> None:
    with pytest.raises(SchemaMismatch) as refused:
        lake.append("fact", table, key="k")
    assert refused.value.message.replace("element: ", "item: ") == said
    assert refused.value.__context__ is None
    assert numbers(lake) == []
    assert not lake.has("fact", "k")


def test_a_null_where_none_may_be_is_refused(tmp_path: Path) -> None:
    strict = Lake(tmp_path)
    strict.create("fact", pa.schema([pa.field("number", pa.int64(), nullable=False)]))
    assert strict.append("fact", pa.table({"number": [1]}))
    with pytest.raises(SchemaMismatch, match=r"column 'number' must be int64, .* is null"):
        strict.append("fact", pa.table({"number": pa.array([None], pa.int64())}))
    assert numbers(strict) == [1]


def test_everything_can_read_the_table(lake: Lake) -> None:
    lake.append("fact", rows(1))
    table = DeltaTable(str(lake.folder / "fact"))
    protocol = table.protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert (protocol.reader_features, protocol.writer_features) == (None, None)
    stored = pq.read_schema(lake.files("fact")[0])
    assert stored.field("at").type == pa.timestamp("us", "UTC")
    assert table.metadata().configuration == {
        "delta.checkpointInterval": "50",
        "delta.logRetentionDuration": "interval 1 days",
    }


def test_an_old_snapshot_is_read_to_its_end_while_the_table_is_compacted(lake: Lake) -> None:
    for number in range(10):
        lake.append("fact", rows(number))
    before = lake.files("fact")
    lake.compact("fact")
    lake.append("fact", rows(10))
    assert len(before) == 10
    assert len(lake.files("fact")) == 2
    counted = duckdb.from_parquet(before).aggregate("count(*)").fetchall()
    assert counted == [(10,)]
    assert numbers(lake) == list(range(11))


def test_a_second_compaction_is_refused_until_the_first_one_ends(lake: Lake) -> None:
    for number in range(3):
        lake.append("fact", rows(number))
    with (lake.folder / ".fact.compacting").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ConcurrentWrite):
            lake.compact("fact")
        assert len(lake.files("fact")) == 3
    lake.compact("fact")
    assert len(lake.files("fact")) == 1
    assert numbers(lake) == [0, 1, 2]


def test_compactions_and_a_writer_at_once_lose_and_repeat_nothing(lake: Lake) -> None:
    for number in range(12):
        lake.append("fact", rows(number))
    together = threading.Barrier(4)
    kept = list(range(12))

    def compact(each: Lake) -> None:
        together.wait()
        with suppress(ConcurrentWrite):
            each.compact("fact")

    threads = [threading.Thread(target=compact, args=(another(lake.folder),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    together.wait()
    for number in range(12, 16):
        with suppress(ConcurrentWrite):
            lake.append("fact", rows(number))
            kept.append(number)
    for thread in threads:
        thread.join()
    assert numbers(lake) == kept
    assert len(lake.files("fact")) < 16


@pytest.mark.parametrize(
    ("between", "kept"),
    [
        (("number", 5, 5), [1, 3]),
        (("number", 10, 99), [1, 2, 3]),
        (("number", 21, 99), [3]),
        (("number", -9, 0), [3]),
        (("day", date(2026, 3, 2), date(2026, 3, 9)), [2, 3]),
        (("day", date(2026, 3, 1), date(2026, 3, 1)), [1, 3]),
        (("share", 2.0, 3.0), [1, 2, 3]),
        (("values", 2.0, 3.0), [1, 2, 3]),
    ],
)
def test_files_that_cannot_matter_are_left_out(
    lake: Lake, between: tuple[str, Any, Any], kept: list[int]
) -> None:
    later = date(2026, 3, 2)
    lake.append("fact", rows(1, 10, None))
    lake.append("fact", rows(10, 20, day=[later, later]))
    lake.append("fact", rows(None, None, day=[None, None], word=[None, None]))
    names = {
        row["path"]: {2: 2, 3: 1}[row["num_records"]]
        for row in pa.table(lake._open("fact").get_add_actions(flatten=True)).to_pylist()
        if row["null_count.number"] != 2
    }
    found = [names.get(Path(path).name, 3) for path in lake.files("fact", between=between)]
    assert sorted(found) == kept


def test_a_time_between_two_milliseconds_is_not_lost(lake: Lake) -> None:
    """The statistics of times end at milliseconds."""
    lake.append("fact", rows(1))
    for low, high, found in (
        (MOMENT, MOMENT, 1),
        (MOMENT - timedelta(microseconds=100), MOMENT, 1),
        (MOMENT + timedelta(milliseconds=2), MOMENT + timedelta(days=1), 0),
        (MOMENT - timedelta(days=1), MOMENT - timedelta(milliseconds=2), 0),
    ):
        assert len(lake.files("fact", between=("at", low, high))) == found


VALUES = st.one_of(st.none(), st.integers(-50, 50))


@hypothesis_settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    files=st.lists(st.lists(VALUES, min_size=1, max_size=4), min_size=1, max_size=4),
    low=st.integers(-60, 60),
    span=st.integers(0, 40),
)
def test_no_file_with_a_matching_row_is_left_out(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[int | None]], low: int, span: int
) -> None:
    lake = another(tmp_path_factory.mktemp("pruned"))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for file in files:
        times = [None if each is None else start + timedelta(microseconds=each) for each in file]
        words = [None if each is None else chr(each + 100) * 90 for each in file]
        lake.append("fact", rows(*file, at=times, word=words))
    matching = sorted(
        each for file in files for each in file if each is not None and low <= each <= low + span
    )
    ranges: list[tuple[str, Any, Any]] = [
        ("number", low, low + span),
        ("at", start + timedelta(microseconds=low), start + timedelta(microseconds=low + span)),
        ("word", chr(low + 100) * 90, chr(low + span + 100) * 90),
    ]
    for column, least, most in ranges:
        kept = [
            number
            for path in lake.files("fact", between=(column, least, most))
            for number in pq.read_table(path)["number"].to_pylist()
        ]
        found = sorted(each for each in kept if each is not None and low <= each <= low + span)
        assert found == matching, column


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_lake import another, rows
lake = another(Path(sys.argv[1]))
while True:
    at = lake.position("fact", "one.log")
    lake.append("fact", rows(at, at + 1), key=f"k{at}", positions={"one.log": at + 2})
    print("ready", flush=True)
"""


def test_a_killed_writer_leaves_whole_commits_only(lake: Lake) -> None:
    seen = 0
    for delay_s in (0.11, 0.23, 0.17, 0.05):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(lake.folder), str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            threading.Event().wait(delay_s)
            os.kill(child.pid, signal.SIGKILL)
        at = lake.position("fact", "one.log")
        assert numbers(lake) == list(range(at))
        assert all(lake.has("fact", f"k{key}") for key in range(0, at, 2))
        assert at > seen
        seen = at


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_lake import another, numbers, rows
from opportune.storage import LakeUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
lake = another(Path(sys.argv[1]))
lake.append("fact", rows(1))
lake.append("fact", rows(2))
infinite = resource.RLIM_INFINITY
for limit in (0, 100, 700):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, infinite))
    for call in (
        lambda: lake.append("fact", rows(*range(500)), key="k", positions={"one.log": 5}),
        lambda: lake.create("other", lake.schema("fact")),
        lambda: lake.compact("fact") if limit == 0 else lake.files("none"),
    ):
        try:
            call()
        except LakeUnavailable:
            print("unavailable")
    resource.setrlimit(resource.RLIMIT_FSIZE, (infinite, infinite))
    print(numbers(lake), lake.has("fact", "k"), lake.position("fact", "one.log"))
print(lake.append("fact", rows(3), key="k", positions={"one.log": 5}), numbers(lake))
lake.create("other", lake.schema("fact"))
"""


def test_a_full_disk_refuses_the_commit_and_the_next_one_works(lake: Lake) -> None:
    told = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(lake.folder), str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    unchanged = ["unavailable", "unavailable", "unavailable", "[1, 2] False 0"]
    assert told.stdout.splitlines() == [*unchanged * 3, "True [1, 2, 3]"]
    assert numbers(lake) == [1, 2, 3]
