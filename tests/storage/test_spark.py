"""Spark through Spark Connect: the rows that DuckDB gives, for all that the program asks."""

from __future__ import annotations

import json
import logging.config
import subprocess
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from opportune.storage import (
    EngineUnavailable,
    Lake,
    LakeUnavailable,
    QueryFailed,
    load_sql,
    open_engine,
)
from opportune.storage.spark import Spark
from opportune.testing import Compared, check_engine

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.xdist_group("spark")]

PERSONAL = "joe@example.com"
SCHEMA = pa.schema([("number", pa.int64()), ("word", pa.string())])


@pytest.fixture
def engine(spark_address: str, tmp_path: Path) -> Iterator[Spark]:
    # A path that Spark would take for a pattern.
    lake = Lake(tmp_path / "a lake {1,2}")
    lake.create("fact", SCHEMA)
    lake.append("fact", pa.table({"number": [1, 2], "word": ["a", PERSONAL]}, SCHEMA))
    with closing(Spark(spark_address, lake)) as engine:
        yield engine


def test_spark_gives_the_rows_of_duckdb(spark_address: str, tmp_path: Path) -> None:
    with closing(open_engine(spark_address, Lake(tmp_path))) as engine:
        check_engine(engine)


def test_columns_that_came_later_are_null_in_older_rows(engine: Spark) -> None:
    grown = pa.schema([*SCHEMA, ("share", pa.float64()), ("more", pa.list_(pa.string()))])
    sql = "select number, share, more from fact order by number"
    engine.lake.create("fact", grown)
    both = Compared(engine)
    assert both.query(sql, tables={"fact": None})["share"].to_pylist() == [None, None]
    engine.lake.append("fact", pa.table([[3], ["b"], [0.5], [["x"]]], schema=grown))
    assert both.query(sql, tables={"fact": None}).to_pylist() == [
        {"number": 1, "share": None, "more": None},
        {"number": 2, "share": None, "more": None},
        {"number": 3, "share": 0.5, "more": ["x"]},
    ]


def test_threads_do_not_see_each_others_tables(engine: Spark) -> None:
    def count(place: int) -> list[int]:
        rows = pa.table({"place": [place] * 3})
        sql = "select given.place from given join fact on fact.number = 1 order by given.place"
        found = engine.query(sql, tables={"fact": None}, relations={"given": rows})
        places: list[int] = found["place"].to_pylist()
        return places

    with ThreadPoolExecutor(max_workers=4) as pool:
        assert list(pool.map(count, range(12))) == [[place] * 3 for place in range(12)]


def test_a_large_relation_is_sent_in_pieces(engine: Spark) -> None:
    rows = pa.table({"number": range(1_000_000), "word": ["x" * 50] * 1_000_000})
    sql = "select count(*) as n, sum(given.number)::bigint as s from given join fact on true"
    found = engine.query(sql, tables={"fact": None}, relations={"given": rows})
    assert found.to_pylist() == [{"n": 2_000_000, "s": 999_999_000_000}]


def test_what_a_query_named_is_gone_afterwards(engine: Spark) -> None:
    engine.query("select number from fact", tables={"fact": None})
    engine.send("select place from given", relations={"given": pa.table({"place": [1]})})
    for name in ("fact", "given"):
        with pytest.raises(QueryFailed, match="does not exist"):
            engine.send(f"select * from {name}")  # noqa: S608  # the test's own names


@pytest.mark.parametrize(
    ("sql", "condition"),
    [
        ("select cast(word as date) as a from fact", "CAST_INVALID_INPUT"),
        ("select number * 9223372036854775807 as a from fact", "ARITHMETIC_OVERFLOW"),
        ("select number // (number - number) as a from fact", "DIVIDE_BY_ZERO"),
        ("select cast('2026-01-02' as date) - cast('2026-01-01' as date) as a", "ArrowTypeError"),
    ],
)
def test_a_failed_query_tells_its_sql_and_no_value(
    engine: Spark, sql: str, condition: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # As a server does when it starts: what was disabled is enabled.
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    with pytest.raises(QueryFailed) as failed:
        engine.send(sql, tables={"fact": None})
    assert failed.value.message == f"A query failed: {condition}\nParameters: none\n{sql}"
    printed = "".join([*traceback.format_exception(failed.value), *capfd.readouterr()])
    assert PERSONAL not in printed
    assert engine.query("select number from fact", tables={"fact": None}).num_rows == 2


def test_a_file_that_is_gone_is_unavailable(engine: Spark) -> None:
    for file in engine.lake.files("fact"):
        Path(file).unlink()
    with pytest.raises(LakeUnavailable, match="Check that its machines see"):
        engine.query("select number from fact", tables={"fact": None})


def test_a_session_that_the_server_forgot_is_begun_anew(engine: Spark) -> None:
    engine.query("select number from fact", tables={"fact": None})
    (session,) = engine._sessions
    session.client.release_session()
    assert engine.query("select number from fact", tables={"fact": None}).num_rows == 2
    (anew,) = engine._sessions
    assert anew is not session


def test_a_query_that_was_interrupted_is_unavailable(
    engine: Spark, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.query("select number from fact", tables={"fact": None})
    monkeypatch.setattr("opportune.storage.spark.LONGEST_S", 3.0)
    numbers = pa.table({"n": range(300_000)})
    sql = """select count(*) as n from given as a join given as b on a.n * b.n % 7 < b.n
        join fact on fact.number = 1"""
    with pytest.raises(EngineUnavailable, match="cannot be asked: OPERATION_CANCELED"):
        engine.query(sql, tables={"fact": None}, relations={"given": numbers})


def test_a_program_without_a_file_can_ask(engine: Spark) -> None:
    program = """
import sys
from pathlib import Path
import pyarrow as pa
from opportune.storage import Lake, open_engine
address, folder = sys.argv[1:]
engine = open_engine(address, Lake(Path(folder)))
sql = "select count(*) as n from fact join given on given.number = fact.number"
given = {"given": pa.table({"number": [2, 3]})}
print(engine.query(sql, tables={"fact": None}, relations=given).to_pylist())
engine.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", program, engine._address, str(engine.lake.folder)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[{'n': 1}]\n"), done.stderr


def test_what_is_history_is_the_same_on_spark(engine: Spark) -> None:
    """The one piece of SQL that others put into their queries."""
    marks = ['{"import": {"id": "7"}}', '{"import": {"id": "7", "live": true}}', "{}", None]
    marks += ['{"import": {"live": false}}', '{"import": {"id": 7, "live": "true"}}']
    rows = pa.table({"place": range(len(marks)), "context": pa.array(marks)})
    piece = load_sql("opportune.events.history", "is_history")
    sql = f"select place, {piece} as past from given join fact on number = 1 order by place"  # noqa: S608  # a file of ours
    both = Compared(engine)
    found = both.query(sql, tables={"fact": None}, relations={"given": rows})
    assert found["past"].to_pylist() == [True, False, False, False, False, False]


def test_names_in_json_are_found_whatever_they_are(engine: Spark) -> None:
    names = ["a b", " a", "a'b", 'a"b', "a?b", "a.b", "a[b", "*", "a*", "ä", "a\\b", "", "$", "0"]
    rows = pa.table({"body": [json.dumps({name: "yes"}) for name in names]})
    for name in names:
        pointer = "/" + name.replace("~", "~0").replace("/", "~1")
        sql = "select body from given where try(json_extract_string(body, $pointer)) = 'yes'"
        found = engine.send(sql, {"pointer": pointer}, relations={"given": rows})
        assert found["body"].to_pylist() == [json.dumps({name: "yes"})], name
