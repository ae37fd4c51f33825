"""The engine in this process: DuckDB over the file lists of pinned snapshots."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa
from duckdb import ColumnExpression, ConstantExpression

from opportune.errors import OpportuneError
from opportune.storage.engine import Between, InvalidEngine, QueryFailed, failed_query
from opportune.storage.lake import Lake, LakeUnavailable

__all__ = ["DuckDB", "open_duckdb"]

THREADS = 2
MEMORY_LIMIT = "8GB"
SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": THREADS,
    "memory_limit": MEMORY_LIMIT,
    # A misspelt table must not become a variable of ours, nor a missing function a download.
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
}
# The names are those of our own tables, written in code.
HIDE = 'drop view if exists "{name}"'
# These speak of the query alone; all others quote what they stumbled over, which may be personal.
ABOUT_THE_QUERY = (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)


def open_duckdb(address: str, lake: Lake) -> DuckDB:
    """Return the engine of this process over ``lake``; ``address`` is ``duckdb:`` alone."""
    if address != "duckdb:":
        raise InvalidEngine(
            "The address of DuckDB is 'duckdb:' with nothing behind it: it keeps nothing, all data "
            "are in the lake."
        )
    return DuckDB(lake)


class DuckDB:
    """An `Engine` inside the process that asks."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        # One for each thread that asks; to make one takes longer than most queries.
        self._local = threading.local()

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        tables: Mapping[str, Between | None] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Run one statement and return its rows; see `Engine.query`.

        Where a file of the snapshot was deleted meanwhile, because somebody was forgotten, it is
        asked once more over the snapshot of then.
        """
        files = self._files(tables or {})
        try:
            return self._ask(sql, parameters, files, relations or {})
        except LakeUnavailable:
            newest = self._files(tables or {})
            if newest == files:
                raise
        return self._ask(sql, parameters, newest, relations or {})

    def _files(self, tables: Mapping[str, Between | None]) -> dict[str, list[str]]:
        return {name: self.lake.files(name, between=each) for name, each in tables.items()}

    def _ask(
        self,
        sql: str,
        parameters: Mapping[str, object] | None,
        files: Mapping[str, list[str]],
        relations: Mapping[str, pa.Table],
    ) -> pa.Table:
        none = {name: self.lake.schema(name).empty_table() for name in files if not files[name]}
        some = {name: found for name, found in files.items() if found}
        return self._run(sql, parameters, files=some, relations={**relations, **none})

    def schema(
        self, sql: str, parameters: Mapping[str, object] | None, known: Mapping[str, pa.Schema]
    ) -> pa.Schema:
        """Return names and types of the columns that ``sql`` gives, without reading any row.

        ``known`` are the schemas of what it reads. Raises ``QueryFailed`` when it cannot run.
        """
        empty = {name: schema.empty_table() for name, schema in known.items()}
        return self._run(sql, parameters, files={}, relations=empty).schema

    def close(self) -> None:
        """Close this thread's connection; those of other threads end with them."""
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()

    def _run(
        self,
        sql: str,
        parameters: Mapping[str, object] | None,
        *,
        files: Mapping[str, Sequence[str]],
        relations: Mapping[str, pa.Table],
    ) -> pa.Table:
        try:
            with self._connection() as connection:
                for name, paths in files.items():
                    _stored(connection, self.lake, name, paths).create_view(name)
                for name, relation in relations.items():
                    connection.register(name, relation)
                found = connection.sql(sql, params=dict(parameters or {}))
                if found is not None:
                    rows = found.to_arrow_table()
                    for name in (*files, *relations):
                        connection.unregister(name)
                        connection.execute(HIDE.format(name=name))
                    return rows
                failure: OpportuneError = QueryFailed(f"A query returned no table.\n{sql}")
        except duckdb.Error as cause:
            failure = _explain(cause, sql, parameters)
        # Outside the block above: its error would be printed with this one.
        raise failure

    @contextmanager
    def _connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """This thread's own connection, clean: one whose query failed is not used again."""
        connection = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is None:
            # What does not fit into memory is spilled beside the data, to be erased with it.
            spill = str(self.lake.folder / ".spill")
            connection = duckdb.connect(":memory:", config={**SETTINGS, "temp_directory": spill})
            connection.execute("set timezone = 'UTC'")
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._local.connection = connection


def _stored(
    connection: duckdb.DuckDBPyConnection, lake: Lake, table: str, paths: Sequence[str]
) -> duckdb.DuckDBPyRelation:
    """What the files hold; of columns that came after them, nulls."""
    if not lake.has_grown(table):
        return connection.from_parquet(list(paths))
    # Looking into each file first takes time, which is why it is not always done.
    found = connection.from_parquet(list(paths), union_by_name=True)
    expected = connection.from_arrow(lake.schema(table).empty_table())
    known = set(found.columns)
    columns = [
        ColumnExpression(name) if name in known else ConstantExpression(None).cast(kind).alias(name)
        for name, kind in zip(expected.columns, expected.types, strict=True)
    ]
    return found.select(*columns)


def _explain(
    cause: duckdb.Error, sql: str, parameters: Mapping[str, object] | None
) -> OpportuneError:
    if isinstance(cause, duckdb.IOException | duckdb.OutOfMemoryException):
        return LakeUnavailable(
            f"The lake cannot be read: {type(cause).__name__}. Check that its folder is there and "
            "that disk and memory are not full; nothing was lost, run the same command again."
        )
    said = str(cause) if isinstance(cause, ABOUT_THE_QUERY) else type(cause).__name__
    return failed_query(said, parameters, sql)
