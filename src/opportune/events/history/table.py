"""Read a table, CSV or Parquet, a few thousand rows at a time, with the numbers of its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv, parquet

from opportune.errors import nearest
from opportune.events.history.cells import ask
from opportune.events.history.model import RefusedRow, Schema, columns_used
from opportune.files import Kind, UnusableFile, opened, position
from opportune.storage import Engine

__all__ = ["Chunk", "check_table", "read_table"]

CHUNK_ROWS = 50_000
# A row of CSV must fit into it; so an open quotation mark is noticed and does not eat the memory.
BLOCK_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 16 * 1024 * 1024
PAYLOAD_CHARACTERS = 1_000
# So many rows of another width in a row are no slips.
MOST_PENDING = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some rows: ``numbers`` (n,) count them from 1, the header not included.

    ``last_row`` may be beyond them: what stood there is among ``refused``. ``share`` (0..1) is how
    much of the file was read when they were. ``whole`` (n,) are the rows as they are written, where
    that tells them apart; else their cells do.
    """

    rows: pa.RecordBatch
    numbers: NDArray[np.int64]
    last_row: int
    refused: list[RefusedRow]
    share: float
    whole: pa.Array | None = None


def read_table(path: Path, kind: Kind, schema: Schema, engine: Engine) -> Iterator[Chunk]:
    """Read ``path``, whose columns must have passed `check_table`.

    The cells of CSV are texts, and null where they are empty. Raises ``UnusableFile`` when the file
    cannot be read on.
    """
    if kind == "parquet":
        yield from _parquet(path, schema, engine)
        return
    with opened(path) as stream:
        yield from _csv(path, stream, schema, engine)


def check_table(path: Path, kind: Kind, schema: Schema) -> None:
    """Refuse a file that has not the columns ``schema`` names, with every mistake.

    Raises ``UnusableFile``.
    """
    try:
        if kind == "parquet":
            _check_names(path, parquet.read_schema(path), schema)
            return
        with opened(path) as stream:
            _check_names(path, _reader(_Watched(stream), schema, []).schema, schema)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as cause:
        raise _unreadable(path, cause, last=0) from cause


def _parquet(path: Path, schema: Schema, engine: Engine) -> Iterator[Chunk]:
    done = 0
    try:
        with parquet.ParquetFile(path, memory_map=True, pre_buffer=False) as file:
            names = file.schema_arrow.names
            total = file.metadata.num_rows
            for batch in file.iter_batches(_batch_rows(file)):
                numbers = np.arange(done + 1, done + batch.num_rows + 1)
                done += batch.num_rows
                rows = batch.select([name for name in names if name])
                found, bad = _decoded(rows, numbers, engine)
                yield Chunk(
                    rows=found[0],
                    numbers=found[1],
                    last_row=done,
                    refused=bad,
                    share=done / max(1, total),
                )
    except (pa.ArrowException, OSError) as cause:
        raise _unreadable(path, cause, last=done) from cause


def _batch_rows(file: parquet.ParquetFile) -> int:
    groups = [file.metadata.row_group(place) for place in range(file.metadata.num_row_groups)]
    widths = [group.total_byte_size / group.num_rows for group in groups if group.num_rows]
    return max(1, min(CHUNK_ROWS, int(CHUNK_BYTES / max(1.0, *widths, 1.0))))


def _csv(path: Path, stream: IO[bytes], schema: Schema, engine: Engine) -> Iterator[Chunk]:
    """Rows with too few or too many cells are left out by the reader, which tells their numbers."""
    refused: list[RefusedRow] = []
    size = max(1, path.stat().st_size)
    last = 0
    try:
        watched = _Watched(stream)
        reader = _reader(watched, schema, refused)
        names = reader.schema.names
        for blocks, batch in enumerate(reader, start=1):
            for start in range(0, batch.num_rows, CHUNK_ROWS):
                rows = batch.slice(start, CHUNK_ROWS).select([name for name in names if name])
                numbers = _numbers(rows.num_rows, [each.row for each in refused], after=last)
                last = int(numbers[-1])
                passed = sum(each.row < last for each in refused)
                found, bad = _decoded(rows, numbers, engine)
                yield Chunk(
                    rows=found[0],
                    numbers=found[1],
                    last_row=last,
                    refused=[*refused[:passed], *bad],
                    share=min(1.0, watched.read_after(blocks) / size),
                )
                del refused[:passed]
    except (pa.ArrowException, UnicodeDecodeError) as cause:
        raise _unreadable(path, cause, last=last) from cause
    if refused:
        texts = pa.schema([(name, pa.string()) for name in names if name])
        rows = pa.RecordBatch.from_pylist([], schema=texts)
        numbers = np.array([], dtype=np.int64)
        last = refused[-1].row
        yield Chunk(rows=rows, numbers=numbers, last_row=last, refused=refused, share=1.0)


