"""Look at the first rows of a table for what its schema may have forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from opportune.events.history import cells
from opportune.events.history.messages import listed, schema_of
from opportune.events.history.model import Request
from opportune.events.history.read import read_rows
from opportune.files import kind_of
from opportune.storage import Engine

__all__ = ["numbers_as_texts"]

# A number that begins so is a code: a postcode, a telephone number.
CODE = r"^\s*[+]?0[0-9]"


def numbers_as_texts(request: Request, engine: Engine) -> tuple[str, ...]:
    """Name the fields that the schema leaves texts although all of them look like numbers."""
    if request.schema is None:
        return ()
    kind = kind_of(request.path)
    chunk = next(iter(read_rows(request.path, kind, schema_of(request), engine)), None)
    if chunk is None:
        return ()
    return tuple(
        f'column {name!r} holds numbers and stays text; types.{name} = "number" makes them numbers'
        for name in dict.fromkeys(_untyped(request, chunk.rows))
        if _are_numbers(engine, cells.column(chunk.rows, name), schema_of(request).decimal)
    )


def _untyped(request: Request, rows: pa.RecordBatch) -> Iterator[str]:
    schema = schema_of(request)
    for each in schema.messages:
        for field in listed(each, rows.schema.names):
            if field.column is not None and field.column not in schema.types:
                yield field.column


def _are_numbers(engine: Engine, column: pa.Array, decimal: str) -> bool:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    texts = column.drop_null()
    if not len(texts) or pc.any(pc.match_substring_regex(texts, CODE)).as_py():
        return False
    found = cells.ask(engine, "numbers", {"value": texts}, {"decimal": decimal})["value"]
    return int(found.null_count) == 0
