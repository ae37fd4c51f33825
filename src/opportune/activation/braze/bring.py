"""Bring the customers of a segment of Braze in: their traits, who is in it, and who left it.

They come in as ``identify`` messages through the log, as everything does, with the ids that make
each of them one event; the newest traits win by the time at which Braze was asked.
"""

from __future__ import annotations

import fcntl
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from opportune.activation.braze.export import (
    ROWS,
    BrokenExport,
    Export,
    Exporting,
    ask_export,
    drop_export,
    fetch_export,
)
from opportune.activation.braze.members import left, members
from opportune.activation.braze.segment import USER_ID, BrazeSegment
from opportune.activation.connectors.braze_ways import TEST_PROFILE
from opportune.errors import Conflict
from opportune.events import history
from opportune.events.history import Imported, Place, Request, Told, parse_schema

__all__ = ["Brought", "BringingRunning", "bring_segment", "exports_folder"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BLOCK_BYTES = 1 << 20
_MARK = TEST_PROFILE.encode()


class _User(msgspec.Struct, frozen=True):
    external_id: str = ""


class BringingRunning(Conflict):
    """Another process brings the same segment in just now."""

    code = "braze_import_running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What became of an import of a segment.

    ``members`` and ``left`` count customers: in the segment now, and in it at the import before but
    not any more. ``asked_at`` is the time that their traits are of. ``came`` is None when the
    segment is empty, ``went`` when nobody left.
    """

    asked_at: datetime
    members: int
    left: int
    came: Imported | None
    went: Imported | None


def exports_folder(data_folder: Path, name: str) -> Path:
    """Where the files of a segment of this name lie while it is brought in."""
    return data_folder / "braze" / name


def bring_segment(
    segment: BrazeSegment, place: Place, exporting: Exporting, *, now: datetime, told: Told
) -> Brought:
    """Export a segment and let its customers enter the log; a killed call goes on when repeated.

    Raises ``BringingRunning``, what `ask_export` and `fetch_export` raise, and what
    ``history.enter`` raises; nothing is lost, and the same call can be made again.
    """
    folder = exporting.folder
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        now_us = (now - EPOCH) // MICROSECOND
        export = ask_export(segment, exporting, now_us=now_us)
        file = folder / ROWS
        if not file.exists():
            _unpack(fetch_export(export, exporting, now_us=now_us), file, folder)
        ids = members(file, folder)
        gone = left(ids, folder)
        came = _enter(segment, file, place, export, told=told, now=now) if len(ids) else None
        went = None
        if gone is not None:
            went = _enter(segment, gone.file, place, export, told=told, now=now)
        # Only now are these the members that the next export is compared with.
        ids.keep(folder)
        drop_export(folder)
    return Brought(
        asked_at=EPOCH + export.asked_us * MICROSECOND,
        members=len(ids),
        left=0 if gone is None else gone.count,
        came=came,
        went=went,
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise BringingRunning(
                "Another process brings this segment of Braze in just now. Wait until it has ended."
            ) from cause
        yield


def _unpack(archive: Path, file: Path, folder: Path) -> None:
    """Write the lines of all members of ``archive`` to ``file``, a block at a time.

    Temporary profiles of test sends are no customers: their lines are left out.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        with zipfile.ZipFile(archive) as packed, part.open("wb") as out:
            for member in packed.infolist():
                with packed.open(member) as packed_lines:
                    # A ZipExtFile reads as one.
                    lines = io.BufferedReader(packed_lines, BLOCK_BYTES)  # type: ignore[type-var]
                    out.writelines(line for line in lines if not _is_of_test(line))
                # Where a member does not end its last line; an empty line is none.
                out.write(b"\n")
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as cause:
        drop_export(folder)
        raise BrokenExport(
            f"The file that Braze made is no ZIP that can be read: {cause}. Run the command again: "
            "it asks for a new one."
        ) from cause
    part.replace(file)


def _is_of_test(line: bytes) -> bool:
    if _MARK not in line:
        return False
    try:
        user_id = msgspec.json.decode(line, type=_User).external_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return user_id.startswith(TEST_PROFILE)


def _enter(
    segment: BrazeSegment, file: Path, place: Place, export: Export, *, told: Told, now: datetime
) -> Imported:
    """Let one file enter: of members all that was asked for, of who left only that they did."""
    inside = file.suffix == ".jsonl"
    traits: dict[str, object] = {segment.membership: {"constant": inside}}
    if inside:
        traits |= {each: each for each in segment.fields}
        traits |= {each: f"custom_attributes.{each}" for each in segment.custom_attributes}
    asked_at = EPOCH + export.asked_us * MICROSECOND
    message = {
        "type": "identify",
        "user_id": USER_ID,
        "timestamp": {"constant": asked_at.isoformat()},
        "traits": traits,
    }
    schema = parse_schema({"messages": [message]}, where=f"braze_segments/{segment.name}.toml")
    request = Request(path=file, source_id=segment.source_id, schema=schema, live=True)
    return history.enter(request, place, now=max(now, asked_at), told=told)
