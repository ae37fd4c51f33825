"""A served program of which any process is killed again and again: nothing accepted is lost."""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from opportune import pipeline
from opportune.keys import create_key
from opportune.settings import PREFIX, Settings, as_variables
from opportune.storage import open_stores

KILLS = 50
CLIENTS = 4
BATCH = 50
Until = Callable[..., None]
PartsOf = Callable[..., list[psutil.Process]]


@dataclass
class Load:
    """Clients that send batch after batch, each until it is accepted."""

    port: int
    key: str
    stop: threading.Event = field(default_factory=threading.Event)
    accepted: list[str] = field(default_factory=list)
    repeats: int = 0

    @contextmanager
    def sending(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._send, args=(each,)) for each in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join(timeout=60)
        assert not any(thread.is_alive() for thread in threads)

    def _send(self, client: int) -> None:
        number = 0
        while not self.stop.is_set():
            ids = [f"{client}-{number}-{place}" for place in range(BATCH)]
            body = json.dumps({"batch": [_message(each, client) for each in ids]}).encode()
            while not self.post(body):
                self.repeats += 1
                time.sleep(0.05)
            self.accepted.extend(ids)
            number += 1
            time.sleep(0.02)

    def post(self, body: bytes) -> bool:
        headers = {"Authorization": "Basic " + base64.b64encode(f"{self.key}:".encode()).decode()}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("POST", "/v1/batch", body, headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _message(message_id: str, client: int) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Product Viewed",
        "messageId": message_id,
        "userId": f"customer-{client}-{message_id[-1]}",
        "properties": {"price": 5},
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_what_was_accepted_is_there_once_whatever_process_was_killed(
    until: Until, parts_of: PartsOf
) -> None:
    chance = random.Random(50)
    with ExitStack() as stack:
        # Not below pytest's own folder, which it closes to every other user again and again.
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opportune-test-")))
        place.chmod(0o755)
        chosen = Settings(data_folder=place / "data", port=_free_port())
        load = Load(port=chosen.port, key=create_key(chosen, "shop"))
        served = stack.enter_context(_served(chosen, parts_of))
        until(lambda: _healthy(chosen.port), within_s=60)
        killed: Counter[str] = Counter()
        with load.sending():
            while killed.total() < KILLS:
                time.sleep(chance.uniform(0.2, 1.5))
                killed[served.kill(chance)] += 1
        until(lambda: _healthy(chosen.port), within_s=60)
        with closing(open_stores(chosen, now=datetime.now(UTC))) as stores:
            until(lambda: pipeline.caught_up(stores), within_s=120)
            served.end()
            table = stores.lake.read("events", ["message_id"])
            stored = Counter(table["message_id"].to_pylist())
            known = stores.state.rows("select count(*)::int as n from profile")
    assert set(killed) == {"serve", "http", "worker"}
    assert load.repeats > 0, "no client ever met a killed process"
    assert len(load.accepted) > KILLS * BATCH
    lost = set(load.accepted) - stored.keys()
    assert not lost, f"{len(lost)} accepted events are gone"
    assert set(stored.values()) == {1}, "some events are there twice"
    # What was sent and kept, but not answered for, was sent again until it was.
    assert stored.keys() == set(load.accepted)
    assert known == [{"n": CLIENTS * 10}]


@dataclass
class Served:
    """``opportune serve``, that is started again whenever it is not there any more."""

    settings: Settings
    parts_of: PartsOf
    process: subprocess.Popen[bytes] | None = None
    ending: threading.Event = field(default_factory=threading.Event)

    def keep(self) -> None:
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
        while not self.ending.is_set():
            if self.process is None or self.process.poll() is not None:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "opportune", "serve"],
                    env={**inherited, **as_variables(self.settings)},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
            self.ending.wait(0.05)

    def kill(self, chance: random.Random) -> str:
        """Kill the parent or one of its children, and say which."""
        while True:
            with suppress(psutil.NoSuchProcess):
                if self.process is not None:
                    parent = psutil.Process(self.process.pid)
                    running = {"serve": parent}
                    for name in ("http", "worker"):
                        for part in self.parts_of(parent.pid, name):
                            running[name] = part
                    if running.keys() == {"serve", "http", "worker"}:
                        name = chance.choice(sorted(running))
                        running[name].kill()
                        return name
            time.sleep(0.02)

    def end(self) -> None:
        self.ending.set()
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0


@contextmanager
def _served(chosen: Settings, parts_of: PartsOf) -> Iterator[Served]:
    served = Served(chosen, parts_of)
    keeper = threading.Thread(target=served.keep)
    keeper.start()
    try:
        yield served
    finally:
        served.ending.set()
        keeper.join(timeout=30)
        if served.process is not None and served.process.poll() is None:
            served.process.terminate()
            served.process.wait(timeout=60)


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
