"""The file of accepted send calls: one JSON line each, written before the call is answered."""

from __future__ import annotations

from pathlib import Path

import msgspec

from opportune.sandbox.model import DamagedJournal, SendCall

__all__ = ["Journal", "recall"]

_CALL = msgspec.json.Decoder(SendCall)


class Journal:
    """Appends lines; each is with the operating system when ``append`` returns."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab")

    def append(self, line: bytes) -> None:
        """Write one line (without its newline) and flush it."""
        self._file.write(line + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def recall(path: Path) -> list[SendCall]:
    """The calls of an earlier life, oldest first; none when there is no file.

    A torn last line is cut off the file: that call was never answered, so it was not processed.
    """
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    return [
        _decoded(line, path, number)
        for number, line in enumerate(content[:whole].splitlines(), start=1)
    ]


def _decoded(line: bytes, path: Path, number: int) -> SendCall:
    try:
        return _CALL.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedJournal(
            f"Line {number} of {path.name} is not a send call ({error}). "
            "Move the file away to start without a memory, or repair the line."
        ) from error
