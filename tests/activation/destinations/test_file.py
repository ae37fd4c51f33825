"""Files: parts that are whole, each message in exactly one of them, wherever the writer stops."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from opportune.activation import PartWriter
from opportune.activation import send as sending
from opportune.activation.connectors.file import File
from opportune.activation.parts import ENDING
from opportune.testing import check_connector

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)


class Killed(BaseException):
    """The process ends at this instruction."""


def events(count: int) -> list[dict[str, Any]]:
    return [{"event": "Order", "user": f"u{n % 3}", "id": f"m{n}"} for n in range(count)]


def folder(out: Any) -> Path:
    return Path(out.stores.settings.outgoing_folder) / "crm"


def parts(out: Any) -> list[Path]:
    return sorted(folder(out).glob(f"*{ENDING}"))


def lines(out: Any) -> list[dict[str, Any]]:
    """Every message that a reader sees; a line that is not whole would not parse."""
    return [json.loads(line) for part in parts(out) for line in part.read_text().splitlines()]


def test_the_connector_keeps_the_promises_of_one() -> None:
    check_connector(File(batch_size=10), config={})


def test_messages_are_written_as_lines_in_parts_that_sort_by_time(out: Any) -> None:
    channel = out.reach(out.apply(events=["*"], batch_size=4))
    out.feed(*events(10))
    out.drain(channel)
    assert out.states() == {"sent": 10}
    assert len(parts(out)) == 3
    assert [each for each in lines(out) if each not in out.messages()] == []
    for user in ("u0", "u1", "u2"):
        numbers = [int(each["messageId"][1:]) for each in lines(out) if each["userId"] == user]
        assert numbers == sorted(numbers)
    assert list((folder(out) / ".work").iterdir()) == []


# All changes of the disk that a part takes, settling it, and dropping its note.
INSTRUCTIONS = 9


@pytest.mark.parametrize("taken_away", [False, True])
def test_a_writer_that_is_killed_anywhere_writes_each_message_once(
    out: Any, monkeypatch: pytest.MonkeyPatch, taken_away: bool
) -> None:
    """A reader that takes parts away at once must not get a message a second time either."""
    destination = out.apply(events=["*"], batch_size=2)
    seen: list[dict[str, Any]] = []
    kills = 0
    for instruction in range(1, INSTRUCTIONS + 2):
        out.feed(*({**each, "id": f"{instruction}-{each['id']}"} for each in events(2)))
        with monkeypatch.context() as patched:
            _kill_at(patched, instruction)
            try:
                out.send(out.reach(destination))
            except Killed:
                kills += 1
        if taken_away:
            seen += lines(out)
            for part in parts(out):
                part.unlink()
        out.abandon()
        out.expire()
        out.drain(out.reach(destination))
    seen += lines(out)
    expected = [f"{n}-m{m}" for n in range(1, INSTRUCTIONS + 2) for m in range(2)]
    assert Counter(each["messageId"] for each in seen) == Counter(expected)
    assert out.states() == {"sent": len(expected)}
    assert kills == INSTRUCTIONS, "the last one comes after all of them"


def _kill_at(patched: pytest.MonkeyPatch, instruction: int) -> None:
    """Stop before the n-th change: of the disk, of the outbox, or of the note."""
    left = [instruction]

    def stopping(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if not left[0]:
                raise Killed
            return real(*given, **named)

        return call

    patched.setattr(os, "fsync", stopping(os.fsync))
    patched.setattr(Path, "rename", stopping(Path.rename))
    patched.setattr(PartWriter, "settled", stopping(PartWriter.settled))
    patched.setattr(sending, "settle", stopping(sending.settle))


def test_what_killed_writers_left_is_removed_and_what_may_be_asked_for_is_not(
    tmp_path: Path,
) -> None:
    work = tmp_path / ".work"
    work.mkdir()
    names = {"a.draft", "b.draft", "b.note", "c.note", "old.note", "d.unfinished"}
    for name in names:
        (work / name).write_text("x")
    os.utime(work / "old.note", (0, 0))
    PartWriter(tmp_path, clock=lambda: datetime.now(UTC)).tidy()
    assert {file.name for file in work.iterdir()} == {"b.draft", "b.note", "c.note"}


def test_a_disk_that_is_full_is_told_and_loses_nothing(
    out: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = out.reach(out.apply(events=["*"]))
    out.feed(*events(2))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        assert out.send(channel) == {"unknown": 2}
        assert out.rows()[0]["reason"] == "The part was not written: No space left on device."
        assert lines(out) == []
    out.drain(channel)
    assert Counter(each["messageId"] for each in lines(out)) == {"m0": 1, "m1": 1}
