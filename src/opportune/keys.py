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

__all__ = ["BrokenKeys", "InvalidSource", "create_key", "keys_file"]


class BrokenKeys(InvalidInput):
    """The file of write keys cannot be read."""

    code = "broken_keys"


class InvalidSource(InvalidInput):
    """The name of a source cannot be used."""

    code = "invalid_source"


def keys_file(settings: Settings) -> Path:
    """Where the digests of the write keys are kept."""
    return settings.data_folder / "keys.json"


def create_key(settings: Settings, source: str) -> str:
    """Make a new write key for ``source`` and return it; only its digest is kept.

    A source may have several keys. Raises ``InvalidSource``, or ``BrokenKeys`` when the file that
    is there cannot be read.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", source):
        raise InvalidSource(
            f"{source!r} cannot be a source's name. Allowed: small letters, digits, _ and -, "
            "63 at most, the first a letter or digit."
        )
    file = keys_file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".lock").open("wb") as lock:
        # Two at once would each write the file without the other's key.
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = _read(file)
        key = secrets.token_urlsafe(24)
        known[hashlib.sha256(key.encode()).hexdigest()] = {"source_id": source, "name": source}
        _replace(file, msgspec.json.format(msgspec.json.encode(known), indent=2))
    return key


def _read(file: Path) -> dict[str, dict[str, str]]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, str]])
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
