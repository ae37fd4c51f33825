"""Ask Braze for all customers of a segment once, and wait for the file however long it takes.

What was asked for is noted before anybody waits, so that a process that was killed goes on with the
same export: Braze makes one of a segment at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from opportune.activation.braze.ask import BrazeUnavailable, Workspace
from opportune.activation.braze.segment import USER_ID, BrazeSegment
from opportune.activation.model import Answer
from opportune.errors import Unavailable, Unsupported

__all__ = [
    "LEFT",
    "ROWS",
    "BrokenExport",
    "Export",
    "ExportNotReady",
    "Exporting",
    "StorageConnected",
    "ask_export",
    "drop_export",
    "fetch_export",
]

PATH = "/users/export/segment"
NOTE, ARCHIVE, ROWS, LEFT = "export.json", "export.zip", "members.jsonl", "left.parquet"
FIRST_POLL_S = 1.0
LONGEST_POLL_S = 60.0
# How long the address of a file is good for; what is not there by then never comes.
LIVES_S = 4 * 3600.0
NOT_YET = (403, 404)
EXPIRED = b"ExpiredToken"


class ExportNotReady(Unavailable):
    """Braze has not made the file yet; the same command goes on waiting for it."""

    code = "braze_export_not_ready"


class BrokenExport(Unavailable):
    """The file that Braze made cannot be read, or cannot be had any more."""

    code = "broken_braze_export"


class StorageConnected(Unsupported):
    """The workspace puts exports into a storage of its own instead of giving an address."""

    code = "braze_storage_connected"


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for. ``asked_us`` is microseconds since 1970 UTC; ``url`` is as good as a key.

    ``asked`` has all that was to be exported: another definition is another export.
    """

    asked_us: int
    prefix: str
    url: str
    asked: dict[str, str | list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporting:
    """Where an export happens: the workspace, the folder of its files, and who fetches one.

    ``waited`` hears how many seconds the file was waited for; ``patience_s`` ends that.
    """

    workspace: Workspace
    folder: Path
    download: Callable[[str, Path], Answer]
    sleep: Callable[[float], None]
    waited: Callable[[float], object]
    patience_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    object_prefix: str
    url: str | None = None


def ask_export(segment: BrazeSegment, place: Exporting, *, now_us: int) -> Export:
    """Return the export that is under way, or ask Braze for one.

    Raises ``StorageConnected``, or as ``Workspace.post``.
    """
    body: dict[str, str | list[str]] = {
        "segment_id": segment.segment_id,
        "fields_to_export": [USER_ID, *segment.fields],
        "output_format": "zip",
    }
    if segment.custom_attributes:
        body["custom_attributes_to_export"] = list(segment.custom_attributes)
    known = _noted(place.folder)
    if known is not None and known.asked == body:
        here = any((place.folder / name).exists() for name in (ARCHIVE, ROWS))
        if here or now_us - known.asked_us < LIVES_S * 1e6:
            return known
    drop_export(place.folder)
    try:
        found = place.workspace.post(PATH, body, _Asked, repeatable=True)
    except BrazeUnavailable as trouble:
        raise BrazeUnavailable(
            f"{trouble.message} Braze makes one export of a segment at a time: one that somebody "
            "else asked for has to end first."
        ) from trouble
    if not found.url:
        raise StorageConnected(
            "This workspace of Braze puts exports into a storage of its own (S3, Azure or Google "
            "Cloud) and gives no address to fetch them from. Use a key of a workspace without one, "
            "or have the files imported with `opportune import`."
        )
    export = Export(asked_us=now_us, prefix=found.object_prefix, url=found.url, asked=body)
    _note(place.folder, export)
    return export


def fetch_export(export: Export, place: Exporting, *, now_us: int) -> Path:
    """Return the file of ``export``, once Braze has made it; one that is here is not fetched again.

    Raises ``ExportNotReady`` when patience ends first, and ``BrokenExport`` when it never comes.
    """
    file = place.folder / ARCHIVE
    if file.exists():
        return file
    waited_s, wait_s = 0.0, FIRST_POLL_S
    while True:
        answer = place.download(export.url, file)
        if answer.status == 200:
            return file
        age_s = (now_us - export.asked_us) / 1e6 + waited_s
        if age_s > LIVES_S or EXPIRED in answer.body or _is_final(answer):
            drop_export(place.folder)
            raise BrokenExport(
                f"The file of export {export.prefix} cannot be had (answer {answer.status}). Run "
                "the command again: it asks Braze for a new one."
            )
        if waited_s + wait_s > place.patience_s:
            raise ExportNotReady(
                f"Braze has not made the file of export {export.prefix} within {waited_s:.0f} s. "
                "Large segments take an hour or more. Run the command again: it goes on waiting "
                "for this export."
            )
        place.sleep(wait_s)
        waited_s += wait_s
        place.waited(waited_s)
        wait_s = min(LONGEST_POLL_S, wait_s * 2)


def drop_export(folder: Path) -> None:
    """Forget what was asked for, and delete its files: they are about customers."""
    # Without the note, whatever is still there counts for nothing.
    for name in (NOTE, ARCHIVE, f"{ARCHIVE}.part", ROWS, f"{ROWS}.part", LEFT):
        (folder / name).unlink(missing_ok=True)


def _is_final(answer: Answer) -> bool:
    status = answer.status
    return status is not None and status not in NOT_YET and status != 429 and status < 500


def _noted(folder: Path) -> Export | None:
    try:
        return msgspec.json.decode((folder / NOTE).read_bytes(), type=Export)
    except (FileNotFoundError, msgspec.MsgspecError):
        # One that cannot be read was never waited for: the next is asked for as if there was none.
        return None


def _note(folder: Path, export: Export) -> None:
    new = folder / "export.new"
    new.touch(mode=0o600)
    with new.open("wb") as stream:
        stream.write(msgspec.json.encode(export))
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(folder / NOTE)
