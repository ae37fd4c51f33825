"""Take rows out of the lake so that their bytes are gone: rewrite files, drop old versions.

The one exception to "a commit only adds": for whoever may ask to be forgotten. Only files with such
a row are written anew, in one commit; what a reader has pinned goes away a moment later.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from opportune.storage.lake import Lake, _concurrent, _explained

__all__ = ["Rewritten", "drop_history", "rewrite", "row_groups", "stored_schema", "tidy"]

# Statistics that pruning reads; those of texts would put values into the table's own log.
BOUNDED = (pa.types.is_integer, pa.types.is_timestamp, pa.types.is_date)
TRIES = 10

Change = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """How many files of a table were looked at and written anew, and the rows before and after."""

    files: int = 0
    rewritten: int = 0
    rows_before: int = 0
    rows_after: int = 0


def rewrite(
    lake: Lake, table: str, change: Change, *, told: Callable[[int, int], object] = lambda *_: None
) -> Rewritten:
    """Replace each row group of ``table`` by what ``change`` makes of it, all in one commit.

    ``change`` returns the very table it was given where there is nothing to do. Rows that are
    appended meanwhile stay; run it again until nothing is rewritten. ``told`` hears files done and
    of how many. A process that is killed leaves files that no version names: `drop_history`
    deletes them. Raises ``LakeUnavailable``.
    """
    with _explained(table), lake.writing(table, alone=True):
        for _ in range(TRIES):
            done = _rewrite(lake, table, change, told)
            if done is not None:
                return done
    raise _concurrent(table)


def drop_history(lake: Lake, table: str) -> None:
    """Delete every file that the newest version of ``table`` does not name, its older logs too."""
    with _explained(table), lake.writing(table, alone=True):
        handle = lake._open(table)
        handle.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
        handle.update_incremental()
        handle.create_checkpoint()
        newest = handle.version()
        log = lake.folder / table / "_delta_log"
        for path in sorted(log.iterdir()):
            number = path.name.split(".")[0]
            # The newest entry stays, though the checkpoint has it all: writers go on from there.
            if (number.isdigit() and int(number) < newest) or path.name.startswith(".rewrite-"):
                path.unlink()


def tidy(lake: Lake, table: str, *, keep_hours: int) -> int:
    """Delete files that no version of the last ``keep_hours`` names; return how many those were.

    Longer than any query takes, or a reader loses what it has pinned.
    """
    with _explained(table), lake.writing(table, alone=True):
        handle = lake._open(table)
        gone = handle.vacuum(
            retention_hours=keep_hours, enforce_retention_duration=False, dry_run=False
        )
        handle.update_incremental()
        handle.cleanup_metadata()
    return len(gone)


def row_groups(path: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Read a file of the lake a row group at a time."""
    with pq.ParquetFile(path) as file:
        for place in range(file.num_row_groups):
            yield _typed(file.read_row_group(place), schema)


def _typed(found: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        found[field.name].cast(field.type)
        if field.name in found.column_names
        else pa.nulls(found.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)


def _rewrite(
    lake: Lake, table: str, change: Change, told: Callable[[int, int], object]
) -> Rewritten | None:
    """One try; None when somebody else committed first."""
    handle, schema = lake._open(table), lake.schema(table)
    version, folder = handle.version(), lake.folder / table
    names = pa.table(handle.get_add_actions(flatten=True))["path"].to_pylist()
    actions: list[dict[str, Any]] = []
    before = after = rewritten = 0
    for place, name in enumerate(names):
        if any(change(part) is not part for part in row_groups(folder / name, schema)):
            added, old, new = _write(folder, folder / name, schema, change)
            actions += [_removed(name), *added]
            before, after, rewritten = before + old, after + new, rewritten + 1
        told(place + 1, len(names))
    done = Rewritten(files=len(names), rewritten=rewritten, rows_before=before, rows_after=after)
    if not actions or _commit(folder, version + 1, actions):
        return done
    return None


def _write(
    folder: Path, source: Path, schema: pa.Schema, change: Change
) -> tuple[list[dict[str, Any]], int, int]:
    """Write ``source`` as it becomes into a new file; (what to commit, rows before, rows after)."""
    name = f"part-{uuid.uuid4()}.snappy.parquet"
    bounds = _Bounds(schema)
    before = 0
    with (folder / name).open("wb") as stream:
        with pq.ParquetWriter(stream, schema, compression="snappy") as writer:
            for part in row_groups(source, schema):
                before += part.num_rows
                kept = change(part)
                if kept.num_rows:
                    writer.write_table(kept)
                    bounds.see(kept)
        stream.flush()
        os.fsync(stream.fileno())
        size = (folder / name).stat().st_size
    if not bounds.rows:
        (folder / name).unlink()
        return [], before, 0
    added = {
        "path": name,
        "partitionValues": {},
        "size": size,
        "modificationTime": _now_ms(),
        "dataChange": True,
        "stats": msgspec.json.encode(bounds.statistics()).decode(),
    }
    return [{"add": added}], before, bounds.rows


class _Bounds:
    """Least and greatest value of each column that files are left out by."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self._names = [each.name for each in schema if any(is_(each.type) for is_ in BOUNDED)]
        self._nulls = dict.fromkeys(self._names, 0)
        self._least: dict[str, Any] = {}
        self._most: dict[str, Any] = {}

    def see(self, part: pa.Table) -> None:
        self.rows += part.num_rows
        for name in self._names:
            self._nulls[name] += part[name].null_count
            span = pc.min_max(part[name]).as_py()
            if span["min"] is not None:
                self._least[name] = min(self._least.get(name, span["min"]), span["min"])
                self._most[name] = max(self._most.get(name, span["max"]), span["max"])

    def statistics(self) -> dict[str, Any]:
        return {
            "numRecords": self.rows,
            "minValues": {name: _written(value) for name, value in self._least.items()},
            "maxValues": {name: _written(value) for name, value in self._most.items()},
            "nullCount": self._nulls,
        }


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        # Cut to milliseconds, as every writer of the format does.
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    return value.isoformat() if isinstance(value, date) else value


def _removed(name: str) -> dict[str, Any]:
    return {"remove": {"path": name, "deletionTimestamp": _now_ms(), "dataChange": True}}


def _commit(folder: Path, version: int, actions: list[dict[str, Any]]) -> bool:
    """Write the next entry of the table's log, whole or not at all; False: it is there already."""
    about = {"timestamp": _now_ms(), "operation": "DELETE", "engineInfo": "opportune"}
    log = folder / "_delta_log"
    draft = log / f".rewrite-{uuid.uuid4()}"
    with draft.open("wb") as stream:
        stream.write(b"\n".join(map(msgspec.json.encode, [{"commitInfo": about}, *actions])))
        stream.flush()
        os.fsync(stream.fileno())
    try:
        os.link(draft, log / f"{version:020d}.json")
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    descriptor = os.open(log, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return True


def _now_ms() -> int:
    """The format's own bookkeeping, which nothing of ours reads."""
    return int(datetime.now(UTC).timestamp() * 1000)


def stored_schema(path: Path) -> pa.Schema:
    """Return the schema that a file was written with."""
    schema: pa.Schema = pq.read_schema(path)
    return schema
