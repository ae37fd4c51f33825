"""Read the rows of a file that a schema tells the meaning of, whatever kind of file it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from opportune.events.history.model import Schema
from opportune.events.history.objects import check_keys, read_objects
from opportune.events.history.table import Chunk, check_table, read_table
from opportune.files import Kind
from opportune.storage import Engine

__all__ = ["check_columns", "read_rows"]


def read_rows(path: Path, kind: Kind, schema: Schema, engine: Engine) -> Iterator[Chunk]:
    """Read ``path``, whose columns must have passed `check_columns`.

    Raises ``UnusableFile`` when the file cannot be read on.
    """
    if kind == "json_lines":
        return read_objects(path, schema)
    return read_table(path, kind, schema, engine)


def check_columns(path: Path, kind: Kind, schema: Schema) -> None:
    """Refuse a file that has not the columns ``schema`` names, with every mistake.

    Raises ``UnusableFile``.
    """
    if kind == "json_lines":
        check_keys(path, schema)
    else:
        check_table(path, kind, schema)
