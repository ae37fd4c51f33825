"""State: what goes in comes out, one holder of a lock, and a lost server is waited out."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from opportune.storage import (
    DatabaseUnavailable,
    QueryFailed,
    State,
    embedded,
    fetch,
    read_table,
    stage,
)

PERSONAL = "joe@example.com"
TEXTS = [
    "",
    None,
    "NULL",
    "null",
    '"',
    "a\nb\r\nc",
    "a,b",
    "\\",
    "\\.",
    "\\N",
    "é😀\u2028",
    " ",
    "'",
]


@pytest.fixture
def state(database_url: str) -> Iterator[State]:
    with closing(State(database_url)) as opened:
        yield opened


def round_trip(state: State, data: pa.Table, *columns: str) -> pa.Table:
    with state.transaction() as connection:
        stage(connection, "incoming", ("place int", *columns), data)
        names = ", ".join(data.column_names)
        sql = f"select {names} from incoming order by place"  # noqa: S608  # the test's own names
        return read_table(connection, sql, data.schema)


def test_texts_come_back_as_they_went(state: State) -> None:
    data = pa.table({"place": pa.array(range(len(TEXTS)), pa.int32()), "body": TEXTS})
    assert round_trip(state, data, "body text").to_pylist() == data.to_pylist()


def test_numbers_truths_and_days_come_back_as_they_went(state: State) -> None:
    data = pa.table(
        {
            "place": pa.array([1, 2, 3], pa.int32()),
            "big": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
            "small": pa.array([-7, 0, None], pa.int32()),
            "truth": [True, False, None],
            "share": [0.1 + 0.2, -1e-300, None],
            "day": [date(2026, 3, 1), date(1969, 12, 31), None],
        }
    )
    kinds = ("big bigint", "small int", "truth boolean", "share double precision", "day date")
    assert round_trip(state, data, *kinds).to_pylist() == data.to_pylist()


def test_numbers_beyond_numbers_come_back(state: State) -> None:
    data = pa.table(
        {"place": pa.array([1, 2, 3], pa.int32()), "n": [math.inf, -math.inf, math.nan]}
    )
    back = round_trip(state, data, "n double precision")["n"].to_pylist()
    assert back[:2] == [math.inf, -math.inf]
    assert math.isnan(back[2])


def test_times_and_documents_come_in(state: State) -> None:
    moment = datetime(2026, 3, 1, 6, 0, 0, 123456, tzinfo=UTC)
    traits = '{"name": "O\'Hara \\"x\\"", "list": [1, null], "text": "a\\\\nb"}'
    data = pa.table(
        {
            "place": pa.array([1, 2], pa.int32()),
            "at": pa.array([moment, None], pa.timestamp("us", "UTC")),
            "traits": [traits, None],
        }
    )
    with state.transaction() as connection:
        stage(connection, "incoming", ("place int", "at timestamptz", "traits jsonb"), data)
        sql = "select at, traits, traits ->> 'name' as name from incoming order by place"
        assert fetch(connection, sql) == [
            {
                "at": moment,
                "traits": {"name": 'O\'Hara "x"', "list": [1, None], "text": "a\\nb"},
                "name": 'O\'Hara "x"',
            },
            {"at": None, "traits": None, "name": None},
        ]


def test_no_rows_have_their_columns(state: State) -> None:
    schema = pa.schema([("place", pa.int32()), ("body", pa.string())])
    back = round_trip(state, schema.empty_table(), "body text")
    assert (back.num_rows, back.schema) == (0, schema)


def test_a_column_alone_keeps_its_nulls(state: State) -> None:
    sql = "select * from (values (1), (null), (2), (null)) as n (number)"
    back = state.table(sql, pa.schema([("number", pa.int64())]))
    assert back["number"].to_pylist() == [1, None, 2, None]
    texts = state.table("values (''), (null)", pa.schema([("body", pa.string())]))
    assert texts["body"].to_pylist() == ["", None]


def test_a_row_of_some_megabytes_comes_back(state: State) -> None:
    schema = pa.schema([("number", pa.int64()), ("body", pa.string())])
    sql = "select n, repeat(chr(97 + n), %(many)s) from generate_series(0, 2) as n order by n"
    back = state.table(sql, schema, {"many": 3_000_000})
    assert [len(body) for body in back["body"].to_pylist()] == [3_000_000] * 3


def test_a_query_for_a_table_may_end_in_a_comment_or_a_semicolon(state: State) -> None:
    schema = pa.schema([("one", pa.int64())])
    for sql in ("select 1;\n", "-- why\nselect 1 -- done", "select 1 -- 100 %"):
        assert state.table(sql, schema).to_pylist() == [{"one": 1}]


def test_percent_signs_and_quotes_in_parameters_are_data(state: State) -> None:
    text = "100 %s %(x)s %% ' ; drop table profile; --"
    assert state.rows("select %(text)s as text, 5 %% 3 as rest", {"text": text}) == [
        {"text": text, "rest": 2}
    ]
    assert state.rows("select 5 % 3 as rest") == [{"rest": 2}]
    schema = pa.schema([("text", pa.string()), ("rest", pa.int64())])
    found = state.table("select %(text)s, 5 %% 3", schema, {"text": text})
    assert found.to_pylist() == [{"text": text, "rest": 2}]


def test_a_statement_without_rows_has_none(state: State) -> None:
    assert state.rows("create temporary table t (a int)") == []


def test_a_staged_table_ends_with_its_transaction(state: State) -> None:
    data = pa.table({"place": pa.array([1], pa.int32())})
    for _ in range(2):
        with state.transaction() as connection:
            stage(connection, "incoming", ("place int",), data)
    with pytest.raises(QueryFailed, match='relation "incoming" does not exist'):
        state.rows("select place from incoming")


SOURCE = "insert into source values (%(id)s, %(id)s, now())"


def test_bytes_come_back_the_same_in_either_format(state: State) -> None:
    given = bytes(range(256)) * 10
    for binary in (False, True):
        found = state.rows("select %(given)s::bytea as it", {"given": given}, binary=binary)
        assert found == [{"it": given}]


def test_a_table_that_was_filled_at_once_is_analyzed_once(state: State) -> None:
    state.rows("create table filled (number int); create table small (number int)")
    with state.transaction() as connection:
        fetch(connection, "insert into filled select generate_series(1, 5000)")
        fetch(connection, "insert into small select generate_series(1, 500)")
        fetch(connection, "select pg_stat_force_next_flush()")
    assert state.analyze_grown() == 1
    known = state.rows(
        "select relname, reltuples from pg_class where relname in ('filled', 'small')"
    )
    assert {row["relname"]: row["reltuples"] for row in known} == {"filled": 5000, "small": -1}
    assert state.analyze_grown() == 0


def test_an_exception_rolls_everything_back(state: State) -> None:
    def fail() -> None:
        with state.transaction() as connection:
            fetch(connection, SOURCE, {"id": "one"})
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
    assert state.rows("select source_id from source") == []
    state.rows(SOURCE, {"id": "two"})
    assert state.rows("select source_id from source") == [{"source_id": "two"}]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        (SOURCE, "UniqueViolation, source, source_pkey"),
        ("select %(id)s::int", "InvalidTextRepresentation"),
        ("select (%(id)s::text)::jsonb", "InvalidTextRepresentation"),
        ("insert into source values (%(id)s, null, now())", "NotNullViolation, source, key_sha256"),
        ("select nothing, %(id)s", 'UndefinedColumn, column "nothing" does not exist'),
        ("selec %(id)s", 'SyntaxError, syntax error at or near "selec"'),
        ("select %(id)s, %(missing)s", "ProgrammingError, query parameter missing: missing"),
    ],
)
def test_a_failed_statement_quotes_no_value(state: State, sql: str, said: str) -> None:
    state.rows(SOURCE, {"id": PERSONAL})
    with pytest.raises(QueryFailed) as failed:
        state.rows(sql, {"id": PERSONAL})
    assert failed.value.message == f"A statement failed: {said}"
    assert PERSONAL not in "".join(traceback.format_exception(failed.value))


def test_rows_that_do_not_fit_a_staged_table_are_not_quoted(state: State) -> None:
    def copy() -> None:
        with state.transaction() as connection:
            stage(connection, "incoming", ("place int",), pa.table({"place": [PERSONAL]}))

    with pytest.raises(QueryFailed) as failed:
        copy()
    assert PERSONAL not in "".join(traceback.format_exception(failed.value))


def test_times_are_utc_whatever_the_server_thinks(database_url: str) -> None:
    with closing(State(database_url)) as first:
        first.rows(
            """do $$ begin execute format('alter database %I set timezone = ''Asia/Tokyo''',
            current_database()); execute format('alter database %I set datestyle = ''German''',
            current_database()); end $$"""
        )
    with closing(State(database_url)) as second:
        sql = "select timestamptz '2026-03-01 23:00:00+00' as at, (%(at)s)::date as day"
        at = datetime(2026, 3, 1, 23, tzinfo=UTC)
        assert second.rows(sql, {"at": at}) == [{"at": at, "day": date(2026, 3, 1)}]
        schema = pa.schema([("day", pa.date32())])
        assert second.table("select date '2026-03-01'", schema).to_pylist() == [
            {"day": date(2026, 3, 1)}
        ]


def test_a_lock_has_one_holder(database_url: str, state: State) -> None:
    with closing(State(database_url)) as other:
        with state.lock("worker") as mine:
            with other.lock("worker") as theirs, other.lock("reports") as free:
                assert (mine, theirs, free) == (True, False, True)
            with state.lock("worker") as again:
                assert not again
        with other.lock("worker") as theirs:
            assert theirs


def test_a_lock_ends_with_its_block_even_by_an_exception(state: State) -> None:
    def fail() -> None:
        with state.lock("worker"):
            raise KeyError("mine")

    with pytest.raises(KeyError):
        fail()
    with state.lock("worker") as taken:
        assert taken


def test_a_held_lock_is_no_open_transaction(state: State) -> None:
    with state.lock("worker"):
        sql = """select count(*) as many from pg_stat_activity
            where datname = current_database() and state like 'idle in transaction%'"""
        assert state.rows(sql) == [{"many": 0}]


HOLDER = """
import sys, time
from opportune.storage import State
with State(sys.argv[1]).lock("worker") as taken:
    print(taken, flush=True)
    time.sleep(60)
