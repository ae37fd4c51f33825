"""A collector over a real socket, and what is then in its log."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette

from opportune.api import WriteKeys, create_collector
from opportune.events import Limits
from opportune.storage import Frame, SegmentLog, read_frames

KEY = "shop-key"
CAPTURED_KEY = "WRITE_KEY_abc123"
NOW_US = 1_795_288_391_000_000
LIMITS = Limits(batch_bytes=100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    port: int
    log: SegmentLog
    keys_path: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def frames(self) -> list[Frame]:
        return read_frames(self.log.folder, {}, limit_bytes=1 << 40)[0]

    def call(
        self,
        path: str,
        body: object = b"",
        *,
        key: str | None = KEY,
        headers: Mapping[str, str] = MappingProxyType({}),
        method: str = "POST",
    ) -> Answer:
        """Ask with a Basic header of ``key`` and more ``headers``; a list is sent in chunks."""
        data = body if isinstance(body, bytes | list) else json.dumps(body).encode()
        sent = {**(basic(key) if key else {}), **headers}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, data, sent, encode_chunked=isinstance(data, list))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, headers=names, text=text)

    def know(
        self, keys: Mapping[str, str], *, largest: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """Replace the file of write keys: key to source, and the largest batch of some."""
        write_keys(self.keys_path, keys, largest=largest)


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


def write_keys(path: Path, keys: Mapping[str, str], *, largest: Mapping[str, int]) -> None:
    entries = {
        hashlib.sha256(key.encode()).hexdigest(): {
            "source_id": source_id,
            "name": source_id,
            **({"max_batch_bytes": largest[key]} if key in largest else {}),
        }
        for key, source_id in keys.items()
    }
    path.with_suffix(".new").write_text(json.dumps(entries))
    os.replace(path.with_suffix(".new"), path)


@contextlib.contextmanager
def running(app: Starlette) -> Iterator[int]:
    """Serve ``app`` on a port that the system chooses."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False)
    served = uvicorn.Server(config)
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        while not served.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield served.servers[0].sockets[0].getsockname()[1]
    finally:
        served.should_exit = True
        thread.join(30)


@pytest.fixture
def collecting(tmp_path: Path) -> Callable[..., AbstractContextManager[Server]]:
    """Start a collector that knows the key of the shop and the one of the recorded requests."""

    @contextlib.contextmanager
    def start(
        *,
        limits: Limits = LIMITS,
        clock: Callable[[], int] = lambda: NOW_US,
        compatible: bool = False,
    ) -> Iterator[Server]:
        keys_path = tmp_path / "keys.json"
        write_keys(keys_path, {KEY: "shop", CAPTURED_KEY: "captured"}, largest={})
        log = SegmentLog(tmp_path / "log")
        app = create_collector(
            log, WriteKeys(keys_path), limits=limits, clock=clock, compatible=compatible
        )
        with running(app) as port:
            yield Server(port=port, log=log, keys_path=keys_path)
        log.close()

    return start


@pytest.fixture
def serving() -> Callable[[Starlette], AbstractContextManager[int]]:
    """Serve an application until the block ends; yields its port."""
    return running


@pytest.fixture
def server(collecting: Callable[..., AbstractContextManager[Server]]) -> Iterator[Server]:
    """A collector with small batches and a clock that stands."""
    with collecting() as started:
        yield started


@pytest.fixture
def captured() -> Callable[[str], list[dict[str, Any]]]:
    """Read the requests that a real client sent, as they were recorded."""

    def read(name: str) -> list[dict[str, Any]]:
        path = captures_folder() / f"{name}.json"
        if not path.exists():
            pytest.skip(
                f"no recorded requests of real clients: {path.name} is not in REFERENCE_FOLDER"
            )
        recorded = json.loads(path.read_text())
        requests: list[dict[str, Any]] = (
            recorded["requests"] if "requests" in recorded else recorded["cases"]["B_allow_headers"]
        )
        return requests

    return read


def captures_folder() -> Path:
    beside = Path(__file__).parents[3].parent / "shared" / "reference"
    return Path(os.environ.get("REFERENCE_FOLDER", beside)) / "segment-captures"


@pytest.fixture
def replay(server: Server) -> Callable[[Iterable[dict[str, Any]]], list[Answer]]:
    """Send recorded requests again as they were: path, headers, encoding, body."""

    def send(requests: Iterable[dict[str, Any]]) -> list[Answer]:
        return [_again(server, request) for request in requests]

    return send


def _again(server: Server, request: Mapping[str, Any]) -> Answer:
    headers = {
        name: value
        for name, value in request["headers"].items()
        if name.lower() not in ("content-length", "host", "connection")
    }
    body = b"" if request["body"] is None else json.dumps(request["body"]).encode()
    if headers.get("Content-Encoding") == "gzip":
        body = gzip.compress(body)
    return server.call(request["path"], body, key=None, headers=headers, method=request["method"])
