"""The engine on a cluster: the same statements, said to Spark through Spark Connect.

DuckDB plans each statement over empty tables first, in this process and without reading a row: so
a mistake in it is reported in the same words wherever it runs, and the answer has the names and
types that DuckDB would give. Needs the extra ``opportune[spark]``; there is no Java on this side.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pyarrow as pa

from opportune.errors import OpportuneError
from opportune.storage.dialect import arguments, lengths, translate
from opportune.storage.duckdb import DuckDB
from opportune.storage.engine import Between, EngineUnavailable, InvalidEngine, failed_query
from opportune.storage.lake import Lake, LakeUnavailable

_main = sys.modules["__main__"]
_has_file = hasattr(_main, "__file__")
if not _has_file:
    # To Spark's client a program without a file is a test of its own, and it ends the process.
    _main.__file__ = ""
try:
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession
    from pyspark.sql.dataframe import DataFrame
    from pyspark.sql.pandas.types import from_arrow_schema
finally:
    if not _has_file:
        del _main.__file__

__all__ = ["Spark", "open_spark"]

SETTINGS: Mapping[str, str] = {
    "spark.sql.session.timeZone": "UTC",
    # What cannot be calculated is an error, never a null or a number that wrapped around.
    "spark.sql.ansi.enabled": "true",
    # Days and times before 1583 are those of the calendar of today, as everywhere in the lake.
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
}
# Some ten seconds in all: a server that restarts is worth the wait, one that is gone is not.
RETRIES = DefaultPolicy(max_retries=6, max_backoff=4000)
LONGEST_S = 3600.0
NO_FILE = ("FAILED_READ_FILE", "PATH_NOT_FOUND", "CANNOT_READ_FILE_FOOTER")
GAVE_UP = ("OPERATION_CANCELED", "JOB_CANCELLED", "SPARK_JOB_CANCELLED", "INVALID_HANDLE")
# The server forgets a session that nobody used for an hour, or was started anew.
FORGOTTEN = "INVALID_HANDLE"
UNSIGNED = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20),
}
# In a path, Spark takes these for patterns.
PATTERN = re.compile(r"[\[\]{}*?\\]")
# Here Spark's client logs whole errors, and they quote values. A level stays when somebody sets
# logging up anew; a logger that is only disabled may be enabled with all others.
for name in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
    logging.getLogger(name).setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one query sends: text for Spark, and what it reads by name."""

    text: str
    parameters: Mapping[str, object]
    tables: Mapping[str, tuple[pa.Schema, list[str]]]
    relations: Mapping[str, pa.Table]


def open_spark(address: str, lake: Lake) -> Spark:
    """Return the engine on the Spark Connect server at ``sc://host:port/;option=value``."""
    if not urlsplit(address).hostname:
        raise InvalidEngine(
            "The address of Spark names no host. Write 'sc://host:port', and behind it what its "
            "server asks for: 'sc://host:port/;use_ssl=true;token=...'."
        )
    return Spark(address, lake)


