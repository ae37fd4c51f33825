"""A real server on a port the system chose, and a collector that records what it is sent."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from opportune.sandbox import CAMPAIGN_ID, SandboxConfig, create_app

API_KEY = "test-key"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    text: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Client:
    """Calls one sandbox; a new connection per call, so that a cut one does no harm."""

    port: int
    name: str
    key: str | None = API_KEY
    timeout_s: float = 10.0

    def call(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        sent = {"Host": self.name, "Content-Type": "application/json"}
        if self.key is not None:
            sent["Authorization"] = f"Bearer {self.key}"
        sent |= headers or {}
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        try:
            connection.request(method, path, content, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str) -> Answer:
        return self.call("GET", path)

    def post(self, path: str, body: object) -> Answer:
        return self.call("POST", path, body)

    def send(self, *recipients: dict[str, Any], **fields: Any) -> Answer:
        """A trigger/send of the sandbox's campaign."""
        body = {"campaign_id": CAMPAIGN_ID, "recipients": list(recipients)} | fields
        return self.post("/campaigns/trigger/send", body)

    def sent_users(self) -> list[list[str]]:
        """External ids of the messages of each accepted call, oldest first."""
        calls = self.get("/_sandbox/journal").json["calls"]
        return [[one["external_user_id"] for one in call["messages"]] for call in calls]

    def received(self, user: str) -> list[dict[str, Any]]:
        """What ``campaigns_received`` says of one user."""
        body = {"external_ids": [user], "fields_to_export": ["external_id", "campaigns_received"]}
        (exported,) = self.post("/users/export/ids", body).json["users"]
        found: list[dict[str, Any]] = exported.get("campaigns_received", [])
        return found


def config(**changes: Any) -> SandboxConfig:
    given: dict[str, Any] = {
        "api_key": API_KEY,
        "customers": 400,
        "seed": 1,
        "start": date(2026, 1, 1),
        "write_key": "shop-key",
        "currents_key": "currents-key",
    }
    return SandboxConfig(**(given | changes))


Start = Callable[..., Client]


@dataclass
class Host:
    """One uvicorn for all tests; every sandbox answers under a name of its own."""

    port: int = 0
    apps: dict[str, Starlette] = field(default_factory=dict)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = dict(scope["headers"])[b"host"].decode()
        await self.apps[name](scope, receive, send)


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    apps = Host()
    settings = uvicorn.Config(
        apps, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        apps.port = listener.getsockname()[1]
        server = uvicorn.Server(settings)
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        until = time.monotonic() + 10
        while not server.started and time.monotonic() < until:
            time.sleep(0.005)
        assert server.started
        yield apps
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.fixture
def start(host: Host) -> Iterator[Start]:
    """Start a sandbox: ``start(**changes to the configuration)`` or ``start(app=...)``."""
    started: list[str] = []

    def begin(*, app: Starlette | None = None, **changes: Any) -> Client:
        name = f"sandbox-{len(started)}"
        host.apps[name] = app or create_app(config(**changes))
        started.append(name)
        return Client(port=host.port, name=name)

    yield begin
    for name in started:
        asyncio.run(_stop(host.apps.pop(name)))


async def _stop(app: Starlette) -> None:
    async with app.router.lifespan_context(app):
        pass


@pytest.fixture
def client(start: Start) -> Client:
    return start()


@dataclass
class Collector:
    """Records bodies by path. ``statuses`` are answered first, one a post, then 200."""

    url: str
    posts: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    tries: int = 0

    def bodies(self, path: str) -> list[Any]:
        return [body for at, _, body in self.posts if at == path]

    @property
    def engagement(self) -> list[dict[str, Any]]:
        bodies = self.bodies("/api/connectors/braze/currents")
        return [event for body in bodies for event in body["events"]]

    @property
    def orders(self) -> list[dict[str, Any]]:
        return [call for body in self.bodies("/v1/batch") for call in body["batch"]]


@pytest.fixture
def collector() -> Iterator[Collector]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                recorded.tries += 1
                status = recorded.statuses.pop(0) if recorded.statuses else 200
                if status == 200:
                    headers = {name.lower(): value for name, value in self.headers.items()}
                    recorded.posts.append((self.path, headers, json.loads(body)))
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    recorded = Collector(url=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield recorded
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()
