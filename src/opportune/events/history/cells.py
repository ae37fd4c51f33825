"""Turn columns of a table into what messages are made of: texts, times and JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw
from numpy.typing import NDArray

from opportune.events.history.model import Moment
from opportune.storage import Engine, load_sql

__all__ = [
    "RAW",
    "as_json",
    "as_text",
    "as_times",
    "ask",
    "column",
    "objects",
    "quoted",
    "whole_rows",
    "written",
]

PACKAGE = "opportune.events.history"
UNITS_US = {"s": 1_000_000, "ms": 1_000, "us": 1}
# The years 1 to 9999, the times that every reader of the lake can hold.
EARLIEST_US = -62_135_596_800_000_000
LATEST_US = 253_402_300_799_999_999
# The name of the query that reads a text as a value of this type.
# Cells that are JSON texts, one value each.
RAW = pa.json_(pa.string())
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
READERS = {"number": "numbers", "integer": "integers", "boolean": "booleans", "json": "documents"}


def ask(
    engine: Engine,
    name: str,
    columns: Mapping[str, Sequence[object]],
    facts: Mapping[str, str | int] | None = None,
) -> pa.Table:
    """Run the query ``name`` over the relation ``cells`` of ``columns``, numbered by ``place``."""
    cells = pa.table({"place": np.arange(len(next(iter(columns.values())))), **columns})
    return engine.query(load_sql(PACKAGE, name), facts, relations={"cells": cells})


def column(rows: pa.RecordBatch, name: str) -> pa.Array:
    """The cells of a column; of "customer.id", where no column is called so, those within it.

    Nothing where there is no such column: a line of JSON may lack what others have.
    """
    if name in rows.schema.names:
        return rows.column(name)
    outer, _, inner = name.partition(".")
    if not inner or outer not in rows.schema.names:
        return pa.nulls(rows.num_rows)
    found = rows.column(outer)
    if found.type == RAW:
        texts = [_within(text, inner.split(".")) for text in found.storage.to_pylist()]
        return pa.ExtensionArray.from_storage(RAW, pa.array(texts, pa.string()))
    return pc.struct_field(found, inner.split("."))


def as_text(column: pa.Array) -> pa.Array:
    """The cells as texts; whole numbers without a point, as ids are often kept."""
    plain = _plain(column)
    if pa.types.is_floating(plain.type):
        whole = pc.equal(pc.trunc(plain), plain)
        if pc.all(pc.fill_null(whole, True)).as_py():
            plain = plain.cast(pa.int64())
    return plain.cast(pa.string())


def as_times(engine: Engine, column: pa.Array, moment: Moment) -> pa.Array:
    """The cells as microseconds since 1970 UTC, null where they are none that can be kept."""
    plain = _plain(column)
    kind = plain.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        found = _clock_times(plain, moment.zone)
    elif moment.format in UNITS_US:
        values = plain if _is_number(kind) else plain.cast(pa.string())
        found = _one(engine, "epoch_times", values, {"unit_us": UNITS_US[moment.format]})
    elif moment.format in (None, "iso"):
        found = _one(engine, "iso_times", plain.cast(pa.string()), {"zone": moment.zone})
    else:
        form = str(moment.format)
        texts = plain.cast(pa.string())
        found = _one(engine, "written_times", texts, {"zone": moment.zone, "format": form})
    kept = pc.and_(pc.greater_equal(found, EARLIEST_US), pc.less_equal(found, LATEST_US))
    return pc.if_else(kept, found, pa.scalar(None, pa.int64()))


def as_json(
    engine: Engine, column: pa.Array, kind: str | Moment | None, *, decimal: str
) -> tuple[pa.Array, NDArray[np.bool_]]:
    """The cells as JSON texts, null where there is nothing; and which could not be read, (n,).

    ``kind`` is what the schema says of the column, None to keep what the file has.
    """
    if column.type == RAW:
        if kind is None:
            return column.storage, np.zeros(len(column), dtype=np.bool_)
        column = _plain(column)
    if isinstance(kind, Moment):
        times = as_times(engine, column, kind)
        found = quoted(written(times))
    elif kind == "text":
        found = _one(engine, "texts", as_text(column))
    elif kind is None or not _is_text(column.type):
        # What is typed already is taken as it is, unless it is not what it is said to be.
        found = _typed_json(engine, _plain(column))
        if kind is not None and not _fits(_plain(column).type, kind):
            return found, column.is_valid().to_numpy(False)
        return found, np.zeros(len(column), dtype=np.bool_)
    else:
        facts = {"decimal": decimal} if kind == "number" else {}
        found = _one(engine, READERS[kind], _plain(column).cast(pa.string()), facts)
    return found, pc.and_(found.is_null(), column.is_valid()).to_numpy(False)


def objects(members: Mapping[str, pa.Array], count: int) -> pa.Array:
    """Join JSON texts by name into ``count`` objects; what is null is left out."""
    texts = [pc.binary_join_element_wise(name, value, ":") for name, value in members.items()]
    if not texts:
        return pa.array(["{}"] * count, pa.string())
    # The join loses a row in which everything is null.
    nothing = reduce(pc.and_, [text.is_null() for text in texts])
    texts[0] = pc.if_else(nothing, "", texts[0])
    joined = pc.binary_join_element_wise(*texts, ",", null_handling="skip")
    return pc.binary_join_element_wise("{", joined, "}", "")


def whole_rows(engine: Engine, rows: pa.RecordBatch) -> pa.Array:
    """All that stands in each row as one text, different when anything differs."""
    names = pa.array(["".join(f"{name}\x1f" for name in rows.schema.names)] * rows.num_rows)
    texts = [_any_text(engine, column) for column in rows.columns]
    return pc.binary_join_element_wise(
        names, *texts, "\x1f", null_handling="replace", null_replacement="\x1e"
    )


def quoted(texts: pa.Array) -> pa.Array:
    """Put quotation marks around texts that hold nothing JSON would have to escape."""
    return pc.binary_join_element_wise('"', texts, '"', "")


def written(times_us: pa.Array) -> pa.Array:
    """Times as ISO 8601 texts in UTC."""
    return pc.replace_substring(
        times_us.cast(pa.timestamp("us", tz="UTC")).cast(pa.string()), " ", "T"
    )


def _one(
    engine: Engine, name: str, values: pa.Array, facts: Mapping[str, str | int] | None = None
) -> pa.Array:
    found = ask(engine, name, {"value": values}, facts)["value"].combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _plain(column: pa.Array) -> pa.Array:
    """The cells themselves, of a column that keeps each value only once, or that is JSON."""
    if column.type == RAW:
        return _unquoted(column.storage)
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _within(text: str | None, path: Sequence[str]) -> bytes | None:
    """What stands at ``path`` in a JSON text, null where nothing does."""
    found = None if text is None else text.encode()
    for name in path:
        if found is None or not found.startswith(b"{"):
            return None
        inner = _OBJECT.decode(found).get(name)
        found = None if inner is None else bytes(inner)
    return None if found == b"null" else found


def _unquoted(texts: pa.Array) -> pa.Array:
    """JSON strings as the texts that they stand for, other JSON as it is written."""
    strings = pc.fill_null(pc.starts_with(texts, '"'), False)
    found = pc.if_else(strings, pc.utf8_trim(texts, '"'), texts)
    escaped = pc.and_(strings, pc.fill_null(pc.match_substring(texts, "\\"), False))
    if not pc.any(escaped).as_py():
        return found
    read = msgspec.json.decode(f"[{','.join(texts.filter(escaped).to_pylist())}]")
    return pc.replace_with_mask(found, escaped, pa.array(read, pa.string()))


def _clock_times(column: pa.Array, zone: str) -> pa.Array:
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        return column.cast(pa.timestamp("us", tz="UTC"), safe=False).cast(pa.int64())
    naive = column.cast(pa.timestamp("us"), safe=False)
    local = pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="latest")
    return local.cast(pa.int64())


def _typed_json(engine: Engine, plain: pa.Array) -> pa.Array:
    kind = plain.type
    if pa.types.is_null(kind):
        return plain.cast(pa.string())
    if pa.types.is_floating(kind):
        return pc.if_else(
            pc.is_finite(plain), plain.cast(pa.string()), pa.scalar(None, pa.string())
        )
    if _is_number(kind) or pa.types.is_boolean(kind):
        return plain.cast(pa.string())
    if pa.types.is_timestamp(kind):
        zone = "UTC" if kind.tz else None
        texts = plain.cast(pa.timestamp("us", tz=zone), safe=False).cast(pa.string())
        return quoted(pc.replace_substring(texts, " ", "T"))
    if pa.types.is_date(kind) or pa.types.is_time(kind):
        return quoted(plain.cast(pa.string()))
    return _one(engine, "texts", plain)


def _any_text(engine: Engine, column: pa.Array) -> pa.Array:
    plain = _plain(column)
    if pa.types.is_nested(plain.type):
        return _one(engine, "texts", plain)
    return plain.cast(pa.string())


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind))


def _is_text(kind: pa.DataType) -> bool:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner))


def _fits(kind: pa.DataType, wanted: str) -> bool:
    """Say whether columns of type ``kind`` are numbers, whole numbers, or whatever is wanted."""
    types = pa.types
    return {
        "number": _is_number(kind),
        "integer": bool(types.is_integer(kind)),
        "boolean": bool(types.is_boolean(kind)),
        "json": bool(types.is_nested(kind)),
    }[wanted] or bool(types.is_null(kind))
