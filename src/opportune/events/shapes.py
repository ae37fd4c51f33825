"""The shape of a JSON document: the names of its fields and the type of each."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import Raw

from opportune.events.message import fields

__all__ = ["is_deep", "json_types", "members", "text_of"]

TYPE_NAMES = {
    **{"VARCHAR": "string", "BOOLEAN": "boolean", "DOUBLE": "number", "NULL": "null"},
    **dict.fromkeys(("BIGINT", "HUGEINT", "UBIGINT", "UHUGEINT"), "integer"),
    **{"ARRAY": "array", "OBJECT": "object"},
}
# What a value starts with, where the engine gives no type: it was said twice, or is empty.
FIRST: Mapping[bytes, str] = {
    **dict.fromkeys((b"-", *(str(digit).encode() for digit in range(10))), "number"),
    **{b"{": "object", b"[": "array", b'"': "string", b"t": "boolean", b"f": "boolean"},
    b"n": "null",
}
# The engine follows what is nested a hundred levels deep, and fails on the next one.
MOST_OPENINGS = 90


def is_deep(documents: pa.ChunkedArray) -> pa.ChunkedArray:
    """Say which documents may be nested too deeply for the engine to look into all of them.

    Counted in the bytes of a whole column: text functions take four times as long.
    """
    chunks = (_is_deep(chunk) for chunk in documents.cast(pa.large_string()).chunks)
    return pa.chunked_array(chunks, pa.bool_())


def json_types(types: str | None, document: str | None) -> dict[str, str]:
    """Return the type of each field of a ``document``, given its ``types`` as the engine has them.

    >>> json_types('{"a":"UBIGINT","b":["VARCHAR"],"c":"JSON"}', '{"a":1,"b":["x"],"c":{}}')
    {'a': 'integer', 'b': 'array', 'c': 'object'}
    """
    known = None if types is None else msgspec.json.decode(types)
    if document is None or not isinstance(known, dict):
        return {}
    return {name: _type_name(name, each, document) for name, each in known.items()}


def members(document: str) -> dict[str, Raw]:
    """Return the fields of a document as their texts; none where it is nested beyond reading."""
    try:
        return fields(document.encode())
    except (msgspec.DecodeError, RecursionError):
        return {}


def text_of(raw: Raw) -> str:
    """Return the characters of a JSON string, and of any other value its JSON."""
    text = bytes(raw).decode()
    return msgspec.json.decode(text, type=str) if text.startswith('"') else text


def _is_deep(documents: pa.LargeStringArray) -> pa.BooleanArray:
    _, offsets, data = documents.buffers()
    ends = np.frombuffer(offsets or b"", np.int64)
    ends = ends[documents.offset : documents.offset + len(documents) + 1]
    if not len(documents):
        return pa.array([], pa.bool_())
    text = np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]
    # With this bit set, both kinds of opening are the same.
    places = np.flatnonzero((text | ord(" ")) == ord("{"))
    openings = np.diff(np.searchsorted(places, ends - ends[0]))
    return pa.array(openings > MOST_OPENINGS)


def _type_name(name: str, given: object, document: str) -> str:
    if isinstance(given, list):
        return "array"
    if not isinstance(given, str):
        return "object"
    raw = members(document).get(name, Raw(b"{}")) if given not in TYPE_NAMES else Raw(b"{}")
    return TYPE_NAMES.get(given) or FIRST[bytes(raw)[:1]]
