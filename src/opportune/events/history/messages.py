"""Make messages of the tracking protocol from the rows of a table, in columns."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune.events.history import cells
from opportune.events.history.model import (
    Field,
    MessageMap,
    Moment,
    Part,
    RefusedRow,
    Request,
    Schema,
    SchemaMissing,
    Tally,
    Value,
)
from opportune.events.history.read import read_rows
from opportune.events.history.repeats import Repeats
from opportune.events.history.table import PAYLOAD_CHARACTERS, Chunk
from opportune.events.message import ID_CHARACTERS
from opportune.events.model import LIMITS
from opportune.files import Kind
from opportune.storage import Engine

__all__ = ["listed", "schema_of", "table_parts"]

Mask = NDArray[np.bool_]
# The numbers of the rows of a chunk by what they were refused for, code and reason.
Told = dict[tuple[str, str], list[int]]

IDS = ("userId", "anonymousId")
LONGEST = {
    "userId": ID_CHARACTERS,
    "anonymousId": ID_CHARACTERS,
    "groupId": LIMITS.group_id,
    "messageId": LIMITS.message_id,
}
LONG_CODES = {"messageId": "message_id_too_long"}
NEEDED = {
    "track": ("event", "event_not_defined"),
    "group": ("groupId", "id_required"),
    "alias": ("previousId", "id_required"),
}
FIELDS = {"identify": "traits", "group": "traits"}
MUST_BE = {
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "json": "JSON",
}
MOST_PAYLOADS = 1_000
# Chunks that are made into messages at the same time.
LANES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Rows of a chunk. ``again`` (n,): how often each came before; ``digests``: of their cells."""

    cells: pa.RecordBatch
    numbers: NDArray[np.int64]
    again: NDArray[np.int64]
    digests: pa.Array

    def filter(self, mask: Mask) -> _Rows:
        """Only the rows in ``mask`` (n,)."""
        keep = pa.array(mask)
        return _Rows(
            cells=self.cells.filter(keep),
            numbers=self.numbers[mask],
            again=self.again[mask],
            digests=self.digests.filter(keep),
        )


