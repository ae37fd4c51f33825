"""The gate every Braze call passes: key, content type, size, faults, the operation, headers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from opportune.sandbox.exchange import Exchange, answer
from opportune.sandbox.faults import after_effect, before_effect
from opportune.sandbox.limits import EMPTY_HEADERS, Limiter, RateLimited
from opportune.sandbox.model import Refused, SandboxConfig
from opportune.sandbox.workspace import Seen, Workspace

__all__ = ["Operation", "endpoint"]

MAX_BODY_BYTES = 4_000_000
MAX_KEPT_BODY_BYTES = 10_000


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
        fault: str | None = None
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
            fault = workspace.next_fault(operation.path)
            early = None if fault is None else await before_effect(exchange, fault)
            response = early or await operation.run(exchange)
            if early is None and fault is not None and response.status_code < 300:
                response = await after_effect(exchange, fault) or response
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
        workspace.seen.append(_seen(exchange, response, fault))
        return response

    return serve


def _seen(exchange: Exchange, response: Response, fault: str | None) -> Seen:
    body, scope = exchange.body, exchange.request.scope
    return Seen(
        at=exchange.workspace.now,
        request_id=exchange.request_id,
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode(errors="replace"),
        status=response.status_code,
        fault=fault or "",
        body=body.decode(errors="replace") if len(body) <= MAX_KEPT_BODY_BYTES else "",
    )


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
