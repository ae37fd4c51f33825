"""A worker that is killed with -9 again and again sends what an undisturbed one sends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from opportune import pipeline, segments
from opportune.settings import PREFIX, Settings, as_variables
from opportune.storage import Stores, load_sql, open_stores

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = (6, 9, 13, 18, 20)
DAYS = 3
KILLS = 6
CUSTOMERS = 300
PROVIDER = "next-best-offer"
Until = Callable[..., None]


@dataclass
class Process:
    """A worker of its own, that is started again when it was killed."""

    stores: Stores
    running: subprocess.Popen[bytes] | None = None
    kills: int = 0

    def start(self) -> None:
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
        self.running = subprocess.Popen(
            [sys.executable, "-m", "opportune", "worker", "--simulated-clock", "--tick-s", "0.01"],
            env={**inherited, **as_variables(self.stores.settings)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        assert self.running is not None
        self.running.send_signal(signal.SIGKILL)
        self.running.wait()
        self.kills += 1
        self.start()

    def end(self) -> None:
        assert self.running is not None
        self.running.terminate()
        assert self.running.wait(timeout=20) == 0


def play(
    market: Any, sandbox: Any, until: Until, *, kills: Mapping[int, float]
) -> tuple[Counter[tuple[str, str, str]], int]:
    """Live through the days with a worker that is killed in the hours that ``kills`` names.

    ``kills`` says for the n-th hour of all which share of what came due is sent when the
    worker is killed: a progress, for in seconds a fast machine is done before the first of them.
    """
    market.apply({PROVIDER: sandbox.url})
    market.register(CUSTOMERS)
    process = Process(market.stores)
    process.start()
    try:
        for step, (day, hour) in enumerate(product(range(DAYS), HOURS)):
            now = MIDNIGHT + timedelta(days=day, hours=hour)
            sandbox.tell_time(now)
            market.stores.state.rows(load_sql("opportune", "set_simulated_now"), {"now": now})
            share = kills.get(step)
            ends = time.monotonic() + 60
            while not _is_done(market, day, now):
                assert time.monotonic() < ends, market.outbox()
                if share is not None and _sent_share(market, now) >= share:
                    process.kill()
                    share = None
                time.sleep(0.005)
            if share is not None:
                process.kill()
        until(lambda: pipeline.caught_up(market.stores))
    finally:
        process.end()
    return sandbox.messages(), process.kills


def _sent_share(market: Any, now: datetime) -> float:
    """Which share of what came due at this moment is sent; -1 as long as nothing is decided."""
    rows = market.stores.state.rows(
        "select count(*) filter (where state = 'sent')::int as sent, count(*)::int as due"
        " from outbox where due_at <= %(now)s and due_at > %(now)s - interval '2 hours'",
        {"now": now},
    )
    return rows[0]["sent"] / rows[0]["due"] if rows[0]["due"] else -1.0


def _is_done(market: Any, day: int, now: datetime) -> bool:
    decided = market.count("job", "done_at is not null") == day + 1
    still_open = market.stores.state.rows(
        "select count(*)::int as n from outbox where state not in ('sent', 'failed')"
        " and due_at <= %(now)s",
        {"now": now},
    )
    return decided and still_open[0]["n"] == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_killed_again_and_again_sends_what_an_undisturbed_one_sends(
    market: Any,
    api_key: str,
    fresh_database: Callable[..., AbstractContextManager[str]],
    serve_sandbox: Callable[[Path], AbstractContextManager[Any]],
    until: Until,
    tmp_path: Path,
) -> None:
    chance = random.Random(7)
    steps = chance.sample(range(DAYS * len(HOURS)), KILLS)
    moments = {step: chance.uniform(-1.4, 1.0) for step in steps}
    runs = []
    for name, kills in (("calm", {}), ("killed", moments)):
        folder = tmp_path / name
        folder.mkdir()
        with fresh_database() as url, serve_sandbox(folder / "journal.jsonl") as sandbox:
            chosen = Settings(
                data_folder=folder / "data",
                database_url=url,
                braze_api_key=api_key,
                braze_timeout_s=1.0,
                braze_settle_s=1.2,
            )
            with closing(open_stores(chosen, now=MIDNIGHT)) as own:
                played = replace(market, stores=own, folder=folder)
                messages, killed = play(played, sandbox, until, kills=kills)
                came_back = Counter(
                    event
                    for event in own.lake.read("events", ["event"])["event"].to_pylist()
                    # Who was in from the start, and so is not told of, is a matter of moments.
                    if event not in (None, *segments.OWN_EVENTS, segments.MEMBERSHIPS)
                )
        runs.append((messages, dict(came_back), killed))
    calm, killed_run = runs
    assert (calm[2], killed_run[2]) == (0, KILLS)
    assert set(killed_run[0].values()) == {1}, "somebody got a message twice"
    assert killed_run[0] == calm[0]
    assert killed_run[1] == calm[1] == {"Message Sent": len(calm[0])}
    assert len(calm[0]) > 700
