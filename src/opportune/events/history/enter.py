"""Let a file enter the log: messages and refusals, each once, whenever the process is killed."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune.events.history.hints import numbers_as_texts
from opportune.events.history.lines import check_messages, line_parts
from opportune.events.history.mark import context_of
from opportune.events.history.messages import schema_of, table_parts
from opportune.events.history.model import (
    Imported,
    Part,
    RefusedRow,
    Request,
    Tally,
    Told,
)
from opportune.events.history.note import (
    Note,
    alone,
    keep_refused,
    read_note,
    refused_rows,
    write_note,
)
from opportune.events.history.read import check_columns
from opportune.events.history.refused import refused_frame, was_told
from opportune.files import UnusableFile, digest, kind_of
from opportune.storage import Engine, Frame, SegmentLog, load_sql

__all__ = ["Place", "added", "check", "enter", "preview"]

PER_REQUEST = 500
BODY_BYTES = 400_000
# Bytes on their way to the disk at once.
WINDOW_BYTES = 16 * 1024 * 1024
MOST_EXAMPLES = 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an import goes: the log, the folders of log and notes, and the engine that it uses.

    ``pause`` is called after each part of the file, to let the log's reader keep up.
    """

    data_folder: Path
    log_folder: Path
    log: SegmentLog
    engine: Engine
    pause: Callable[[], object]


def enter(
    request: Request, place: Place, *, now: datetime, told: Told, profiles: int | None = None
) -> Imported:
    """Append what the file of ``request`` says to the log, from where it was left.

    The file must have passed `check`. ``now`` is when the messages are received; later times become
    ``now``. ``profiles`` counts those there are before. A file that was imported to its end enters
    nothing. Raises ``UnusableFile`` when it cannot be read on, ``ImportRunning`` or
    ``LogUnavailable``; the same call can then be made again.
    """
    import_id = _import_id(request)
    now_us = (now - EPOCH) // MICROSECOND
    with alone(place.data_folder, import_id):
        note = None if request.again else read_note(place.data_folder, import_id)
        if note is not None and note.state == "done":
            return _imported(note, refused_rows(place.data_folder, note), before=True)
        if note is None:
            note = Note(
                import_id=import_id,
                file=request.path.name,
                source_id=request.source_id,
                began_us=now_us,
                profiles=profiles,
            )
            write_note(place.data_folder, note)
        if note.state == "reading":
            _enter_rows(request, place, note, now_us=now_us, told=told)
        elif was_told(note, place.log_folder, place.engine):
            note.state = "done"
        _tell_refused(place, note, now_us)
        return _imported(note, refused_rows(place.data_folder, note), before=False)


def preview(request: Request, engine: Engine, *, now: datetime, told: Told) -> Imported:
    """Read the whole file as `enter` would, and say what it would come to; writes nothing."""
    import_id = _import_id(request)
    now_us = (now - EPOCH) // MICROSECOND
    tally = Tally()
    refused: list[RefusedRow] = []
    for part in _parts(request, engine, now_us=now_us, after_row=0):
        tally.add(part.tally)
        refused += part.refused[: MOST_EXAMPLES - len(refused)]
        told(request.path.name, tally.rows, part.share)
    note = Note(
        import_id=import_id,
        file=request.path.name,
        source_id=request.source_id,
        began_us=now_us,
        tally=tally,
    )
    found = _imported(note, refused, before=False)
    return replace(found, hints=numbers_as_texts(request, engine))


def added(engine: Engine, imported: Imported) -> int:
    """How many events of the import are in the lake since it began: those that were new."""
    began_us = (imported.began_at - EPOCH) // MICROSECOND
    found = engine.query(
        load_sql("opportune.events.history", "added"),
        {"import_id": imported.import_id, "began_us": began_us},
        tables={"events": ("received_at_us", began_us, np.iinfo(np.int64).max)},
    )
    count: int = found["count"][0].as_py()
    return count


