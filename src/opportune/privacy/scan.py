"""The proof: every file and every table is searched for every value of who was forgotten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from opportune.privacy.changes import named_rows
from opportune.privacy.model import ROOM, Told
from opportune.privacy.values import Values, for_state
from opportune.storage import Stores, load_sql
from opportune.storage.rewrite import row_groups, stored_schema

__all__ = ["Searched", "search", "search_files"]

CHUNK_BYTES = 16 * 1024 * 1024
# Longer than any value: one that lies across two chunks is found in the second.
OVERLAP_BYTES = 4096


@dataclass(slots=True, kw_only=True)
class Searched:
    """What was searched, and where something was found; a place is a file or a column."""

    files: int = 0
    bytes: int = 0
    rows: int = 0
    hits: int = 0
    places: list[str] = field(default_factory=list)

    def see(self, place: str, *, size: int = 0, rows: int = 0, hits: int = 0) -> None:
        """Count a place."""
        self.files += 1
        self.bytes += size
        self.rows += rows
        self.hits += hits
        if hits:
            self.places.append(place)


def search(
    stores: Stores, values: Values, *, log_offsets: Mapping[str, int], told: Told
) -> dict[str, Any]:
    """Search lake, log, State and all other files of the data folder; return what that came to.

    The log is searched up to ``log_offsets``: what is beyond has not been taken in yet, and is
    looked at on its way in. Backups of the database are not searched: what they bring back is
    erased again. Files of destinations are their receivers', who were told.
    """
    settings = stores.settings
    lake, log, other = Searched(), Searched(), Searched()
    backups = handed_over = 0
    paths = sorted(path for path in settings.data_folder.rglob("*") if path.is_file())
    for place, path in enumerate(paths):
        name = str(path.relative_to(settings.data_folder))
        if path.is_relative_to(settings.database_folder):
            continue
        if path.is_relative_to(settings.database_folder.parent):
            backups += path.parent.name == "backups"
        elif path.is_relative_to(settings.outgoing_folder):
            handed_over += 1
        elif path.is_relative_to(settings.lake_folder):
            _search_lake(path, name, values, lake)
        elif path.is_relative_to(settings.log_folder):
            end = log_offsets.get(path.name)
            log.see(name, size=end or 0, hits=_raw_hits(path, values, end))
        else:
            other.see(name, size=path.stat().st_size, hits=_raw_hits(path, values))
        told("searching", place + 1, len(paths))
    return {
        "values": len(values.exact),
        "whole_values_only": values.untelling,
        "lake": asdict(lake),
        "log": asdict(log),
        "other_files": asdict(other),
        "state": _search_state(stores, values),
        "backups_not_searched": backups,
        "handed_over_not_searched": handed_over,
    }


def search_files(folder: Path, values: Values) -> dict[str, Any]:
    """Search the raw bytes of every file below ``folder``."""
    found = Searched()
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file() and not path.is_symlink():
                size = path.stat().st_size
                found.see(str(path.relative_to(folder)), size=size, hits=_raw_hits(path, values))
        except FileNotFoundError:
            # A server at work makes and deletes files.
            continue
    return asdict(found)


def _search_lake(path: Path, name: str, values: Values, found: Searched) -> None:
    size = path.stat().st_size
    hits = _raw_hits(path, values)
    rows = 0
    if path.suffix == ".parquet":
        for part in row_groups(path, stored_schema(path)):
            rows += part.num_rows
            flat = _flat(part)
            hits += pc.sum(named_rows(flat, values)).as_py() or 0
    found.see(name, size=size, rows=rows, hits=hits)


def _flat(part: pa.Table) -> pa.Table:
    """Return ``part`` with what nests written out as text."""
    columns = {}
    for field_ in part.schema:
        column = part[field_.name]
        if pa.types.is_nested(field_.type) and not _is_of_numbers(field_.type):
            column = pa.array([None if v is None else str(v) for v in column.to_pylist()])
        columns[field_.name] = column
    return pa.table(columns)


def _is_of_numbers(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list(type_) and pa.types.is_primitive(type_.value_type))


def _raw_hits(path: Path, values: Values, end: int | None = None) -> int:
    hits = 0
    for chunk in _chunks(path, end):
        found = pc.count_substring_regex(pa.array([chunk], pa.binary()), values.telling)
        hits += found[0].as_py()
    return hits


def _chunks(path: Path, end: int | None) -> Iterator[bytes]:
    at = 0
    with path.open("rb") as file:
        while True:
            file.seek(max(0, at - OVERLAP_BYTES))
            wanted = CHUNK_BYTES + min(at, OVERLAP_BYTES)
            left = wanted if end is None else min(wanted, end - file.tell())
            chunk = file.read(max(0, left))
            if len(chunk) <= min(at, OVERLAP_BYTES):
                return
            yield chunk
            at += CHUNK_BYTES


def _search_state(stores: Stores, values: Values) -> dict[str, Any]:
    facts = {
        "exact": list(values.exact),
        "pattern": for_state(values.pattern),
        "folded": for_state(values.folded),
        "ids": list(values.new_ids),
    }
    rows = stores.state.rows(load_sql(ROOM, "mentions"), facts)
    tables = {row["table_name"]: row["rows"] for row in rows}
    return {
        "tables": len(tables),
        "columns": len(rows),
        "rows": sum(tables.values()),
        "hits": sum(row["hits"] for row in rows),
        "places": [f"{row['table_name']}.{row['column_name']}" for row in rows if row["hits"]],
    }
