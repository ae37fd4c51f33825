"""How far an import has come, kept in a file, so that the same command goes on after a kill.

``imports/<id>.json`` below the data folder is replaced whole, after what it tells of is on disk;
``imports/<id>.refused`` grows beside it, and counts only as far as the note says.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from opportune.errors import InvalidInput
from opportune.events.history.model import ImportRunning, RefusedRow, Tally

__all__ = ["BrokenNote", "Note", "alone", "keep_refused", "read_note", "refused_rows", "write_note"]

FOLDER = "imports"
# So much of the refused rows is kept and shown as rejects; of the others, how many there are.
REFUSED_BYTES = 8 * 1024 * 1024


class BrokenNote(InvalidInput):
    """The file that says how far an import has come cannot be read."""

    code = "broken_import_note"


class Note(msgspec.Struct):
    """``rows`` is the last row whose messages are in the log; ``refused_bytes`` as in the module.

    ``state``: "reading" the rows, "telling" the log what was refused, or "done". Times are
    microseconds since 1970 UTC. ``profiles`` counts those there were before, where it is known.
    """

    import_id: str
    file: str
    source_id: str
    began_us: int
    rows: int = 0
    refused_bytes: int = 0
    state: Literal["reading", "telling", "done"] = "reading"
    profiles: int | None = None
    tally: Tally = msgspec.field(default_factory=Tally)


@contextmanager
def alone(data_folder: Path, import_id: str) -> Iterator[None]:
    """Keep every other process from the same import. Raises ``ImportRunning``."""
    folder = data_folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{import_id}.lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise ImportRunning(
                "Another process imports this file just now. Wait until it has ended."
            ) from cause
        yield


def read_note(data_folder: Path, import_id: str) -> Note | None:
    """How far the import had come, None when it never began. Raises ``BrokenNote``."""
    path = _path(data_folder, import_id)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Note)
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError as cause:
        raise BrokenNote(
            f"{path} is no note of an import: {cause}. Delete it to import the file from its "
            "beginning; what is there already is not added again."
        ) from cause


def write_note(data_folder: Path, note: Note) -> None:
    """Replace the note, on disk when this returns."""
    path = _path(data_folder, note.import_id)
    new = path.with_suffix(".new")
    with new.open("wb") as stream:
        stream.write(msgspec.json.encode(note))
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def keep_refused(data_folder: Path, note: Note, rows: list[RefusedRow]) -> None:
    """Add refused rows behind those that ``note`` counts, on disk when this returns."""
    path = _path(data_folder, note.import_id).with_suffix(".refused")
    with path.open("r+b" if path.exists() else "w+b") as stream:
        stream.truncate(note.refused_bytes)
        stream.seek(note.refused_bytes)
        for row in rows:
            if stream.tell() > REFUSED_BYTES:
                break
            stream.write(msgspec.json.encode(row) + b"\n")
        stream.flush()
        os.fsync(stream.fileno())
        note.refused_bytes = stream.tell()


def refused_rows(data_folder: Path, note: Note) -> list[RefusedRow]:
    """The refused rows that were kept."""
    if not note.refused_bytes:
        return []
    path = _path(data_folder, note.import_id).with_suffix(".refused")
    with path.open("rb") as stream:
        kept = stream.read(note.refused_bytes)
    return msgspec.json.Decoder(RefusedRow).decode_lines(kept)


def _path(data_folder: Path, import_id: str) -> Path:
    return data_folder / FOLDER / f"{import_id}.json"
