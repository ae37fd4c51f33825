"""The nouns of an import: what the columns of a file mean, and what came of its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import msgspec
import pyarrow as pa

from opportune.errors import Conflict, InvalidInput

__all__ = [
    "Fact",
    "Field",
    "ImportRunning",
    "Imported",
    "MessageMap",
    "Moment",
    "Part",
    "RefusedRow",
    "Request",
    "Schema",
    "SchemaMissing",
    "Tally",
    "Told",
    "Value",
    "columns_needed",
    "columns_used",
]

Told = Callable[[str, int, float], object]
"""Hears of progress: the file's name, rows read so far, share of the file read (0..1)."""

Fact = str | int | float | bool
# Names of events told one by one; more than that is a column of something else.
MOST_NAMES = 500
OTHERS = "(other names)"


class ImportRunning(Conflict):
    """Another process imports the same file just now."""

    code = "import_running"


class SchemaMissing(InvalidInput):
    """A table was given without a schema that says what its columns mean."""

    code = "schema_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A text of a message: the cell of ``column`` behind ``prefix``, or ``constant``."""

    column: str | None
    constant: str | None
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A time: ``constant_us``, or the cells of ``column``.

    ``format`` is "iso", an epoch ("s", "ms", "us"), or a pattern of strptime. ``zone`` is the IANA
    name of the time zone of times that say none.
    """

    column: str | None
    constant_us: int | None
    format: str | None
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One property or trait: the cells of ``column``, or ``constant``."""

    name: str
    column: str | None
    constant: Fact | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageMap:
    """What makes one message of a row. ``texts`` goes by the wire's names, such as ``userId``.

    ``fields`` are the properties or traits; None means every column that has no other use here.
    ``only`` maps columns to the texts of which one must stand there; other rows make no message.
    """

    where: str
    type: str
    texts: Mapping[str, Value]
    timestamp: Moment
    fields: tuple[Field, ...] | None
    only: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What the columns of a table mean.

    ``types`` says of columns what their cells are: "text", "number", "integer", "boolean", "json",
    or a time. ``equal_rows``: "one" (the same row again is the same event) or "each" (is another).
    ``delimiter``, ``decimal`` and ``encoding`` are of CSV only.
    """

    where: str
    messages: tuple[MessageMap, ...]
    types: Mapping[str, str | Moment]
    equal_rows: str
    delimiter: str
    decimal: str
    encoding: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One file to import. ``schema`` is None for messages, one a line of JSON.

    ``live``: the events count as if they happened now. ``again``: also when the file was imported
    before, which is of use only when the log and the lake have lost it.
    """

    path: Path
    source_id: str
    schema: Schema | None
    live: bool
    again: bool = False


class RefusedRow(msgspec.Struct, frozen=True):
    """A row, or one of its messages, that cannot be used; rows are counted from 1."""

    row: int
    code: str
    reason: str
    payload: str


class Tally(msgspec.Struct):
    """What the rows came to; a sum over the parts of a file.

    ``messages`` counts by type and event name. Times are microseconds since 1970 UTC. ``late``
    counts messages whose time had not come yet and became the time of the import; ``equal_rows``
    rows left out because the same came before.
    """

    rows: int = 0
    messages: dict[str, dict[str, int]] = {}
    first_us: int | None = None
    last_us: int | None = None
    refused: dict[str, int] = {}
    late: int = 0
    equal_rows: int = 0

    @property
    def sent(self) -> int:
        """How many messages there are in all."""
        return sum(sum(names.values()) for names in self.messages.values())

    @property
    def refusals(self) -> int:
        """How many rows were refused in all, one twice that was for two reasons."""
        return sum(self.refused.values())

    def add(self, other: Tally) -> None:
        """Add what another part came to."""
        self.rows += other.rows
        self.late += other.late
        self.equal_rows += other.equal_rows
        for kind, names in other.messages.items():
            for name, count in names.items():
                self.count(kind, name, count)
        for code, count in other.refused.items():
            self.refuse(code, count)
        for times in (other.first_us, other.last_us):
            if times is not None:
                self.saw(times)

    def count(self, kind: str, name: str, count: int) -> None:
        """Count messages of a type and event name ("" for a type without)."""
        names = self.messages.setdefault(kind, {})
        shown = name if name in names or len(names) < MOST_NAMES else OTHERS
        names[shown] = names.get(shown, 0) + count

    def refuse(self, code: str, count: int) -> None:
        """Count rows that were refused."""
        if count:
            self.refused[code] = self.refused.get(code, 0) + count

    def saw(self, time_us: int) -> None:
        """Widen the range of times to ``time_us``."""
        self.first_us = time_us if self.first_us is None else min(self.first_us, time_us)
        self.last_us = time_us if self.last_us is None else max(self.last_us, time_us)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some rows of a file on their way: ``last_row`` is the last of them.

    ``messages`` are JSON texts of the tracking protocol; ``share`` (0..1) is how much of the file
    was read when they were.
    """

    last_row: int
    share: float
    messages: list[pa.Array]
    refused: list[RefusedRow]
    tally: Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of one file. ``began_at``: when its import was first started.

    ``before``: it had been imported earlier, nothing was done. ``profiles_before``: how many there
    were, where that was asked. ``examples``: the first refusals. ``hints``: what to look at.
    """

    import_id: str
    file: str
    began_at: datetime
    profiles_before: int | None
    before: bool
    tally: Tally
    examples: tuple[RefusedRow, ...]
    hints: tuple[str, ...] = ()


def columns_needed(schema: Schema) -> Iterator[tuple[str, str]]:
    """Say which columns say whose, when and what, each with the key that names it."""
    for each in schema.messages:
        for wire, value in each.texts.items():
            if value.column is not None:
                yield f"{each.where}, {wire}", value.column
        if each.timestamp.column is not None:
            yield f"{each.where}, timestamp", each.timestamp.column
        for column in each.only:
            yield f"{each.where}, only", column


def columns_used(schema: Schema) -> Iterator[tuple[str, str]]:
    """Say which columns ``schema`` names, each with the key that names it."""
    yield from columns_needed(schema)
    for each in schema.messages:
        for one in each.fields or ():
            if one.column is not None:
                yield f"{each.where}, {one.name}", one.column
    for column in schema.types:
        yield "types", column
