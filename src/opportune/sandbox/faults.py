"""Trouble on request: what goes wrong with the next calls, before or after their effect."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.responses import Response

from opportune.sandbox.exchange import Exchange, answer

__all__ = ["FAULTS", "after_effect", "before_effect"]

_STATUS_BEFORE = {"500": 500, "502": 502, "503": 503, "504": 504}
_STATUS_AFTER = {"500_after": 500, "502_after": 502, "503_after": 503, "504_after": 504}
_MESSAGES = {
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

_EXPORTS = ("not_ready", "never_ready")

FAULTS = frozenset(
    [
        "none",
        "429",
        *_STATUS_BEFORE,
        *_STATUS_AFTER,
        "timeout_before",
        "timeout_after",
        "reset_before",
        "reset_after",
        "malformed_after",
        "slow",
        "partial",
        "not_ready",
        "never_ready",
    ]
)


async def before_effect(exchange: Exchange, fault: str) -> Response | None:
    """What answers instead of the operation, when the fault comes first."""
    if fault == "429":
        raise exchange.limiter.exceeded("default")
    if fault in _STATUS_BEFORE:
        return answer(_STATUS_BEFORE[fault], _MESSAGES[_STATUS_BEFORE[fault]])
    if fault == "timeout_before":
        return await _silence(exchange)
    if fault == "reset_before":
        return await _cut(exchange)
    if fault == "slow":
        await asyncio.sleep(exchange.config.slow_s)
    exchange.partial = fault == "partial"
    exchange.export_fault = fault if fault in _EXPORTS else ""
    return None


async def after_effect(exchange: Exchange, fault: str) -> Response | None:
    """What answers instead of success, when the fault comes after the messages were accepted."""
    if fault in _STATUS_AFTER:
        return answer(_STATUS_AFTER[fault], _MESSAGES[_STATUS_AFTER[fault]])
    if fault == "timeout_after":
        return await _silence(exchange)
    if fault == "reset_after":
        return await _cut(exchange)
    if fault == "malformed_after":
        return Response(b'{"dispatch_id": "', 201, media_type="application/json")
    return None


async def _silence(exchange: Exchange) -> Response:
    """Say nothing until the client hangs up, or until patience ends; then cut the connection."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(exchange.config.silence_s):
            await _hung_up(exchange)
    return await _cut(exchange)


async def _cut(exchange: Exchange) -> Response:
    """Drop the connection without an answer.

    ASGI has no word for this: under uvicorn ``receive`` is a method of the object that holds the
    connection. Under another server the client gets an empty 500 instead.
    """
    cycle = getattr(exchange.request.receive, "__self__", None)
    transport = getattr(cycle, "transport", None)
    if transport is not None:
        transport.abort()
        await _hung_up(exchange)
    return Response(status_code=500)


async def _hung_up(exchange: Exchange) -> None:
    while (await exchange.request.receive())["type"] != "http.disconnect":
        pass