class _Watched:
    """A file that knows where each block that was read of it ends: the reader reads far ahead."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._ends = [0]
        self.closed = False

    def read(self, size: int) -> bytes:
        """Read the next block."""
        block = self._stream.read(size)
        self._ends.append(position(self._stream))
        return block

    def read_after(self, blocks: int) -> int:
        """How far the file was read when so many blocks were."""
        return self._ends[min(blocks, len(self._ends) - 1)]


def _reader(stream: _Watched, schema: Schema, refused: list[RefusedRow]) -> csv.CSVStreamingReader:
    def skip(row: csv.InvalidRow) -> str:
        if len(refused) >= MOST_PENDING:
            return "error"
        reason = f"it has {row.actual_columns} cells, the header has {row.expected_columns}."
        payload = row.text[:PAYLOAD_CHARACTERS]
        # The header is the reader's first row.
        refused.append(
            RefusedRow(row=row.number - 1, code="wrong_cells", reason=reason, payload=payload)
        )
        return "skip"

    return csv.open_csv(
        stream,
        read_options=csv.ReadOptions(
            block_size=BLOCK_BYTES, use_threads=False, encoding=schema.encoding
        ),
        parse_options=csv.ParseOptions(
            delimiter=schema.delimiter, newlines_in_values=True, invalid_row_handler=skip
        ),
        # Bytes and not texts: one cell that is not UTF-8 must not fail all the others.
        convert_options=csv.ConvertOptions(
            default_column_type=pa.binary(), null_values=[""], strings_can_be_null=True
        ),
    )


def _numbers(count: int, missing: list[int], *, after: int) -> NDArray[np.int64]:
    """Number ``count`` rows from ``after`` + 1 on, passing over ``missing`` (ascending)."""
    places = np.arange(count)
    holes = np.array(missing, dtype=np.int64) - after - 1
    passed = np.searchsorted(holes - np.arange(len(holes)), places, side="right")
    return np.asarray(after + 1 + places + passed, dtype=np.int64)


def _decoded(
    rows: pa.RecordBatch, numbers: NDArray[np.int64], engine: Engine
) -> tuple[tuple[pa.RecordBatch, NDArray[np.int64]], list[RefusedRow]]:
    """The cells, bytes as texts, with their numbers; and the rows that are not UTF-8."""
    names = rows.schema.names
    bad = np.zeros(len(numbers), dtype=np.bool_)
    columns = []
    for column in rows.columns:
        found = _texts(column, engine) if _is_bytes(column.type) else column
        bad |= pc.and_(pc.is_null(found), pc.is_valid(column)).to_numpy(False)
        columns.append(found)
    batch = pa.RecordBatch.from_arrays(columns, names=names)
    if not bad.any():
        return (batch, numbers), []
    refused = [_not_utf8(int(number)) for number in numbers[bad]]
    return (batch.filter(pa.array(~bad)), numbers[~bad]), refused


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _texts(column: pa.Array, engine: Engine) -> pa.Array:
    try:
        return column.cast(pa.string())
    except pa.ArrowInvalid:
        return ask(engine, "decoded", {"value": column})["value"].combine_chunks()


def _not_utf8(number: int) -> RefusedRow:
    reason = "it is not UTF-8. Set 'encoding' in the schema, such as 'latin-1'."
    return RefusedRow(row=number, code="not_utf8", reason=reason, payload="")


def _unreadable(path: Path, cause: Exception, *, last: int) -> UnusableFile:
    said = str(cause)
    if "straddling" in said:
        said = (
            f"a row is longer than {BLOCK_BYTES // 1024 // 1024} MiB; a quotation mark may be open"
        )
    elif "Expected" in said:
        said = (
            f"{MOST_PENDING} rows in a row have another number of cells than the header; the "
            "delimiter may be another one"
        )
    return UnusableFile([f"{path.name}: it cannot be read after row {last}: {said}."])


def _check_names(path: Path, columns: pa.Schema, schema: Schema) -> None:
    names = columns.names
    problems = [
        f"{path.name}: column {name!r}: there are {names.count(name)} columns of this name."
        for name in sorted({name for name in names if name and names.count(name) > 1})
    ]
    for where, column in columns_used(schema):
        if not _has(columns, column):
            problems.append(
                f"{path.name}: column {column!r} ({where}): there is no such column. "
                f"{nearest(column, names)}"
            )
    if problems:
        raise UnusableFile(problems)


def _has(columns: pa.Schema, name: str) -> bool:
    """Say whether there is a column of the name, or cells at that path within one."""
    if name in columns.names:
        return True
    outer, *path = name.split(".")
    kind = columns.field(outer).type if columns.names.count(outer) == 1 else pa.null()
    for each in path:
        if not pa.types.is_struct(kind) or kind.get_field_index(each) < 0:
            return False
        kind = kind.field(each).type
    return bool(path)
