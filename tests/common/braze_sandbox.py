"""A workspace of the sandbox, asked within the process: no connection, no waiting."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.applications import Starlette

from opportune.activation import Answer, Request
from opportune.activation.braze import Patience, Workspace
from opportune.sandbox import SandboxConfig, create_app

KEY = "test-key-of-braze"


def sandbox_config(**changes: Any) -> SandboxConfig:
    given: dict[str, Any] = {
        "api_key": KEY,
        "customers": 120,
        "seed": 1,
        "start": date(2026, 1, 1),
        "write_key": "shop-key",
        "currents_key": "currents-key",
    }
    return SandboxConfig(**(given | changes))


@dataclass
class Sandbox:
    """One sandbox; ``asked`` are the paths that were called, ``slept`` the waits between them.

    What it does behind an answer goes on while anybody asks or sleeps.
    """

    app: Starlette = field(default_factory=lambda: create_app(sandbox_config()))
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    key: str = KEY
    asked: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    now: float = 0.0

    def call(self, request: Request) -> Answer:
        self.asked.append(request.path)
        return self.loop.run_until_complete(_call(self.app, request, self.key))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.loop.run_until_complete(asyncio.sleep(0.005))

    def workspace(
        self, call: Callable[[Request], Answer] | None = None, **patience: Any
    ) -> Workspace:
        return Workspace(
            call or self.call,
            clock=lambda: self.now,
            sleep=self.sleep,
            patience=Patience(**patience),
        )

    def close(self) -> None:
        """End it as a server does, with the threads that it used."""

        async def end() -> None:
            async with self.app.router.lifespan_context(self.app):
                pass

        self.loop.run_until_complete(end())
        self.loop.close()

    def post(self, path: str, body: object) -> Any:
        """Do what anybody does: set it up (``/_sandbox/...``), or call Braze."""
        content = json.dumps(body).encode()
        request = Request(method="POST", path=path, body=content, keys=())
        answer = self.loop.run_until_complete(_call(self.app, request, self.key))
        assert answer.status in (200, 201), answer.body
        return json.loads(answer.body)

    def get(self, path: str) -> Any:
        request = Request(method="GET", path=path, body=b"", keys=())
        return json.loads(self.loop.run_until_complete(_call(self.app, request, self.key)).body)


async def _call(app: Starlette, request: Request, key: str) -> Answer:
    path, _, query = request.path.partition("?")
    headers = {
        "host": "127.0.0.1",
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
    }
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
    }
    status: list[int] = []
    named: dict[str, str] = {}
    pieces: list[bytes] = []

    asked = iter([True])

    async def receive() -> dict[str, Any]:
        if next(asked, None) is None:
            # Nobody hangs up.
            await asyncio.Event().wait()
        return {"type": "http.request", "body": request.body, "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])
            named.update(
                {name.decode().lower(): text.decode() for name, text in message["headers"]}
            )
        else:
            pieces.append(message.get("body", b""))

    await app(scope, receive, send)
    return Answer(status=status[0], headers=named, body=b"".join(pieces), processed=True)
