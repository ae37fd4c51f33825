"""Read a whole table of the lake in parts, in the order of its files, and go on after any part."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from opportune.storage.lake import Lake, _explained
from opportune.storage.rewrite import _typed

__all__ = ["Scan", "parts", "scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The row groups of one snapshot: file, place in it, rows. ``digest`` differs for another."""

    groups: tuple[tuple[Path, int, int], ...]
    rows: int
    digest: str
    schema: pa.Schema


def scan(lake: Lake, table: str) -> Scan:
    """Pin the newest snapshot of ``table``; its files stay while nobody tidies up."""
    groups: list[tuple[Path, int, int]] = []
    with _explained(table):
        paths = sorted(lake.files(table))
        for path in paths:
            found = pq.read_metadata(path)
            groups += [
                (Path(path), place, found.row_group(place).num_rows)
                for place in range(found.num_row_groups)
            ]
    named = "\n".join(Path(path).name for path in paths)
    return Scan(
        groups=tuple(groups),
        rows=sum(rows for *_, rows in groups),
        digest=hashlib.sha256(named.encode()).hexdigest(),
        schema=lake.schema(table),
    )


def parts(found: Scan, *, after: int, rows_at_once: int) -> Iterator[tuple[pa.Table, int]]:
    """Return the rows behind the first ``after`` row groups, and how many groups that makes.

    A part is as many whole groups as it takes for ``rows_at_once``.
    """
    gathered: list[pa.Table] = []
    count = 0
    for place in range(after, len(found.groups)):
        path, group, rows = found.groups[place]
        with pq.ParquetFile(path) as file:
            gathered.append(_typed(file.read_row_group(group), found.schema))
        count += rows
        if count >= rows_at_once or place + 1 == len(found.groups):
            yield pa.concat_tables(gathered), place + 1
            gathered, count = [], 0
