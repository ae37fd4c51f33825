"""The engine: SQL in DuckDB's dialect over a pinned snapshot of the lake, wherever it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from opportune import plugins
from opportune.errors import InvalidInput, OpportuneError, Unavailable
from opportune.storage.lake import Lake

__all__ = [
    "Between",
    "Engine",
    "EngineUnavailable",
    "InvalidEngine",
    "QueryFailed",
    "failed_query",
    "load_sql",
    "open_engine",
]

# (column, low, high): files that cannot hold a row of that inclusive range are not read.
Between = tuple[str, Any, Any]


class QueryFailed(OpportuneError):
    """A query of ours did not run: a defect, reported with its SQL."""

    code = "query_failed"


class EngineUnavailable(Unavailable):
    """The engine's server cannot be reached, refuses us or gave up on a query."""

    code = "engine_unavailable"


class InvalidEngine(InvalidInput):
    """The address of the engine cannot be used."""

    code = "invalid_engine"


@runtime_checkable
class Engine(Protocol):
    """Runs queries; every call sees one consistent snapshot of each table it names.

    Any number of threads may ask at once. `opportune.testing.check_engine` proves an engine.
    """

    lake: Lake

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        tables: Mapping[str, Between | None] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Run one statement and return its rows, in columns of the types that DuckDB gives them.

        ``tables`` names the lake tables that the statement reads, each with an optional
        (column, low, high) by which files that cannot matter are left out.
        ``relations`` are Arrow tables to read by name beside them. Parameters are bound, never
        pasted. Raises ``LakeUnavailable``, ``EngineUnavailable``, ``NotPortable``, or
        ``QueryFailed`` with the SQL and without any value.
        """
        ...

    def close(self) -> None:
        """Give back what the engine holds; it may be asked again, and starts anew then."""
        ...


def open_engine(address: str, lake: Lake) -> Engine:
    """Return the engine at ``address``: ``duckdb:`` in this process, ``sc://host:port`` on Spark.

    What stands before the colon is a name of the entry-point group ``opportune.engines``. Nothing
    is connected before the first query. Raises ``InvalidEngine``, or what `plugins.load` does.
    """
    name, colon, _ = address.partition(":")
    if not colon:
        # The address itself is not repeated: it may hold a token.
        raise InvalidEngine(
            "The address of the engine has no ':'. Allowed: 'duckdb:', 'sc://host:port' for Spark, "
            f"or another of {', '.join(plugins.names(plugins.ENGINES))} followed by ':'."
        )
    make: Callable[[str, Lake], Engine] = plugins.load(plugins.ENGINES, name)  # type: ignore[assignment]  # the contract of the group
    return make(address, lake)


@cache
def load_sql(package: str, name: str) -> str:
    """Return the text of ``sql/{name}.sql`` of a room, such as ``"opportune.rules", "holds"``."""
    return resources.files(package).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def failed_query(said: str, parameters: Mapping[str, object] | None, sql: str) -> QueryFailed:
    """Return the error for a statement that did not run; ``said`` must quote no value."""
    names = ", ".join(sorted(parameters or {}))
    return QueryFailed(f"A query failed: {said}\nParameters: {names or 'none'}\n{sql}")
