"""The whole program, and the libraries that strangers have: what one sends, the other shows."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from opportune.keys import create_key
from opportune.settings import PREFIX, Settings, as_variables
from opportune.storage import Lake

LIBRARIES = Path(__file__).parent / "libraries"
SOURCES = (
    *("segment-python", "rudder-python", "segment-node", "browser", "browser-batching"),
    "recorded",
)
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A running `opportune serve`, with a database of its own in its folder."""

    port: int
    folder: Path
    keys: dict[str, str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def profile(self, kind: str, value: str) -> dict[str, Any]:
        """What the program knows of a profile, once it has taken in all that was accepted."""
        wait_for(lambda: 'bytes_behind{reader="state"} 0\n' in self._ask("/metrics")[1])
        status, text = self._ask(f"/api/profiles/{kind}/{quote(value)}")
        assert status == 200, text
        found: dict[str, Any] = json.loads(text)
        return found

    def events(self, source: str, *, count: int) -> list[dict[str, Any]]:
        """The rows of the lake that came from ``source``, once there are ``count`` of them."""

        def read() -> list[dict[str, Any]] | None:
            if not (self.folder / "lake" / "events").exists():
                return None
            rows = Lake(self.folder / "lake").read("events").to_pylist()
            mine = [row for row in rows if row["source_id"] == source]
            return mine if len(mine) >= count else None

        return wait_for(read)

    def answers(self) -> bool:
        try:
            return self._ask("/healthz")[0] == 200
        except OSError:
            return False

    def _ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def wait_for(look: Callable[[], Any]) -> Any:
    """Look again and again until there is something to see."""
    ends = time.monotonic() + PATIENCE_S
    while not (seen := look()):
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)
    return seen


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """`opportune serve` as a newcomer starts it, with a write key for each library."""
    folder = tmp_path_factory.mktemp("program")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(data_folder=folder, port=port)
    keys = {name: create_key(settings, name, max_batch_bytes=4_000_000) for name in SOURCES}
    environ = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    process = subprocess.Popen(
        [sys.executable, "-m", "opportune", "serve"], env={**environ, **as_variables(settings)}
    )
    try:
        started = Program(port=port, folder=folder, keys=keys)
        wait_for(started.answers)
        yield started
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Segment's JavaScript libraries, in the versions of their lock."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed; install the packages 'nodejs' and 'npm'")
    folder = tmp_path_factory.mktemp("libraries") / "installed"
    shutil.copytree(LIBRARIES, folder)
    install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(
        install, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder
