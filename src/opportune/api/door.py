"""The door of the interface: which names it answers under, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from opportune import sign_in
from opportune.api.errors import answer, status_of
from opportune.errors import OpportuneError
from opportune.storage import Stores

__all__ = ["Door"]

READING = ("GET", "HEAD", "OPTIONS")
# It asks for a key of its own.
KEYED = ("POST", "/people/embed")


class Door:
    """Lets a request to the interface in, or says why not."""

    def __init__(self, app: ASGIApp, stores: Stores, clock: Callable[[], datetime]) -> None:
        self._app = app
        self._stores = stores
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a refusal, or let the interface answer."""
        if scope["type"] == "http":
            refusal = await self._refusal(Request(scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _refusal(self, request: Request) -> Response | None:
        try:
            self._check_site(request.method, request.headers)
            is_keyed = (request.method, _path(request.scope)) == KEYED
            if sign_in.is_needed(self._stores.settings) and not is_keyed:
                await run_in_threadpool(self._check_who, request)
        except OpportuneError as error:
            status = 401 if isinstance(error, sign_in.SignInNeeded) else status_of(error)
            refusal = answer(status, code=error.code, message=error.message)
            if status == 401:
                refusal.headers["WWW-Authenticate"] = "Bearer"
            return refusal
        return None

    def _check_site(self, method: str, headers: Headers) -> None:
        sign_in.check_host(self._stores.settings, headers.get("host"))
        if method not in READING:
            sign_in.check_origin(headers)

    def _check_who(self, request: Request) -> None:
        sign_in.who(
            self._stores.state,
            session=request.cookies.get(sign_in.SESSION_COOKIE, ""),
            authorization=request.headers.get("authorization"),
            now=self._clock(),
        )


def _path(scope: Scope) -> str:
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
