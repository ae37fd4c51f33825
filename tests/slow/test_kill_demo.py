"""The whole demo with its worker killed twenty times: nobody misses a message, nobody gets two."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from opportune.settings import PREFIX

PartsOf = Callable[..., list[psutil.Process]]
CUSTOMERS = 20_000
DAYS = 30
KILLS = 20
LONGEST_S = 700


@dataclass(frozen=True)
class Played:
    """What Braze accepted: how often each (day, customer); how often the worker was killed."""

    messages: Counter[tuple[str, str]]
    kills: int


@pytest.mark.slow
@pytest.mark.timeout(2 * LONGEST_S + 100)
def test_a_demo_whose_worker_is_killed_twenty_times_sends_what_a_calm_one_sends(
    parts_of: PartsOf,
) -> None:
    chance = random.Random(20)
    day = datetime.now(UTC).date()
    # Not below pytest's own folder, which it closes to every other user again and again.
    with tempfile.TemporaryDirectory(prefix="opportune-test-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        pauses = (chance.uniform(0.6, 3.0) for _ in range(KILLS))
        killed = play(Path(place) / "killed", pauses, parts_of)
        calm = play(Path(place) / "calm", iter(()), parts_of)
    assert datetime.now(UTC).date() == day, "the demo's days end today: midnight came between"
    assert (calm.kills, killed.kills) == (0, KILLS)
    assert set(killed.messages.values()) == {1}, "somebody got two messages in a day"
    assert killed.messages == calm.messages
    assert len({sent_on for sent_on, _ in calm.messages}) == DAYS
    assert len(calm.messages) > 0.85 * CUSTOMERS * DAYS


def play(folder: Path, pauses: Iterator[float], parts_of: PartsOf) -> Played:
    """Run a demo and kill its worker, each time a pause after the one before was replaced."""
    options = {
        "--seed": "3",
        "--data": str(folder),
        "--customers": str(CUSTOMERS),
        "--days": str(DAYS),
        "--port": "0",
        "--sandbox-port": "0",
    }
    given = [text for option in options.items() for text in option]
    demo = subprocess.Popen(
        [sys.executable, "-m", "opportune", "demo", "--no-serve", *given],
        env={name: text for name, text in os.environ.items() if not name.startswith(PREFIX)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        kills = sum(kill_worker(demo, pause, parts_of) for pause in pauses)
        output, _ = demo.communicate(timeout=LONGEST_S)
    finally:
        if demo.poll() is None:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=30)
    assert demo.returncode == 0, output.decode()
    return Played(accepted(folder / "sandbox.jsonl"), kills)


def kill_worker(demo: subprocess.Popen[bytes], pause_s: float, parts_of: PartsOf) -> bool:
    """Wait for a worker, let it work for a while and kill it; False when the demo was over."""
    while not (workers := parts_of(demo.pid, "worker")):
        if demo.poll() is not None:
            return False
        time.sleep(0.01)
    time.sleep(pause_s)
    with suppress(psutil.NoSuchProcess):
        workers[0].kill()
    while workers[0] in parts_of(demo.pid):
        time.sleep(0.01)
    return demo.poll() is None


def accepted(journal: Path) -> Counter[tuple[str, str]]:
    calls = [json.loads(line) for line in journal.read_text().splitlines()]
    return Counter(
        (call["at"][:10], message["external_user_id"])
        for call in calls
        for message in call["messages"]
    )