class Spark:
    """An `Engine` on a Spark Connect server that sees the lake under the same path."""

    def __init__(self, address: str, lake: Lake) -> None:
        self.lake = lake
        self._address = address
        self._here = DuckDB(lake)
        # One for each thread that asks, because the names of tables are the session's.
        self._local = threading.local()
        self._sessions: set[SparkSession] = set()

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        tables: Mapping[str, Between | None] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Run one statement and return its rows; see `Engine.query`.

        One that reads no table of the lake runs here: its rows are at hand, and to send them away
        would take longer than to go through them.
        """
        if not tables:
            return self._here.query(sql, parameters, relations=relations)
        return self.send(sql, parameters, tables=tables, relations=relations)

    def send(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        tables: Mapping[str, Between | None] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Run one statement on the cluster, whatever it reads; see `Engine.query`."""
        files = {name: self.lake.files(name, between=b) for name, b in (tables or {}).items()}
        schemas = {name: self.lake.schema(name) for name in files}
        known = {name: relation.schema for name, relation in (relations or {}).items()}
        schema = self._here.schema(sql, parameters, {**schemas, **known})
        translation = translate(sql, lengths(parameters or {}))
        statement = Statement(
            text=translation.text,
            parameters=arguments(translation, parameters or {}),
            tables={name: (schemas[name], paths) for name, paths in files.items()},
            relations=dict(relations or {}),
        )
        try:
            return _fit(self._ask(statement), schema)
        except PySparkException as cause:
            failure = self._explain(cause, sql, parameters)
        except pa.ArrowException as cause:
            failure = failed_query(type(cause).__name__, parameters, sql)
        # Outside the block above: its error would be printed with this one, and may quote values.
        raise failure

    def close(self) -> None:
        """End all sessions on the server."""
        self._local = threading.local()
        while self._sessions:
            self._sessions.pop().stop()
        self._here.close()

    def _ask(self, statement: Statement) -> pa.Table:
        was_open = getattr(self._local, "session", None) is not None
        try:
            with self._session() as session:
                return _answer(session, statement)
        except PySparkException as cause:
            if not was_open or not (cause.getCondition() or "").startswith(FORGOTTEN):
                raise
        with self._session() as session:
            return _answer(session, statement)

    @contextmanager
    def _session(self) -> Iterator[SparkSession]:
        """This thread's own session; one whose query failed is not used again."""
        session: SparkSession | None = getattr(self._local, "session", None)
        self._local.session = None
        is_new = session is None
        if session is None:
            session = SparkSession.builder.remote(self._address).create()
            session.client.set_retry_policies([RETRIES])
            self._sessions.add(session)
        is_done = threading.Event()
        threading.Thread(target=_interrupt, args=(session, is_done), daemon=True).start()
        try:
            for name, value in SETTINGS.items() if is_new else ():
                session.conf.set(name, value)
            yield session
        except BaseException as cause:
            self._sessions.discard(session)
            # One that cannot be reached cannot be told either, and to try takes seconds.
            is_known = isinstance(cause, PySparkException) and cause.getCondition() is not None
            session.release_session_on_close = is_known
            session.stop()
            raise
        finally:
            is_done.set()
        self._local.session = session

    def _explain(
        self, cause: PySparkException, sql: str, parameters: Mapping[str, object] | None
    ) -> OpportuneError:
        condition = cause.getCondition()
        place = urlsplit(self._address).netloc
        if condition is None or condition.startswith(GAVE_UP):
            said = condition or _status(cause)
            return EngineUnavailable(
                f"The engine at {place} cannot be asked: {said}. Check OPPORTUNE_ENGINE, that the "
                "server is up and that it lets this program in; nothing was lost, run the same "
                "command again."
            )
        if condition.startswith(NO_FILE):
            return LakeUnavailable(
                f"The engine at {place} cannot read the lake: {condition}. Check that its machines "
                f"see {self.lake.folder} under that path; nothing was lost, run the same command "
                "again."
            )
        return failed_query(condition, parameters, sql)


def _interrupt(session: SparkSession, is_done: threading.Event) -> None:
    """Stop what ``session`` does when it takes too long; again, should it be between two calls."""
    is_over = is_done.wait(LONGEST_S)
    while not is_over:
        session.interruptAll()
        is_over = is_done.wait(1.0)


def _answer(session: SparkSession, statement: Statement) -> pa.Table:
    shown = {name: _local(session, rows) for name, rows in statement.relations.items()}
    for name, (schema, paths) in statement.tables.items():
        shown[name] = _stored(session, schema, paths)
    for name, frame in shown.items():
        frame.createOrReplaceTempView(name)
    found = session.sql(statement.text, args=dict(statement.parameters)).toArrow()
    for name in shown:
        session.catalog.dropTempView(name)
    return found


def _local(session: SparkSession, rows: pa.Table) -> DataFrame:
    plain = rows.cast(pa.schema([field.with_type(_plain(field.type)) for field in rows.schema]))
    if plain.num_rows == 0:
        return session.createDataFrame([], from_arrow_schema(plain.schema, False))
    return session.createDataFrame(plain)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Return the type by which Spark knows a column of ``kind``: it has no unsigned numbers."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return UNSIGNED.get(kind, kind)


def _stored(session: SparkSession, schema: pa.Schema, paths: list[str]) -> DataFrame:
    if not paths:
        return _local(session, schema.empty_table())
    places = ["file://" + PATTERN.sub(r"\\\g<0>", path) for path in paths]
    return session.read.schema(from_arrow_schema(schema, False)).parquet(*places)


def _fit(found: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give the columns the names and types of ``schema``; raises ``pa.ArrowException``."""
    columns = []
    for column, field in zip(found.columns, schema, strict=True):
        if pa.types.is_duration(column.type):
            # One day less another is a number to DuckDB, and would be one of microseconds here.
            raise pa.ArrowTypeError("a span of time")
        columns.append(column.cast(field.type))
    return pa.table(columns, schema=schema)


def _status(cause: PySparkException) -> str:
    status = getattr(cause, "getGrpcStatusCode", lambda: None)()
    return type(cause).__name__ if status is None else status.name
