"""The lake: events and everything derived in bulk, as Delta tables that only grow by whole commits.

A commit carries its own proof of what it did: a ``key`` (this step of this day is done) and
``positions`` (how far a log segment was read) travel in the Delta commit itself as application
transactions, so that data and position are one atomic step and a killed process leaves either both
or neither.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.schema import Field

from opportune.errors import Conflict, InvalidInput, Unavailable

__all__ = ["ConcurrentWrite", "Lake", "LakeUnavailable", "SchemaMismatch"]

# Key transactions have no order of their own: existing is all that matters.
DONE = 1
# Delta keeps each commit's log entry this long; a commit a second would pile up otherwise.
CONFIGURATION = {"delta.logRetentionDuration": "interval 1 days", "delta.checkpointInterval": "50"}
# Marks a column that the table got later: files from before do not have it.
ADDED = "opportune.added"
COMPACTED_BYTES = 128 * 1024 * 1024
# What is left out of a file by its statistics, and what the engine reads at once: small enough to
# find the events of one person among those of a year.
WRITER = WriterProperties(max_row_group_size=122_880)
# Statistics of times are cut, not rounded, to milliseconds: the largest may lie this much higher.
STATISTICS_STEP = timedelta(milliseconds=1)


class ConcurrentWrite(Conflict):
    """Another process wrote the same table: there is one writer a table."""

    code = "concurrent_write"


class LakeUnavailable(Unavailable):
    """The lake's folder cannot be read or written, for example because the disk is full."""

    code = "lake_unavailable"


class SchemaMismatch(InvalidInput):
    """Rows do not fit the table they were meant for."""

    code = "schema_mismatch"


