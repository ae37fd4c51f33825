"""Read JSON lines of any shape, a few thousand at a time: each line is a row, each key a column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from msgspec import Raw

from opportune.errors import nearest
from opportune.events.history.cells import RAW, column
from opportune.events.history.lines import LINE_BYTES, Line, numbered, read_object
from opportune.events.history.model import RefusedRow, Schema, columns_needed, columns_used
from opportune.events.history.table import CHUNK_BYTES, PAYLOAD_CHARACTERS, Chunk
from opportune.files import UnusableFile, opened, position

__all__ = ["check_keys", "read_objects"]

CHUNK_LINES = 20_000
# A key that none of so many lines has is a mistake.
LINES_LOOKED_AT = 1_000


def read_objects(path: Path, schema: Schema) -> Iterator[Chunk]:
    """Read the JSON lines of ``path``; cells are JSON, null where a line lacks the key.

    Raises ``UnusableFile`` when the file cannot be read on.
    """
    size = max(1, path.stat().st_size)
    wanted = _wanted(schema)
    with opened(path) as stream:
        lines: list[Line] = []
        waiting = 0
        for line in numbered(stream):
            lines.append(line)
            waiting += len(line.text)
            if len(lines) == CHUNK_LINES or waiting > CHUNK_BYTES:
                yield _chunk(lines, wanted, share=min(1.0, position(stream) / size))
                lines, waiting = [], 0
        if lines:
            yield _chunk(lines, wanted, share=1.0)


def check_keys(path: Path, schema: Schema) -> None:
    """Refuse a file of which the first lines have not what the messages of ``schema`` need.

    A property or trait may be rare. Raises ``UnusableFile`` with a line for every mistake.
    """
    with opened(path) as stream:
        rows = _chunk(list(islice(numbered(stream), LINES_LOOKED_AT)), None, share=0.0).rows
    problems = [
        f"{path.name}: key {name!r} ({where}): none of the first {LINES_LOOKED_AT:,} lines has it. "
        f"{nearest(name, rows.schema.names)}"
        for where, name in columns_needed(schema)
        if column(rows, name).null_count == rows.num_rows
    ]
    if problems and rows.num_rows:
        raise UnusableFile(problems)


def _wanted(schema: Schema) -> frozenset[str] | None:
    """The keys that are read, None for all of them."""
    if any(each.fields is None for each in schema.messages):
        return None
    names = {name for _, name in columns_used(schema)}
    return frozenset(names | {name.partition(".")[0] for name in names})


def _chunk(lines: Sequence[Line], wanted: frozenset[str] | None, *, share: float) -> Chunk:
    read: list[tuple[Line, dict[str, Raw]]] = []
    refused = []
    for line in lines:
        found = read_object(line, most_bytes=LINE_BYTES)
        if isinstance(found, dict):
            read.append((line, found))
            continue
        code, reason = found
        payload = line.text.decode(errors="replace")[:PAYLOAD_CHARACTERS]
        refused.append(RefusedRow(row=line.number, code=code, reason=reason, payload=payload))
    keys = dict.fromkeys(key for _, said in read for key in said if wanted is None or key in wanted)
    columns = {key: _cells([said.get(key) for _, said in read]) for key in keys}
    # A batch without columns has no rows, but these lines count.
    columns = columns or {"": _cells([None] * len(read))}
    return Chunk(
        rows=pa.RecordBatch.from_pydict(columns),
        numbers=np.array([line.number for line, _ in read], dtype=np.int64),
        last_row=lines[-1].number if lines else 0,
        refused=refused,
        share=share,
        whole=pa.array([line.text for line, _ in read], pa.string()),
    )


def _cells(values: Sequence[Raw | None]) -> pa.Array:
    texts = [None if value is None else bytes(value) for value in values]
    known = [None if text == b"null" else text for text in texts]
    return pa.ExtensionArray.from_storage(RAW, pa.array(known, pa.string()))
