"""Tell the log which rows of a file were refused, so that they are kept among the rejects."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np

from opportune.events.history.model import RefusedRow
from opportune.events.history.note import Note
from opportune.events.model import Decoded, Reject
from opportune.storage import (
    CorruptLog,
    Engine,
    Frame,
    LakeUnavailable,
    end_offsets,
    load_sql,
    read_frames,
)

__all__ = ["KIND", "decode_refused", "refused_frame", "was_told"]

KIND = "import_refused"
READ_BYTES = 16 * 1024 * 1024


class _Refused(msgspec.Struct):
    """``more`` counts, by code, the rows that are not among ``rows``."""

    import_id: str
    file: str
    rows: list[RefusedRow]
    more: dict[str, int]


def refused_frame(note: Note, rows: list[RefusedRow], *, now_us: int) -> Frame:
    """The frame that says what was refused."""
    more = dict(note.tally.refused)
    for row in rows:
        more[row.code] -= 1
    body = msgspec.json.encode(
        _Refused(import_id=note.import_id, file=note.file, rows=rows, more=more)
    )
    return Frame(received_at_us=now_us, source_id=note.source_id, kind=KIND, body=body)


def decode_refused(frame: Frame) -> Decoded:
    """Decode a frame of kind `KIND`: a reject for each refused row, and one for all others."""
    said = msgspec.json.decode(frame.body, type=_Refused)
    where = f"{said.file} (import {said.import_id})"
    rejects = [
        Reject(
            index=row.row,
            message_id=None,
            code=row.code,
            reason=f"{where}, row {row.row}: {row.reason}",
            payload=row.payload,
        )
        for row in said.rows
    ]
    rejects += [
        Reject(
            index=-1,
            message_id=None,
            code=code,
            reason=f"{where}: {count} more rows for the same reason.",
            payload="",
        )
        for code, count in sorted(said.more.items())
        if count > 0
    ]
    return Decoded(events=[], rejects=rejects)


def was_told(note: Note, log_folder: Path, engine: Engine) -> bool:
    """Say whether the frame of an import that was killed about then is in the log, or was.

    The log first: what is gone from there has been taken in.
    """
    return _in_log(note, log_folder) or _in_lake(note, engine)


def _in_log(note: Note, log_folder: Path) -> bool:
    at = {
        name: end if int(Path(name).stem) < note.began_us else 0
        for name, end in end_offsets(log_folder).items()
    }
    while True:
        try:
            frames, reached = read_frames(log_folder, at, limit_bytes=READ_BYTES)
        except CorruptLog as damage:
            at[damage.segment] = damage.resume_at
            continue
        if any(frame.kind == KIND and _id(frame) == note.import_id for frame in frames):
            return True
        if not frames:
            return False
        at = {**at, **reached}


def _id(frame: Frame) -> str:
    return msgspec.json.decode(frame.body, type=_Refused).import_id


def _in_lake(note: Note, engine: Engine) -> bool:
    try:
        found = engine.query(
            load_sql("opportune.events.history", "told"),
            {"source_id": note.source_id, "import_id": note.import_id},
            tables={"rejects": None},
        )
    except LakeUnavailable:
        # No worker has made the lake yet.
        return False
    return bool(np.asarray(found["count"])[0])
