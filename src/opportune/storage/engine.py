"""The engine: SQL in DuckDB's dialect over a pinned snapshot of the lake."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any

import duckdb
import pyarrow as pa

from opportune.errors import OpportuneError
from opportune.storage.lake import Lake, LakeUnavailable

__all__ = ["Engine", "QueryFailed", "load_sql"]

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


class QueryFailed(OpportuneError):
    """A query of ours did not run: a defect, reported with its SQL."""

    code = "query_failed"


@cache
def load_sql(package: str, name: str) -> str:
    """Return the text of ``sql/{name}.sql`` of a room, such as ``"opportune.rules", "holds"``."""
    return resources.files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


class Engine:
    """Runs queries; every call sees one consistent snapshot of each table it names."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        # One for each thread that asks; to make one takes longer than most queries.
        self._local = threading.local()

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        tables: Mapping[str, tuple[str, Any, Any] | None] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Run one statement and return its rows.

        ``tables`` names the lake tables that the statement reads, each with an optional
        (column, low, high) by which files that cannot matter are left out.
        ``relations`` are Arrow tables to read by name beside them. Parameters are bound, never
        pasted. Raises ``LakeUnavailable``, or ``QueryFailed`` with the SQL and without any value.
        """
        try:
            with self._connection() as connection:
                for name, between in (tables or {}).items():
                    self._show(connection, name, between)
                for name, relation in (relations or {}).items():
                    connection.register(name, relation)
                found = connection.sql(sql, params=dict(parameters or {}))
                if found is not None:
                    rows = found.to_arrow_table()
                    for name in (*(tables or {}), *(relations or {})):
                        connection.unregister(name)
                        connection.execute(HIDE.format(name=name))
                    return rows
                failure: OpportuneError = QueryFailed(f"A query returned no table.\n{sql}")
        except duckdb.Error as cause:
            failure = _explain(cause, sql, sorted(parameters or {}))
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

    def _show(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        between: tuple[str, Any, Any] | None,
    ) -> None:
        files: Sequence[str] = self.lake.files(name, between=between)
        if files:
            connection.from_parquet(list(files)).create_view(name)
        else:
            connection.register(name, self.lake.schema(name).empty_table())


def _explain(cause: duckdb.Error, sql: str, parameters: Sequence[str]) -> OpportuneError:
    if isinstance(cause, duckdb.IOException | duckdb.OutOfMemoryException):
        return LakeUnavailable(
            f"The lake cannot be read: {type(cause).__name__}. Check that its folder is there and "
            "that disk and memory are not full; nothing was lost, run the same command again."
        )
    said = str(cause) if isinstance(cause, ABOUT_THE_QUERY) else type(cause).__name__
    return QueryFailed(
        f"A query failed: {said}\nParameters: {', '.join(parameters) or 'none'}\n{sql}"
    )