def _import_id(request: Request) -> str:
    """Hex digits that differ when the file, what it means or where it belongs do."""
    schema = request.schema
    meaning = None if schema is None else replace(schema, where="")
    known = f"{digest(request.path)} {meaning!r} {request.source_id} {request.live}"
    return hashlib.blake2b(known.encode(), digest_size=8).hexdigest()


def check(requests: Sequence[Request]) -> None:
    """Refuse files that cannot be imported, all of them at once, before anything is entered.

    Raises ``FileNotFound``, ``SchemaMissing``, or ``UnusableFile`` with a line for every mistake.
    """
    problems: list[str] = []
    for request in requests:
        try:
            kind = kind_of(request.path)
            if kind == "json_lines" and request.schema is None:
                check_messages(request.path)
            else:
                check_columns(request.path, kind, schema_of(request))
        except UnusableFile as refusal:
            problems += refusal.problems
    if problems:
        raise UnusableFile(problems)


def _parts(request: Request, engine: Engine, *, now_us: int, after_row: int) -> Iterator[Part]:
    kind = kind_of(request.path)
    if kind == "json_lines" and request.schema is None:
        return line_parts(request, now_us=now_us, after_row=after_row)
    return table_parts(request, kind, engine, now_us=now_us, after_row=after_row)


def _enter_rows(request: Request, place: Place, note: Note, *, now_us: int, told: Told) -> None:
    context = context_of(note.import_id, note.file, live=request.live)
    for part in _parts(request, place.engine, now_us=now_us, after_row=note.rows):
        _append(part, place.log, source_id=note.source_id, context=context, now_us=now_us)
        keep_refused(place.data_folder, note, part.refused)
        note.rows = part.last_row
        note.tally.add(part.tally)
        write_note(place.data_folder, note)
        told(note.file, note.tally.rows, part.share)
        place.pause()
    note.state = "telling"
    write_note(place.data_folder, note)


def _append(
    part: Part, log: SegmentLog, *, source_id: str, context: dict[str, object], now_us: int
) -> None:
    """Append the messages of ``part``; they are on disk when this returns."""
    head = b'{"context":' + msgspec.json.encode(context) + b',"batch":['
    waiting: deque[tuple[Future[None], int]] = deque()
    under_way = 0
    for messages in part.messages:
        for joined in _joined(messages):
            body = head + joined + b"]}"
            frame = Frame(received_at_us=now_us, source_id=source_id, kind="batch", body=body)
            waiting.append((log.append(frame), len(body)))
            under_way += len(body)
            while under_way > WINDOW_BYTES:
                under_way -= _wait(waiting)
    while waiting:
        _wait(waiting)


def _wait(waiting: deque[tuple[Future[None], int]]) -> int:
    future, size = waiting.popleft()
    future.result()
    return size


def _joined(messages: pa.Array) -> Iterator[bytes]:
    """The messages between commas, as many together as one request may have."""
    ends = np.cumsum(pc.binary_length(messages).to_numpy(False).astype(np.int64) + 1)
    cuts = [0]
    while cuts[-1] < len(messages):
        start = cuts[-1]
        before = int(ends[start - 1]) if start else 0
        fitting = int(np.searchsorted(ends, before + BODY_BYTES, side="right"))
        cuts.append(min(len(messages), start + PER_REQUEST, max(start + 1, fitting)))
    lists = pa.LargeListArray.from_arrays(pa.array(cuts, pa.int64()), messages)
    yield from pc.binary_join(lists, ",").cast(pa.binary()).to_pylist()


def _tell_refused(place: Place, note: Note, now_us: int) -> None:
    """Append what was refused as one frame, and end the import."""
    if note.state == "telling" and note.tally.refusals:
        rows = refused_rows(place.data_folder, note)
        place.log.append(refused_frame(note, rows, now_us=now_us)).result()
    note.state = "done"
    write_note(place.data_folder, note)


def _imported(note: Note, refused: list[RefusedRow], *, before: bool) -> Imported:
    return Imported(
        import_id=note.import_id,
        file=note.file,
        began_at=EPOCH + note.began_us * MICROSECOND,
        profiles_before=note.profiles,
        before=before,
        tally=note.tally,
        examples=tuple(refused[:MOST_EXAMPLES]),
    )