class _Table:
    """Makes the messages of one file; remembers which rows came before."""

    def __init__(self, request: Request, schema: Schema, engine: Engine, *, now_us: int) -> None:
        self.request = request
        self.schema = schema
        self.engine = engine
        self.now_us = now_us
        self._repeats = Repeats(each=schema.equal_rows == "each")
        self._twins = _twins(schema.messages)
        self._needs_digests = any("messageId" not in each.texts for each in schema.messages)

    def rows(self, chunk: Chunk) -> _Rows:
        """The rows of ``chunk``, told apart from all before."""
        count = len(chunk.numbers)
        again, digests = np.zeros(count, dtype=np.int64), pa.array([""] * count, pa.string())
        if self._needs_digests and count:
            whole = chunk.whole
            if whole is None:
                whole = cells.whole_rows(self.engine, chunk.rows)
            found = cells.ask(self.engine, "digests", {"value": whole})
            digests = found["value"].combine_chunks()
            again = self._repeats.count(digests)
        return _Rows(cells=chunk.rows, numbers=chunk.numbers, again=again, digests=digests)

    def part(self, chunk: Chunk, rows: _Rows, *, after_row: int) -> Part:
        """All messages of ``rows``, which are those of ``chunk``, beyond ``after_row``."""
        rows = rows.filter(rows.numbers > after_row)
        refused = [row for row in chunk.refused if row.row > after_row]
        tally = Tally(rows=len(rows.numbers) + len(refused))
        for row in refused:
            tally.refuse(row.code, 1)
        if self.schema.equal_rows == "one":
            tally.equal_rows = int((rows.again > 0).sum())
        told: Told = {}
        part = Part(
            last_row=chunk.last_row, share=chunk.share, messages=[], refused=refused, tally=tally
        )
        for each, twin in zip(self.schema.messages, self._twins, strict=True):
            part.messages.append(self.messages(rows, each, part=part, twin=twin, told=told))
        part.refused.sort(key=lambda row: row.row)
        return part

    def messages(
        self, rows: _Rows, each: MessageMap, *, part: Part, twin: int, told: Told
    ) -> pa.Array:
        """The messages that ``each`` makes of ``rows``; what is wrong goes to ``part``."""
        chosen = self._chosen(rows, each)
        texts = {wire: _text(chosen, value) for wire, value in each.texts.items()}
        texts = {**dict.fromkeys((*IDS, "event", "messageId"), _nothing(chosen)), **texts}
        times_us = self._times(chosen, each)
        refusals = _Refusals(chosen)
        fields = self._fields(chosen, each, refusals)
        _check(refusals, each, texts, times_us)
        texts["messageId"] = self._ids(chosen, each, texts, times_us, twin)
        found = self._join(each, texts, times_us, fields)
        long = pc.greater(pc.binary_length(found), LIMITS.message_bytes).to_numpy(False)
        refusals.add(long, "message_too_large", _too_large())
        refusals.tell(part, self.engine, told)
        good = pa.array(refusals.none)
        names = texts["event"] if each.type == "track" else _nothing(chosen)
        _count(part.tally, each.type, names.filter(good), times_us.filter(good), self.now_us)
        return found.filter(good)

    def _chosen(self, rows: _Rows, each: MessageMap) -> _Rows:
        mask = np.ones(len(rows.numbers), dtype=np.bool_)
        for column, values in each.only.items():
            texts = cells.as_text(cells.column(rows.cells, column))
            mask &= pc.is_in(texts, value_set=pa.array(values, pa.string())).to_numpy(False)
        if self.schema.equal_rows == "one" and "messageId" not in each.texts:
            mask &= rows.again == 0
        return rows if mask.all() else rows.filter(mask)

    def _times(self, rows: _Rows, each: MessageMap) -> pa.Array:
        if each.timestamp.column is None:
            return pa.array([each.timestamp.constant_us] * len(rows.numbers), pa.int64())
        column = cells.column(rows.cells, each.timestamp.column)
        return cells.as_times(self.engine, column, each.timestamp)

    def _fields(self, rows: _Rows, each: MessageMap, refusals: _Refusals) -> pa.Array:
        """The properties or traits as JSON objects."""
        members: dict[str, pa.Array] = {}
        for one in listed(each, rows.cells.schema.names):
            name = msgspec.json.encode(one.name).decode()
            if one.column is None:
                constant = msgspec.json.encode(one.constant).decode()
                members[name] = pa.array([constant] * len(rows.numbers), pa.string())
                continue
            kind = self.schema.types.get(one.column)
            column = cells.column(rows.cells, one.column)
            decimal = self.schema.decimal
            members[name], bad = cells.as_json(self.engine, column, kind, decimal=decimal)
            must = "a time" if not isinstance(kind, str) else MUST_BE.get(kind, "a text")
            refusals.add(bad, "wrong_type", f"column {one.column!r} must be {must}.")
        return cells.objects(members, len(rows.numbers))

    def _ids(
        self,
        rows: _Rows,
        each: MessageMap,
        texts: Mapping[str, pa.Array],
        times_us: pa.Array,
        twin: int,
    ) -> pa.Array:
        given = texts["messageId"]
        if not given.null_count:
            return given
        columns = {
            "event": texts["event"],
            "user_id": texts["userId"],
            "anonymous_id": texts["anonymousId"],
            "occurred_at_us": times_us,
            "digest": rows.digests,
            "again": rows.again,
        }
        facts = {"source_id": self.request.source_id, "type": each.type, "twin": str(twin)}
        made = cells.ask(self.engine, "message_ids", columns, facts)["value"].combine_chunks()
        return pc.coalesce(given, made)

    def _join(
        self,
        each: MessageMap,
        texts: Mapping[str, pa.Array],
        times_us: pa.Array,
        fields: pa.Array,
    ) -> pa.Array:
        """Whole messages as JSON texts."""
        count = len(times_us)
        members = {
            '"type"': pa.array([f'"{each.type}"'] * count, pa.string()),
            '"timestamp"': cells.quoted(cells.written(times_us)),
        }
        for wire, value in texts.items():
            if value.null_count < count:
                found, _ = cells.as_json(self.engine, value, "text", decimal=".")
                members[f'"{wire}"'] = found
        if each.type != "alias":
            members[f'"{FIELDS.get(each.type, "properties")}"'] = fields
        return cells.objects(members, count)