class Lake:
    """Delta tables below one folder; one writer a table, any number of readers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tables: dict[str, DeltaTable] = {}
        self._schemas: dict[str, pa.Schema] = {}
        # What `position` last said: nobody else may have moved it when it is moved from here.
        self._read_positions: dict[tuple[str, str], int] = {}

    def create(self, table: str, schema: pa.Schema) -> None:
        """Make ``table`` with ``schema`` unless it is there already.

        A table that an older version of the program made gets the columns it lacks, if they are
        nullable and stand at the end of ``schema``: one commit, and old rows have null there.
        Raises ``SchemaMismatch`` when it is there with other columns, or ``LakeUnavailable``.
        """
        with _explained(table):
            if schema == self._schemas.get(table) and DeltaTable.is_deltatable(self._path(table)):
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                handle = DeltaTable.create(
                    self._path(table), schema, mode="ignore", configuration=CONFIGURATION
                )
            except CommitFailedError:
                # Another process made it in the same instant.
                handle = DeltaTable(self._path(table))
            if _missing(table, handle, schema):
                with self.writing(table, alone=True):
                    # Somebody may have been faster.
                    handle.update_incremental()
                    missing = _missing(table, handle, schema)
                    if missing:
                        handle.alter.add_columns(missing)
        self._tables[table] = handle
        self._schemas[table] = schema

    def append(
        self,
        table: str,
        data: pa.Table,
        *,
        key: str | None = None,
        positions: Mapping[str, int] | None = None,
    ) -> bool:
        """Add the rows of ``data`` in one atomic commit; False when ``key`` was committed before.

        ``positions`` maps names to integers that must never go back, such as byte offsets of log
        segments; they become readable by `position` in the same instant as the rows. Whoever wants
        to move a position reads it first: ``ConcurrentWrite`` when somebody moved it since.
        Raises ``ConcurrentWrite``, ``SchemaMismatch`` or ``LakeUnavailable``; nothing is visible
        then.
        """
        rows = _fit(table, data, self.schema(table))
        handle = self._open(table)
        _missing(table, handle, rows.schema)
        if key is not None and handle.transaction_version(key) is not None:
            return False
        ahead = dict(positions or {})
        for name, offset in ahead.items():
            stored = handle.transaction_version(name) or 0
            if stored != self._read_positions.get((table, name), stored) or offset < stored:
                raise _concurrent(table)
        marks = [Transaction(key, DONE)] if key is not None else []
        marks += [Transaction(name, offset) for name, offset in ahead.items()]
        # Without retries, nothing that was committed after the checks above can slip in between.
        commit = CommitProperties(app_transactions=marks, max_commit_retries=0)
        with _explained(table), self.writing(table):
            write_deltalake(
                handle, rows, mode="append", commit_properties=commit, writer_properties=WRITER
            )
        self._read_positions.update({(table, name): offset for name, offset in ahead.items()})
        return True

    def has(self, table: str, key: str) -> bool:
        """Say whether a commit with ``key`` is in ``table``."""
        return self._open(table).transaction_version(key) is not None

    def position(self, table: str, name: str) -> int:
        """Return the last committed position of ``name``, 0 before the first."""
        found: int = self._open(table).transaction_version(name) or 0
        self._read_positions[table, name] = found
        return found

    def schema(self, table: str) -> pa.Schema:
        """Return the schema of ``table``: as it was created here, or as the folder has it."""
        if table not in self._schemas:
            self._schemas[table] = pa.schema(self._open(table).schema().to_arrow())
        return self._schemas[table]

    def has_grown(self, table: str) -> bool:
        """Say whether columns were added to ``table``, so that older files of it lack them."""
        handle = self._tables.get(table) or self._open(table)
        return any(ADDED in field.metadata for field in handle.schema().fields)

    def files(self, table: str, *, between: tuple[str, Any, Any] | None = None) -> list[str]:
        """Return the paths of the newest snapshot's data files.

        ``between`` = (column, low, high) leaves out the files whose statistics rule the
        inclusive range out; a file is kept when in doubt. Floats have no use as such a column:
        their statistics say nothing of infinities and NaN.
        """
        actions = pa.table(self._open(table).get_add_actions(flatten=True))
        paths = [str(self.folder / table / path) for path in actions["path"].to_pylist()]
        if between is None or f"min.{between[0]}" not in actions.column_names:
            return paths
        column, low, high = between
        smallest, largest = actions[f"min.{column}"], actions[f"max.{column}"]
        if pa.types.is_floating(smallest.type):
            return paths
        bounds = zip(paths, smallest.to_pylist(), largest.to_pylist(), strict=True)
        return [path for path, least, most in bounds if _may_hold(least, most, low, high)]

    def read(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """Read the whole newest snapshot of ``table`` into memory (small tables and tests)."""
        names = columns if columns is not None else self.schema(table).names
        with _explained(table):
            return self._open(table).to_pyarrow_table(columns=names)

    def compact(self, table: str) -> None:
        """Merge small files into large ones; readers keep their snapshot, rows stay the same.

        Raises ``ConcurrentWrite`` when another process does so just now, or ``LakeUnavailable``.
        """
        with _explained(table), (self.folder / f".{table}.compacting").open("wb") as lock:
            try:
                # Delta sees no conflict between two compactions, and would keep the rows of both.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as cause:
                raise _concurrent(table) from cause
            with self.writing(table):
                self._open(table).optimize.compact(
                    target_size=COMPACTED_BYTES, writer_properties=WRITER
                )

    @contextmanager
    def writing(self, table: str, *, alone: bool = False) -> Iterator[None]:
        """Hold off whoever deletes files that no version names: one being written is such a file.

        ``alone``: be the one who deletes. Waits for the others, in this process and in any.
        """
        with (self.folder / f".{table}.writing").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield

    def _path(self, table: str) -> str:
        return str(self.folder / table)

    def _open(self, table: str) -> DeltaTable:
        with _explained(table):
            if table not in self._tables:
                self._tables[table] = DeltaTable(self._path(table))
            else:
                self._tables[table].update_incremental()
        return self._tables[table]


def _missing(table: str, handle: DeltaTable, schema: pa.Schema) -> list[Field]:
    """Return the columns that an older table lacks, marked as added; refuse any other table."""
    stored = [(field.name, field.type, field.nullable) for field in handle.schema().fields]
    expected = DeltaSchema.from_arrow(schema).fields
    new = expected[len(stored) :]
    if stored != [(field.name, field.type, field.nullable) for field in expected[: len(stored)]]:
        raise _other_columns(table, [name for name, *_ in stored], schema)
    if not all(field.nullable for field in new):
        raise _other_columns(table, [name for name, *_ in stored], schema)
    return [Field(field.name, field.type, metadata={ADDED: True}) for field in new]


def _other_columns(table: str, stored: list[str], schema: pa.Schema) -> SchemaMismatch:
    return SchemaMismatch(
        f"Table '{table}' of the lake has other columns or types than this program writes. In the "
        f"folder: {', '.join(stored)}. Expected: {', '.join(schema.names)}. Use the newest version "
        "of the program that wrote to the data folder, or start a new folder."
    )


def _fit(table: str, data: pa.Table, schema: pa.Schema) -> pa.Table:
    """Give ``data`` the types of ``schema``; the refusal names columns, never values."""
    if data.column_names != schema.names:
        raise SchemaMismatch(
            f"Rows do not fit table '{table}'. Columns given: {', '.join(data.column_names)}. "
            f"Expected, in this order: {', '.join(schema.names)}."
        )
    columns = []
    for field in schema:
        try:
            columns.append(data[field.name].cast(field.type))
        except pa.ArrowException:
            given = data.schema.field(field.name).type
        else:
            if field.nullable or not columns[-1].null_count:
                continue
            given = "null"
        # Outside the block above: its error quotes a value, and would be printed with this one.
        raise SchemaMismatch(
            f"Rows do not fit table '{table}': column '{field.name}' must be {field.type}, and "
            f"what was given is {given} or has values that do not fit."
        )
    return pa.table(columns, schema=schema)


def _may_hold(least: Any, most: Any, low: Any, high: Any) -> bool:
    if isinstance(most, datetime):
        most += STATISTICS_STEP
    return (least is None or least <= high) and (most is None or most >= low)


@contextmanager
def _explained(table: str) -> Iterator[None]:
    """Turn what the table format raises into what a caller can act on."""
    try:
        yield
    except CommitFailedError as cause:
        raise _concurrent(table) from cause
    except (OSError, DeltaError) as cause:
        raise LakeUnavailable(
            f"Table '{table}' of the lake cannot be used: {cause}. Check that its folder is there, "
            "writable and not full; nothing was lost, run the same command again."
        ) from cause


def _concurrent(table: str) -> ConcurrentWrite:
    return ConcurrentWrite(
        f"Table '{table}' was written by another process at the same time. Run one worker "
        "that ingests per data folder, and try again."
    )