"""


def test_a_killed_holder_loses_the_lock(database_url: str, state: State) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, database_url], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"True\n"
        with state.lock("worker") as taken:
            assert not taken
        os.kill(child.pid, signal.SIGKILL)
    for _ in range(100):
        with state.lock("worker") as taken:
            if taken:
                return
        time.sleep(0.05)
    pytest.fail("the lock outlived its holder")


def test_a_broken_connection_is_unavailable_and_the_next_one_works(
    database_url: str, state: State
) -> None:
    def cut(connection: Any) -> None:
        with closing(State(database_url)) as other:
            number = {"pid": connection.info.backend_pid}
            other.rows("select pg_terminate_backend(%(pid)s)", number)

    def lose() -> None:
        with state.transaction() as connection:
            fetch(connection, SOURCE, {"id": "one"})
            cut(connection)
            fetch(connection, SOURCE, {"id": "two"})

    with pytest.raises(DatabaseUnavailable, match="AdminShutdown"):
        lose()
    assert state.rows("select source_id from source") == []


def test_nothing_is_left_of_a_closed_state(database_url: str) -> None:
    before = threading.active_count()
    state = State(database_url)
    state.rows("select 1 as one")
    assert threading.active_count() > before
    state.close()
    assert threading.active_count() == before
    with pytest.raises(DatabaseUnavailable):
        state.rows("select 1 as one")
    State(database_url).close()


def test_an_address_without_a_server_is_unavailable_soon(tmp_path: Path) -> None:
    began = time.monotonic()
    with (
        closing(State(f"postgresql://postgres@/postgres?host={tmp_path}")) as state,
        pytest.raises(DatabaseUnavailable, match="events are still accepted"),
    ):
        state.rows("select 1 as one")
    assert time.monotonic() - began < 15


def test_a_restarted_server_is_found_again_by_the_same_state() -> None:
    with tempfile.TemporaryDirectory(prefix="opportune-test-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        server = embedded.start(Path(place) / "pg")
        with closing(State(server.url)) as state:
            together = threading.Barrier(6)

            def use() -> None:
                with state.transaction() as connection:
                    fetch(connection, "select 1")
                    together.wait()

            threads = [threading.Thread(target=use) for _ in range(5)]
            for thread in threads:
                thread.start()
            together.wait()
            for thread in threads:
                thread.join()
            # Five idle connections are about to die.
            server.stop()
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                state.rows("select 1 as one")
            assert time.monotonic() - began < 15
            server = embedded.start(Path(place) / "pg")
            began = time.monotonic()
            found = None
            while found is None and time.monotonic() - began < 15:
                try:
                    found = state.rows("select 1 as one")
                except DatabaseUnavailable:
                    continue
            assert found == [{"one": 1}]
        server.stop()


def test_a_statement_on_a_connection_of_its_own_is_a_transaction(
    database_url: str, state: State
) -> None:
    state.rows("create table kept (n int)")
    with state.direct() as direct:
        assert direct.rows("insert into kept (n) values (%(n)s) returning n", {"n": 7}) == [
            {"n": 7}
        ]
        assert state.rows("select n from kept") == [{"n": 7}]
        with pytest.raises(QueryFailed):
            direct.rows("insert into kept (n) values (1 / 0)")
        # What failed holds nothing up, and the connection goes on.
        assert direct.rows("select n from kept") == [{"n": 7}]
        assert direct.rows("drop table kept") == []


def test_a_statement_whose_connection_was_cut_is_run_on_a_new_one(state: State) -> None:
    with state.direct() as direct:
        (before,) = direct.rows("select pg_backend_pid() as pid")
        state.rows("select pg_terminate_backend(%(pid)s)", before)
        (after,) = direct.rows("select pg_backend_pid() as pid")
    assert after["pid"] != before["pid"]


def test_a_connection_of_its_own_is_unavailable_without_a_server(tmp_path: Path) -> None:
    with (
        closing(State(f"postgresql://nobody@/none?host={tmp_path}")) as away,
        away.direct() as direct,
        pytest.raises(DatabaseUnavailable),
    ):
        direct.rows("select 1")
