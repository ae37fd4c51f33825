"""The engine: rows over pinned files, parameters that stay data, errors that quote no one."""

from __future__ import annotations

import subprocess
import sys
import traceback
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from opportune.plugins import UnknownPlugin
from opportune.storage import (
    DuckDB,
    Engine,
    EngineUnavailable,
    InvalidEngine,
    Lake,
    LakeUnavailable,
    QueryFailed,
    load_sql,
    open_engine,
)
from opportune.storage import spark as seam
from opportune.storage.dialect import NotPortable

PERSONAL = "joe@example.com"
SCHEMA = pa.schema(
    [("number", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("word", pa.string())]
)


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    lake = Lake(tmp_path / "lake")
    for table in ("fact", "other"):
        lake.create(table, SCHEMA)
    return DuckDB(lake)


def fill(engine: Engine, table: str, *numbers: int) -> None:
    moment = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
    body = {"number": list(numbers), "at": [moment] * len(numbers), "word": ["a"] * len(numbers)}
    engine.lake.append(table, pa.table(body, SCHEMA))


def rows(engine: Engine, sql: str, **given: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.query(sql, **given).to_pylist()
    return found


def test_an_empty_table_has_its_columns(engine: Engine) -> None:
    found = engine.query("select * from fact", tables={"fact": None})
    assert found.num_rows == 0
    assert found.schema.names == SCHEMA.names
    assert [str(kind) for kind in found.schema.types] == [str(kind) for kind in SCHEMA.types]


def test_tables_and_relations_are_joined(engine: Engine) -> None:
    fill(engine, "fact", 1, 2)
    fill(engine, "fact", 3)
    fill(engine, "other", 2, 3, 4)
    sql = """select number, label from fact join other using (number) join named using (number)
        order by number"""
    named = pa.table({"number": [3, 4], "label": ["three", "four"]})
    tables = {"fact": None, "other": None}
    found = rows(engine, sql, tables=tables, relations={"named": named})
    assert found == [{"number": 3, "label": "three"}]


def test_files_out_of_range_are_not_read(engine: Engine) -> None:
    fill(engine, "fact", 1)
    fill(engine, "fact", 100)
    sql = "select number from fact"
    assert rows(engine, sql, tables={"fact": ("number", 50, 200)}) == [{"number": 100}]
    assert rows(engine, sql, tables={"fact": ("number", 500, 600)}) == []


def test_a_parameter_is_data_whatever_it_says(engine: Engine) -> None:
    fill(engine, "fact", 1, 2)
    text = "' or 1 = 1; drop table fact; -- $number %s"
    sql = "select number, $text as text from fact where word = $text or number = $number"
    found = engine.query(sql, {"text": text, "number": 2}, tables={"fact": None})
    assert found.to_pylist() == [{"number": 2, "text": text}]
    listed = engine.query("select unnest($days) as day", {"days": [date(2026, 3, 1)]})
    assert listed.to_pylist() == [{"day": date(2026, 3, 1)}]


def test_times_are_in_utc(engine: Engine) -> None:
    fill(engine, "fact", 1)
    sql = """select f.at::date as day, hour(f.at) as hour, current_setting('timezone') as zone
        from fact as f"""
    assert rows(engine, sql, tables={"fact": None}) == [
        {"day": date(2026, 3, 1), "hour": 23, "zone": "UTC"}
    ]
    assert engine.query("select timestamptz '2026-03-01 00:00:00' as at").schema.field(
        "at"
    ).type == pa.timestamp("us", "UTC")


PEOPLE = pa.table({"traits": ['{"email": "' + PERSONAL, PERSONAL], "amount": [2**62, 2**62]})


@pytest.mark.parametrize(
    ("sql", "parameters", "kind"),
    [
        ("select json_extract(traits, '$.a') from people", {}, "InvalidInputException"),
        ("select traits::json from people", {}, "ConversionException"),
        ("select cast(traits as integer) from people", {}, "ConversionException"),
        ("select strptime(traits, '%Y') from people", {}, "InvalidInputException"),
        ("select error(traits) from people", {}, "InvalidInputException"),
        ("select amount * amount from people", {}, "OutOfRangeException"),
        ("select cast($text as date)", {"text": PERSONAL}, "ConversionException"),
        ("select date_trunc($text, date '2026-01-01')", {"text": PERSONAL}, "ConversionException"),
    ],
)
def test_a_failed_query_tells_its_sql_and_no_value(
    engine: Engine, sql: str, parameters: dict[str, object], kind: str
) -> None:
    with pytest.raises(QueryFailed) as failed:
        engine.query(sql, parameters, relations={"people": PEOPLE})
    names = ", ".join(parameters) or "none"
    assert failed.value.message == f"A query failed: {kind}\nParameters: {names}\n{sql}"
    printed = "".join(traceback.format_exception(failed.value))
    assert PERSONAL not in printed
    assert str(2**62) not in printed


@pytest.mark.parametrize(
    ("sql", "parameters", "said"),
    [
        ("selec 1", {}, 'syntax error at or near "selec"'),
        ("select * from facts", {}, "Table with name facts does not exist"),
        ("select nmber from people", {}, 'Referenced column "nmber" not found'),
        ("select $text + 1", {"text": PERSONAL}, r'function call "\+\(STRING_LITERAL'),
        ("select $a", {"b": 1}, "Parameters: b\nselect"),
        ("", {}, "returned no table"),
    ],
)
def test_a_wrong_query_says_what_is_wrong_with_it(
    engine: Engine, sql: str, parameters: dict[str, object], said: str
) -> None:
    with pytest.raises(QueryFailed, match=said) as failed:
        engine.query(sql, parameters, relations={"people": PEOPLE})
    assert PERSONAL not in str(failed.value)
    assert failed.value.code == "query_failed"


def test_a_misspelt_table_is_not_a_variable_of_the_program(engine: Engine) -> None:
    for name in ("relations", "tables", "parameters", "rows", "SCHEMA"):
        with pytest.raises(QueryFailed, match=f"Table with name {name} does not exist"):
            engine.query(f"select * from {name}", relations={"people": PEOPLE})  # noqa: S608  # the test's own names


def test_a_file_that_is_gone_is_unavailable(engine: Engine) -> None:
    fill(engine, "fact", 1)
    for file in engine.lake.files("fact"):
        Path(file).unlink()
    with pytest.raises(LakeUnavailable, match="The lake cannot be read: IOException"):
        engine.query("select * from fact", tables={"fact": None})


def test_what_does_not_fit_into_memory_is_spilled_beside_the_data(engine: Engine) -> None:
    found = rows(engine, "select current_setting('temp_directory') as place")
    assert found == [{"place": str(engine.lake.folder / ".spill")}]


def test_sql_is_read_from_the_files_of_a_room() -> None:
    assert load_sql("opportune.learning", "credit").startswith("-- ")
    assert load_sql("opportune.learning", "credit") is load_sql("opportune.learning", "credit")


def test_an_engine_is_named_by_its_address(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    engines = [open_engine(address, lake) for address in ("duckdb:", "sc://somewhere:15002")]
    assert [type(engine) for engine in engines] == [DuckDB, seam.Spark]
    assert all(engine.lake is lake for engine in engines)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("secret", "has no ':'. Allowed: 'duckdb:', 'sc://host:port'"),
        ("duckdb:secret.db", "'duckdb:' with nothing behind it"),
        ("sc:secret", "names no host"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_unquoted(
    tmp_path: Path, address: str, said: str
) -> None:
    with pytest.raises(InvalidEngine) as refused:
        open_engine(address, Lake(tmp_path))
    assert said in refused.value.message
    assert "secret" not in refused.value.message


def test_an_engine_that_nobody_offers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownPlugin, match="Did you mean 'duckdb'"):
        open_engine("duckbd:", Lake(tmp_path))


def test_a_closed_engine_starts_anew(engine: Engine) -> None:
    fill(engine, "fact", 1)
    for _ in range(2):
        assert rows(engine, "select number from fact", tables={"fact": None}) == [{"number": 1}]
        engine.close()


def test_a_program_without_a_file_can_open_spark() -> None:
    """There, Spark's client by itself ends the process with a word about tests of its own."""
    program = """
import sys
from pathlib import Path
from opportune.storage import Lake, open_engine
open_engine("sc://somewhere:15002", Lake(Path("lake"))).close()
print(hasattr(sys.modules["__main__"], "__file__"))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


@pytest.fixture
def unreachable(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> seam.Spark:
    """A Spark whose server is not there; it gives up soon."""
    monkeypatch.setattr(seam, "RETRIES", seam.DefaultPolicy(max_retries=1, initial_backoff=1))
    return seam.Spark("sc://127.0.0.1:9/;token=secret", engine.lake)


@pytest.mark.filterwarnings("ignore:.RETRIES_EXCEEDED.")
def test_a_server_that_cannot_be_reached_is_unavailable(unreachable: seam.Spark) -> None:
    fill(unreachable, "fact", 1)
    with pytest.raises(EngineUnavailable) as failed:
        unreachable.query("select number from fact", tables={"fact": None})
    assert failed.value.message.startswith("The engine at 127.0.0.1:9 cannot be asked: UNAVAILABLE")
    assert "secret" not in "".join(traceback.format_exception(failed.value))
    unreachable.close()


def test_what_is_at_hand_is_not_sent_away(unreachable: seam.Spark) -> None:
    people = pa.table({"name": ["a", "b"]})
    sql = "select count(*) as people from given where name = $name"
    assert rows(unreachable, sql, parameters={"name": "b"}, relations={"given": people}) == [
        {"people": 1}
    ]


def test_a_mistake_is_found_before_anything_is_sent(unreachable: seam.Spark) -> None:
    with pytest.raises(QueryFailed, match='Referenced column "nmber" not found'):
        unreachable.query("select nmber from fact", tables={"fact": None})
    with pytest.raises(NotPortable, match="hash does not mean the same"):
        unreachable.query("select hash(number) as a from fact", tables={"fact": None})
