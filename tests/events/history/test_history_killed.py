"""An import that is killed anywhere: the same call goes on, and the outcome is the same."""

from __future__ import annotations

import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from opportune.events import create_tables, decode_segment, history, record, seed
from opportune.events.history.note import read_note, write_note
from opportune.storage import Lake, SegmentLog

VERB = importlib.import_module("opportune.events.history.enter")
ROWS = 400
SCHEMA = """
equal_rows = "each"

[types]
amount = "number"

[[messages]]
type = "identify"
user_id = "customer"
timestamp = "at"
traits = []

[[messages]]
type = "track"
event = { constant = "Order" }
user_id = "customer"
timestamp = "at"
"""
# One part of the file after the other, slowly enough to be killed between any two instructions.
CHILD = """
import pathlib, sys, time, tomllib
from datetime import UTC, datetime
from opportune.events import history
from opportune.events.history import table
from opportune.storage import Lake, SegmentLog
from opportune.storage.engine import open_engine

folder, file, schema = map(pathlib.Path, sys.argv[1:])
table.CHUNK_ROWS = 20
request = history.Request(
    path=file, source_id="shop", schema=history.read_schema(schema), live=False
)
log = SegmentLog(folder / "log")
place = history.Place(
    data_folder=folder,
    log_folder=folder / "log",
    log=log,
    engine=open_engine("duckdb:", Lake(folder / "lake")),
    pause=lambda: None,
)
print("ready", flush=True)
history.enter(request, place, now=datetime.now(UTC), told=lambda *_: None)
log.close()
print("done", flush=True)
"""


class Stopped(Exception):
    """Stands for a kill at one instruction."""


def rows() -> str:
    """Some rows equal, some not usable."""
    lines = [f"c{place % 90},2024-03-{place % 28 + 1:02},{place % 7}" for place in range(ROWS)]
    lines[33] = "c33,2024-03-01,many"
    lines[210] = "c210"
    lines[ROWS - 1] = ",2024-03-01,1"
    return "\n".join(["customer,at,amount", *lines])


def outcome(desk: Any) -> tuple[Counter[str], list[tuple[int, str, str]]]:
    """The messages there are, each once, and what was refused, as often as it was told."""
    return Counter(each.message_id for each in desk.events()), sorted(desk.refusals())


@pytest.fixture
def calm(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What an import comes to that is not killed; its traces are removed."""
    monkeypatch.setattr("opportune.events.history.table.CHUNK_ROWS", 20)
    request = desk.request(desk.file(rows()), SCHEMA)
    found = desk.enter(request)
    expected = (found.tally, outcome(desk))
    shutil.rmtree(desk.folder / "data")
    return request, expected


@pytest.mark.parametrize("step", ["log.append", "keep_refused", "write_note", "refused_frame"])
def test_stopped_before_or_after_any_step_it_goes_on(
    desk: Any, calm: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    request, expected = calm
    owner, name = (SegmentLog, "append") if step == "log.append" else (VERB, step)
    original = getattr(owner, name)
    stops = 0
    for after in (False, True):
        for count in (1, 2, 7, 9, 21):
            left = [count]

            def stop(*given: Any, _after: bool = after, _left: Any = left, **named: Any) -> Any:
                _left[0] -= 1
                if _left[0] == 0 and not _after:
                    raise Stopped
                found = original(*given, **named)
                if _left[0] == 0:
                    raise Stopped
                return found

            with monkeypatch.context() as patched:
                patched.setattr(owner, name, stop)
                try:
                    desk.enter(request)
                except Stopped:
                    stops += 1
    found = desk.enter(request)
    assert stops > 0
    assert (found.tally, outcome(desk)) == expected


def test_what_is_in_the_log_is_not_sent_again(desk: Any, calm: Any) -> None:
    request, _ = calm

    def stop() -> None:
        raise Stopped

    with pytest.raises(Stopped):
        desk.enter(request, pause=stop)
    before = len(desk.frames())
    desk.enter(request)
    bodies = Counter(frame.body for frame in desk.frames())
    assert before == 2
    assert set(bodies.values()) == {1}


def test_what_was_refused_is_told_once_also_when_a_worker_took_it_in(desk: Any, calm: Any) -> None:
    """Killed after the frame and before the note; the log is gone meanwhile, into the lake."""
    request, _ = calm
    found = desk.enter(request)
    note = read_note(desk.folder / "data", found.import_id)
    note.state = "telling"
    write_note(desk.folder / "data", note)
    lake = Lake(desk.folder / "data" / "lake")
    create_tables(lake)
    decoders = {"batch": decode_segment, history.KIND: history.decode_refused}
    record(lake, desk.frames(), offsets={}, decoders=decoders, seen=seed(lake))
    for segment in desk.log_folder.iterdir():
        segment.unlink()
    desk.enter(request)
    assert desk.frames() == []
    assert lake.read("rejects").num_rows == 3
    assert history.added(desk.engine, found) == found.tally.sent


def test_what_was_refused_is_found_behind_a_place_that_is_damaged(desk: Any, calm: Any) -> None:
    request, _ = calm
    found = desk.enter(request)
    note = read_note(desk.folder / "data", found.import_id)
    note.state = "telling"
    write_note(desk.folder / "data", note)
    (segment,) = desk.log_folder.iterdir()
    data = bytearray(segment.read_bytes())
    data[100:110] = b"x" * 10
    segment.write_bytes(data)
    desk.enter(request)
    assert list(desk.log_folder.iterdir()) == [segment]


@pytest.mark.slow
def test_killed_at_random_moments_the_outcome_is_the_same(desk: Any, calm: Any) -> None:
    request, (_, expected) = calm
    schema = desk.file(SCHEMA, name="schema.toml")
    chance = random.Random(5)
    kills = 0
    while True:
        child = subprocess.Popen(
            [
                sys.executable,
                "-c",
                CHILD,
                str(desk.folder / "data"),
                str(request.path),
                str(schema),
            ],
            stdout=subprocess.PIPE,
            env=os.environ,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        if kills < 15:
            time.sleep(chance.uniform(0.0, 0.25))
            child.send_signal(signal.SIGKILL)
        done = child.stdout.read()
        child.wait()
        child.stdout.close()
        kills += child.returncode == -signal.SIGKILL
        if done == b"done\n":
            break
    assert kills >= 3
    assert outcome(desk) == expected
    assert Path(desk.folder / "data" / "imports").is_dir()
