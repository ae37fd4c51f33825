"""The file of accepted send calls: one JSON line each, written before the call is answered."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from pathlib import Path

import msgspec

from opportune.sandbox.model import DamagedJournal, SendCall

__all__ = ["Journal", "recall"]

_CALL = msgspec.json.Decoder(SendCall)


class Journal:
    """Every accepted call by its number, counted from 0: in a file, or in memory without one.

    A line is with the operating system when ``append`` returns.
    """

    def __init__(self, path: Path | None, lines: Sequence[bytes] = ()) -> None:
        self._lines: list[bytes] = []
        self._starts = array("q", [0])  # where each line begins, and the next one will
        self._path, self._file = path, None
        self._reader: int | None = None
        if path is None:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._file = path, path.open("ab")
        for line in lines:
            self._starts.append(self._starts[-1] + len(line) + 1)

    def append(self, line: bytes) -> None:
        """Write one line (without its newline) and flush it."""
        if self._file is None:
            self._lines.append(line)
            return
        self._file.write(line + b"\n")
        self._file.flush()
        self._starts.append(self._starts[-1] + len(line) + 1)

    def read(self, number: int) -> SendCall:
        """The call that was accepted as this one."""
        if self._path is None:
            return _CALL.decode(self._lines[number])
        if self._reader is None:
            self._reader = os.open(self._path, os.O_RDONLY)
        start, end = self._starts[number], self._starts[number + 1]
        return _CALL.decode(os.pread(self._reader, end - start, start))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
        if self._reader is not None:
            os.close(self._reader)
            self._reader = None


def recall(path: Path | None) -> list[tuple[bytes, SendCall]]:
    """The calls of an earlier life and their lines, oldest first; none when there is no file.

    A torn last line is cut off the file: that call was never answered, so it was not processed.
    """
    if path is None or not path.exists():
        return []
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
    lines = content[:whole].split(b"\n")[:-1]
    return [(line, _decoded(line, path, number)) for number, line in enumerate(lines, start=1)]


def _decoded(line: bytes, path: Path, number: int) -> SendCall:
    try:
        return _CALL.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DamagedJournal(
            f"Line {number} of {path.name} is not a send call ({error}). "
            "Move the file away to start without a memory, or repair the line."
        ) from error
