"""How far the log was taken in."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Mapping
from pathlib import Path

from opportune import events
from opportune.settings import Settings
from opportune.storage import (
    Connection,
    CorruptLog,
    Lake,
    LakeUnavailable,
    Stores,
    end_offsets,
    fetch,
    load_sql,
    read_frames,
)

__all__ = [
    "LOCK_FILE",
    "caught_up",
    "missing_bytes",
    "positions",
    "somebody_ingests",
    "taken_in",
    "waiting_bytes",
]

LOCK_FILE = "ingest.lock"


def caught_up(stores: Stores) -> bool:
    """Say whether all that the log holds is in the lake and in State; no where nobody can tell."""
    try:
        return not read_frames(stores.settings.log_folder, taken_in(stores), limit_bytes=1)[0]
    except (CorruptLog, LakeUnavailable):
        # Damage is still to be put on record, or no worker has made the lake yet.
        return False


def waiting_bytes(lake: Lake, log_folder: Path) -> int:
    """Return how much of the log is not yet in the lake; all of it where there is no lake."""
    ends = end_offsets(log_folder)
    try:
        at = events.stored_offsets(lake, log_folder)
    except LakeUnavailable:
        at = {}
    return sum(max(0, end - at.get(name, 0)) for name, end in ends.items())


def somebody_ingests(settings: Settings) -> bool:
    """Say whether a process takes in the log of this data folder just now."""
    try:
        with (settings.data_folder / LOCK_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def missing_bytes(stores: Stores, ends: Mapping[str, int]) -> int:
    """Return how much of the log up to ``ends`` is not yet in the lake and in State."""
    reached = taken_in(stores)
    # A segment that is gone has been taken in whole.
    return sum(max(0, end - reached.get(name, end)) for name, end in ends.items())


def taken_in(stores: Stores) -> dict[str, int]:
    """Return how far both sinks have taken in each segment."""
    at = events.stored_offsets(stores.lake, stores.settings.log_folder)
    with stores.state.transaction() as connection:
        behind = positions(connection, at)
    return {name: min(at[name], behind[name]) for name in at}


def positions(connection: Connection, files: Iterable[str]) -> dict[str, int]:
    """Return how far State has taken in each of these segments."""
    names = list(files)
    rows = fetch(connection, load_sql("opportune", "log_positions"), {"files": names})
    known = {row["segment_file"]: row["byte_offset"] for row in rows}
    return {name: known.get(name, 0) for name in names}
