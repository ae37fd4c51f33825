"""Writes parts into a folder: whole or not at all, and each of its messages once.

A part is written beside the folder's visible files and made durable; then a note says which keys
it has and what it will be called; then it gets that name. A part with a note and no draft has its
name, even if a reader has taken it away since; one with a note and a draft is given its name when
it is asked about. The note goes when the outbox knows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from opportune.activation.model import Answer, Request

__all__ = ["ENDING", "HIDDEN", "PartWriter"]

HIDDEN = ".work"
ENDING = ".jsonl"
KEPT_S = 30 * 86_400.0


class _Note(msgspec.Struct, frozen=True):
    part: str
    keys: list[str]


class PartWriter:
    """Makes the calls of the connector ``file``; ``clock`` names parts, so that they sort by time.

    One process at a time writes into a folder. Safe to use from several threads.
    """

    __slots__ = ("_clock", "_folder", "_work")

    def __init__(self, folder: Path, *, clock: Callable[[], datetime]) -> None:
        self._folder = folder
        self._work = folder / HIDDEN
        self._clock = clock

    def call(self, request: Request) -> Answer:
        """Write a part (POST), or say which keys are written (GET); never raises."""
        try:
            if request.method == "GET":
                return _answer(self._find(msgspec.json.decode(request.body, type=list[str])))
            self._write(request.path.removeprefix("/"), request)
        except OSError as error:
            # Whether the part has its name is asked before it is written again.
            words = (error.strerror or type(error).__name__).encode()
            return Answer(status=None, headers={}, body=words, processed=None)
        return _answer(request.keys)

    def tidy(self) -> None:
        """Remove what killed writers left; to be called while nobody writes.

        A part without a note was never seen. A note without a draft is kept for as long as anybody
        may ask for it.
        """
        noted = {file.stem for file in self._work.glob("*.note")}
        for file in self._work.glob("*.draft"):
            if file.stem not in noted:
                file.unlink()
        for file in self._work.glob("*.unfinished"):
            file.unlink()
        for name in noted:
            note = self._work / f"{name}.note"
            old = self._clock().timestamp() - note.stat().st_mtime > KEPT_S
            if old and not note.with_suffix(".draft").exists():
                note.unlink()

    def settled(self, requests: Sequence[Request]) -> None:
        """Drop the notes of parts that the outbox knows to be written."""
        for request in requests:
            name = request.path.removeprefix("/")
            if request.method == "POST" and not (self._work / f"{name}.draft").exists():
                (self._work / f"{name}.note").unlink(missing_ok=True)

    def _write(self, name: str, request: Request) -> None:
        self._work.mkdir(parents=True, exist_ok=True)
        draft = self._work / f"{name}.draft"
        _store(draft, request.body)
        time = self._clock().astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        note = _Note(part=f"{time}-{name}{ENDING}", keys=list(request.keys))
        unfinished = self._work / f"{name}.unfinished"
        _store(unfinished, msgspec.json.encode(note))
        unfinished.rename(self._work / f"{name}.note")
        _sync(self._work)
        self._publish(draft, note)

    def _find(self, keys: Sequence[str]) -> list[str]:
        asked = set(keys)
        found: set[str] = set()
        for file in sorted(self._work.glob("*.note")):
            note = msgspec.json.decode(file.read_bytes(), type=_Note)
            if asked.isdisjoint(note.keys):
                continue
            draft = file.with_suffix(".draft")
            if draft.exists():
                self._publish(draft, note)
            found |= asked.intersection(note.keys)
        return sorted(found)

    def _publish(self, draft: Path, note: _Note) -> None:
        draft.rename(self._folder / note.part)
        _sync(self._folder)
        _sync(self._work)


def _answer(keys: Sequence[str]) -> Answer:
    body = msgspec.json.encode(list(keys))
    return Answer(status=200, headers={}, body=body, processed=True)


def _store(file: Path, body: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(body)
        opened.flush()
        os.fsync(opened.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
