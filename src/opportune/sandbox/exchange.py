"""The gate every Braze call passes: key, content type, size, then the operation, then headers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from opportune.sandbox.limits import EMPTY_HEADERS, Limiter, RateLimited
from opportune.sandbox.model import Refused, SandboxConfig
from opportune.sandbox.workspace import Workspace

__all__ = ["Exchange", "Operation", "answer", "decoded", "endpoint", "json_answer"]

MAX_BODY_BYTES = 4_000_000

T = TypeVar("T")


@dataclass(slots=True, kw_only=True)
class Exchange:
    """One call on its way through an operation; ``headers`` go out with the answer."""

    config: SandboxConfig
    workspace: Workspace
    limiter: Limiter
    request: Request
    request_id: str
    headers: dict[str, str]
    body: bytes = b""

    def draw(self, pool: str) -> None:
        """Count this call against a pool; past its limit the call ends with 429."""
        self.headers = self.limiter.draw(pool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One Braze endpoint."""

    method: str
    path: str
    permission: str
    run: Callable[[Exchange], Awaitable[Response]]


def endpoint(
    operation: Operation, config: SandboxConfig, workspace: Workspace, limiter: Limiter
) -> Callable[[Request], Awaitable[Response]]:
    """Dress an operation as a Starlette endpoint."""

    async def serve(request: Request) -> Response:
        started = time.perf_counter()
        exchange = Exchange(
            config=config,
            workspace=workspace,
            limiter=limiter,
            request=request,
            request_id=str(uuid.uuid4()),
            headers=limiter.headers("default"),
        )
        try:
            _authorise(request, operation, config)
            if operation.method == "POST":
                exchange.body = await _body(request)
            response = await operation.run(exchange)
        except RateLimited as refusal:
            response = answer(refusal.status, refusal.message)
            exchange.headers = dict(refusal.headers)
        except Refused as refusal:
            response = answer(refusal.status, refusal.message)
            if refusal.status == 401:
                exchange.headers = EMPTY_HEADERS
        response.headers.update(exchange.headers)
        response.headers["X-Request-Id"] = exchange.request_id
        response.headers["X-Runtime"] = f"{time.perf_counter() - started:.6f}"
        return response

    return serve


def answer(status: int, message: str, extra: Mapping[str, object] | None = None) -> Response:
    """A JSON answer with Braze's ``message`` and what else there is to say."""
    return json_answer(status, {**(extra or {}), "message": message})


def json_answer(status: int, content: object) -> Response:
    """Any JSON answer."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def decoded(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """The body as the decoder's type; anything else is answered 400."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Refused(f"Invalid parameter: {error}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refused(f"The request body is not valid JSON: {error}") from error


def _authorise(request: Request, operation: Operation, config: SandboxConfig) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    permissions = config.restricted_keys.get(key)
    if scheme.lower() != "bearer" or (key != config.api_key and permissions is None):
        raise Refused(f"Invalid API key: {key}", status=401)
    if key != config.api_key and operation.permission not in (permissions or ()):
        raise Refused("You do not have permission to access this resource", status=403)


async def _body(request: Request) -> bytes:
    """The body of a POST, never holding more than the limit."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Refused("Unsupported Media Type: send application/json", status=415)
    if int(request.headers.get("content-length", "0")) > MAX_BODY_BYTES:
        raise Refused("Request Entity Too Large", status=413)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise Refused("Request Entity Too Large", status=413)
        parts.append(part)
    return b"".join(parts)
