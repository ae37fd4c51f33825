"""Write keys: who may send events.

Kept as digests in a file beside the log, so that the collector needs no database.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
from pathlib import Path

import msgspec

from opportune.errors import InvalidInput
from opportune.settings import Settings

__all__ = ["BrokenKeys", "InvalidSource", "check_source", "create_key", "keys_file"]

# With its head, such a body still fits into one frame of the log.
LARGEST_BATCH_BYTES = 16_000_000
Entry = dict[str, str | int]


class BrokenKeys(InvalidInput):
    """The file of write keys cannot be read."""

    code = "broken_keys"


class InvalidSource(InvalidInput):
    """The name of a source, or what it may send, cannot be used."""

    code = "invalid_source"


def keys_file(settings: Settings) -> Path:
    """Where the digests of the write keys are kept."""
    return settings.data_folder / "keys.json"


def check_source(source: str) -> None:
    """Refuse a name that no source of events may have. Raises ``InvalidSource``."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", source):
        raise InvalidSource(
            f"{source!r} cannot be a source's name. Allowed: small letters, digits, _ and -, "
            "63 at most, the first a letter or digit."
        )


def create_key(settings: Settings, source: str, *, max_batch_bytes: int | None = None) -> str:
    """Make a new write key for ``source`` and return it; only its digest is kept.

    ``max_batch_bytes`` is the largest body that may be sent with it, after decompression; None
    means the setting of that name. A source may have several keys. Raises ``InvalidSource``, or
    ``BrokenKeys`` when the file that is there cannot be read.
    """
    check_source(source)
    if max_batch_bytes is not None and not 0 < max_batch_bytes <= LARGEST_BATCH_BYTES:
        raise InvalidSource(
            f"A body of {max_batch_bytes} bytes cannot be allowed. Give a whole number from 1 to "
            f"{LARGEST_BATCH_BYTES}; RudderStack's libraries send up to 4000000."
        )
    entry: Entry = {"source_id": source, "name": source}
    if max_batch_bytes is not None:
        entry["max_batch_bytes"] = max_batch_bytes
    file = keys_file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("wb") as lock:
        # Two at once would each write the file without the other's key.
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _read(file)
        key = secrets.token_urlsafe(24)
        known[hashlib.sha256(key.encode()).hexdigest()] = entry
        _replace(file, msgspec.json.format(msgspec.json.encode(known), indent=2))
    return key


def _read(file: Path) -> dict[str, Entry]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, Entry])
    except FileNotFoundError:
        return {}
    except msgspec.MsgspecError as cause:
        raise BrokenKeys(
            f"{file} is not a file of write keys: {cause}. Restore it from a backup; or move it "
            "away and make every source a new key."
        ) from cause


def _replace(file: Path, body: bytes) -> None:
    """Write the file whole or not at all, whenever the machine stops."""
    new = file.with_suffix(".new")
    with new.open("wb") as stream:
        stream.write(body)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
