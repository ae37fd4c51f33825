"""Proves that an engine gives the rows that DuckDB gives: for authors of plugins."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pyarrow as pa

from opportune.errors import OpportuneError
from opportune.storage import DuckDB, Engine, Lake, QueryFailed
from opportune.testing.engine_cases import CASES, MISTAKES, NAMED, PERSONAL, TABLES

__all__ = ["Compared", "check_engine"]

# Sums of doubles depend on their order in the last digits.
CLOSE = 1e-9


def check_engine(engine: Engine) -> None:
    """Raise ``AssertionError``, in words, at the first promise that ``engine`` breaks.

    Makes two tables in its lake, so give it one of its own. What is asked are the constructs of
    `storage.dialect` on which engines are known to differ: nulls and their order, numbers that are
    none, division by zero, lists, JSON, times at both ends of the calendar, the latest row before
    another.

    >>> import tempfile
    >>> from pathlib import Path
    >>> from opportune.storage import DuckDB, Lake
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     check_engine(DuckDB(Lake(Path(folder))))
    """
    if not isinstance(engine, Engine):
        raise AssertionError("It lacks a part of storage.Engine.")
    for name, rows in TABLES.items():
        engine.lake.create(name, rows.schema)
        # In pieces, because a table of the lake is many files.
        for place in range(rows.num_rows):
            engine.lake.append(name, rows.slice(place, 1), key=f"row:{place}")
    both = Compared(engine)
    for sql, parameters in CASES:
        both.query(sql, parameters, tables=dict.fromkeys(TABLES), relations={"named": NAMED})
    for sql, parameters in MISTAKES:
        _check_refusal(engine, sql, parameters)
    engine.close()
    both.query("select number from checked order by number", tables={"checked": None})
    # Files that cannot hold such a row are left out, and so are their rows.
    both.query("select number from checked order by number", tables={"checked": ("number", 2, 3)})


class Compared:
    """An `Engine` that asks another and DuckDB, and raises ``AssertionError`` when they differ.

    Doubles may differ in their last digits, in everything else rows, their order, and the names
    and types of their columns must be the same.
    """

    def __init__(self, engine: Engine) -> None:
        self.lake: Lake = engine.lake
        self.asked: set[str] = set()
        self._engine = engine
        self._duckdb = DuckDB(engine.lake)

    def query(
        self,
        sql: str,
        parameters: Mapping[str, object] | None = None,
        *,
        tables: Mapping[str, tuple[str, object, object] | None] | None = None,
        relations: Mapping[str, pa.Table] | None = None,
    ) -> pa.Table:
        """Return DuckDB's rows; see `storage.Engine.query`."""
        self.asked.add(sql)
        expected = self._duckdb.query(sql, parameters, tables=tables, relations=relations)
        try:
            found = self._engine.query(sql, parameters, tables=tables, relations=relations)
        except OpportuneError as cause:
            raise AssertionError(f"DuckDB answers, and it says: {cause}") from cause
        difference = _difference(found, expected)
        if difference is not None:
            raise AssertionError(f"{difference}\n{sql}")
        return expected

    def close(self) -> None:
        """Close both."""
        self._engine.close()
        self._duckdb.close()


def _difference(found: pa.Table, expected: pa.Table) -> str | None:
    if found.schema.names != expected.schema.names or found.schema.types != expected.schema.types:
        return f"Columns differ. Found: {found.schema}. Expected: {expected.schema}."
    if found.num_rows != expected.num_rows:
        return f"{found.num_rows} rows were found, {expected.num_rows} were expected."
    for name in expected.schema.names:
        pairs = zip(found[name].to_pylist(), expected[name].to_pylist(), strict=True)
        for place, (here, there) in enumerate(pairs):
            if not _same(here, there):
                return f"Row {place}, column {name}: {here!r} was found, {there!r} was expected."
    return None


def _same(found: object, expected: object) -> bool:
    if isinstance(found, float) and isinstance(expected, float):
        if math.isnan(found) or math.isnan(expected):
            return math.isnan(found) and math.isnan(expected)
        return math.isclose(found, expected, rel_tol=CLOSE, abs_tol=CLOSE)
    if isinstance(found, list) and isinstance(expected, list):
        return len(found) == len(expected) and all(map(_same, found, expected))
    return found == expected


def _check_refusal(engine: Engine, sql: str, parameters: Mapping[str, object]) -> None:
    try:
        engine.query(sql, parameters, tables=dict.fromkeys(TABLES), relations={"named": NAMED})
    except QueryFailed as failure:
        if PERSONAL in failure.message:
            raise AssertionError(f"Its error quotes a value.\n{sql}") from failure
        return
    raise AssertionError(f"It answers what cannot be answered.\n{sql}")