class _Refusals:
    """The first thing that is wrong with each row, if anything is."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows
        self._problem = np.full(len(rows.numbers), -1)
        self._problems: list[tuple[str, str]] = []

    @property
    def none(self) -> Mask:
        """The rows that nothing is wrong with, (n,)."""
        return self._problem < 0

    def add(self, mask: Mask, code: str, reason: str) -> None:
        """Note what is wrong with the rows in ``mask`` (n,) unless something else already is."""
        new = mask & self.none
        if new.any():
            self._problem[new] = len(self._problems)
            self._problems.append((code, reason))

    def tell(self, part: Part, engine: Engine, told: Told) -> None:
        """Put the refused rows into ``part``, the first of them with what stood in them.

        What another message of the same row was refused for as well is told once.
        """
        new = np.zeros(len(self._problem), dtype=np.bool_)
        for which, problem in enumerate(self._problems):
            here = self._problem == which
            here &= ~np.isin(self._rows.numbers, told.get(problem, []))
            told[problem] = [*told.get(problem, []), *self._rows.numbers[here].tolist()]
            part.tally.refuse(problem[0], int(here.sum()))
            new |= here
        places = np.flatnonzero(new)[: max(0, MOST_PAYLOADS - len(part.refused))]
        if not len(places):
            return
        structs = self._rows.cells.take(pa.array(places)).to_struct_array()
        payloads = cells.ask(engine, "texts", {"value": structs})["value"].to_pylist()
        for place, payload in zip(places, payloads, strict=True):
            code, reason = self._problems[self._problem[place]]
            row = int(self._rows.numbers[place])
            part.refused.append(
                RefusedRow(row=row, code=code, reason=reason, payload=payload[:PAYLOAD_CHARACTERS])
            )


def table_parts(
    request: Request,
    kind: Kind,
    engine: Engine,
    *,
    now_us: int,
    after_row: int,
) -> Iterator[Part]:
    """Read the table of ``request`` and make its messages; rows up to ``after_row`` make none.

    Raises ``UnusableFile`` as `read_table` does, and ``SchemaMissing`` without a schema.
    """
    schema = schema_of(request)
    table = _Table(request, schema, engine, now_us=now_us)
    made: deque[Future[Part]] = deque()
    with ThreadPoolExecutor(LANES) as lanes:
        for chunk in read_rows(request.path, kind, schema, engine):
            # One chunk after the other: what came before counts.
            rows = table.rows(chunk)
            if chunk.last_row > after_row:
                made.append(lanes.submit(table.part, chunk, rows, after_row=after_row))
            if len(made) > LANES:
                yield made.popleft().result()
        while made:
            yield made.popleft().result()


def schema_of(request: Request) -> Schema:
    """What the columns of a table mean. Raises ``SchemaMissing``."""
    if request.schema is None:
        raise SchemaMissing(
            f"{request.path.name} is a table. Say with --schema what its columns mean; the page "
            "'Import history' shows how."
        )
    return request.schema


def _twins(messages: Sequence[MessageMap]) -> list[int]:
    """How many before each would get the same ids from the same row."""
    alike = [(each.type, each.texts.get("event")) for each in messages]
    return [alike[:place].count(one) for place, one in enumerate(alike)]


def _text(rows: _Rows, value: Value) -> pa.Array:
    """The texts that ``value`` stands for, null where there is none or an empty one."""
    if value.column is None:
        return pa.array([value.constant] * len(rows.numbers), pa.string())
    found = cells.as_text(cells.column(rows.cells, value.column))
    found = pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)
    return pc.binary_join_element_wise(value.prefix, found, "") if value.prefix else found


def _nothing(rows: _Rows) -> pa.Array:
    return pa.nulls(len(rows.numbers), pa.string())


def listed(each: MessageMap, columns: Sequence[str]) -> Sequence[Field]:
    """The fields of a message: those listed, or all columns that have no other use in it."""
    if each.fields is not None:
        return each.fields
    used = {value.column for value in each.texts.values()} | {each.timestamp.column}
    return [Field(name=name, column=name, constant=None) for name in columns if name not in used]


def _check(
    refusals: _Refusals, each: MessageMap, texts: Mapping[str, pa.Array], times_us: pa.Array
) -> None:
    """Refuse what the tracking protocol would, and rows without a time."""
    nobody = pc.and_(texts["userId"].is_null(), texts["anonymousId"].is_null())
    columns = [each.texts[wire].column for wire in IDS if wire in each.texts]
    refusals.add(
        nobody.to_numpy(False),
        "no_user_anon_id",
        f"nothing stands in {' or '.join(map(repr, columns))} to say whose it is.",
    )
    for wire, most in LONGEST.items():
        if wire in each.texts:
            reason = f"{each.texts[wire].column!r} may have {most} characters."
            refusals.add(_longer(texts[wire], most), LONG_CODES.get(wire, "id_too_long"), reason)
    wire, code = NEEDED.get(each.type, ("", ""))
    if wire:
        reason = f"nothing stands in {each.texts[wire].column!r}."
        refusals.add(texts[wire].is_null().to_numpy(False), code, reason)
    column = each.timestamp.column
    reason = f"column {column!r} must be a time {_form(each.timestamp)}, years 1 to 9999."
    refusals.add(times_us.is_null().to_numpy(False), "timestamp_invalid", reason)


def _form(moment: Moment) -> str:
    if moment.format in (None, "iso"):
        return "such as 2026-01-31T09:30:00Z (another 'format' can be set in the schema)"
    return f"in the format {moment.format!r}"


def _longer(texts: pa.Array, most: int) -> Mask:
    return np.asarray(pc.fill_null(pc.greater(pc.utf8_length(texts), most), False))


def _too_large() -> str:
    return f"its message has more than {LIMITS.message_bytes} bytes. List fewer columns."


def _count(tally: Tally, kind: str, names: pa.Array, times_us: pa.Array, now_us: int) -> None:
    """Add messages, their event names and their times to ``tally``."""
    for pair in pc.value_counts(names).to_pylist():
        tally.count(kind, pair["values"] or "", pair["counts"])
    if len(times_us):
        late = pc.sum(pc.greater(times_us, now_us)).as_py()
        tally.late += late
        range_us = pc.min_max(times_us).as_py()
        tally.saw(min(range_us["min"], now_us))
        tally.saw(min(range_us["max"], now_us))
