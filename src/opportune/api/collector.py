"""The collector: takes events in, answers once they are durable, and needs nothing but the log.

Speaks Segment's tracking protocol and takes Braze's Currents. Success is exactly 200; every refusal
is JSON with ``code`` and ``message``; one bad message never fails its batch. Neither a key nor a
body is ever logged. A browser may call it from any page: a write key says who sends, and lets
nobody read.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec
from msgspec import Raw
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from opportune import events
from opportune.api import bodies
from opportune.api.bodies import BodyTooLarge
from opportune.api.operations import (
    RETRIED,
    TEXT_FORMAT,
    TURNED_AWAY,
    UNKNOWN_SOURCE,
    Counts,
    counted,
)
from opportune.api.sources import Source, UnknownSource, WriteKeys, body_key, header_key
from opportune.errors import InvalidInput, OpportuneError, Unavailable
from opportune.events import Limits, MalformedBody, Reject, check_segment
from opportune.storage import Frame, LogUnavailable, SegmentLog

__all__ = ["collector_routes", "create_collector"]

logger = logging.getLogger(__name__)

# Every address that takes messages, and the kind of frame that holds them; the browser library
# sends to the ones of a letter. Routes are tried in this order, so batches come first.
KINDS: Mapping[str, str] = {
    **{f"/v1/{kind}": kind for kind in events.KINDS},
    **{f"/v1/{kind[0]}": kind for kind in events.KINDS},
    "/v1/import": "batch",
}
CLIENT_METRICS = "/v1/m"
BROWSER_SETTINGS = "/v1/projects/{write_key}/settings"
CURRENTS = "/api/connectors/braze/currents"
# A disk that has not synced by then will be asked again by the client's retry.
DURABLE_WITHIN_S = 30.0
# So much may wait for the disk at once: more would fill the memory, and be late anyway.
MOST_WAITING_BYTES = 256 * 1024 * 1024
# By status: how long a client is asked to wait.
RETRY_AFTER_S: Mapping[int, int] = {429: 1, 503: 5}
OK = b'{"success":true}'
ANY_ORIGIN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, X-RateLimit-Reset",
}
PREFLIGHT = {
    **ANY_ORIGIN,
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "authorization, content-type, x-retry-count",
    "Access-Control-Max-Age": "86400",
}


Endpoint = Callable[[Request], Awaitable[Response]]


class TooBusy(Unavailable):
    """More was sent than the disk takes; the client's retry finds it less busy."""

    code = "too_busy"


@dataclass(slots=True)
class _Waiting:
    """How many bytes wait for the disk; of one event loop."""

    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Collector:
    """What the routes share; see `collector_routes`."""

    log: SegmentLog
    keys: WriteKeys
    limits: Limits
    clock: Callable[[], int]
    compatible: bool
    counts: Counts
    waiting: _Waiting = field(default_factory=_Waiting)

    async def segment(self, request: Request) -> Response:
        """Take one message or a batch of Segment's protocol."""
        if request.headers.get("x-retry-count", "0") != "0":
            self.counts[RETRIED] += 1
        try:
            frame = await self._frame(request)
        except UnknownSource:
            self.counts[UNKNOWN_SOURCE] += 1
            if self.compatible:
                return _json(OK)
            raise
        rejects = check_segment(frame, limits=self.limits)
        if frame.kind != "batch" and rejects and rejects[0].code == "message_too_large":
            raise BodyTooLarge(rejects[0].reason)
        await self._keep(frame)
        return _json(_accepted(rejects))

    async def client_metrics(self, request: Request) -> Response:
        """Say yes to what the browser library tells of itself, and keep nothing."""
        await bodies.read(request, limit_bytes=self.limits.batch_bytes)
        return _json(OK)

    async def browser_settings(self, request: Request) -> Response:
        """Tell the browser library to send here; without such an answer it sends nothing."""
        key = request.path_params["write_key"]
        try:
            self.keys.source(key)
        except UnknownSource as refusal:
            return _refused(404, refusal)
        here = {
            "apiKey": key,
            "apiHost": f"{request.url.netloc}/v1",
            "protocol": request.url.scheme,
        }
        answer = {
            "integrations": {"Segment.io": here},
            "plan": {"track": {"__default": {"enabled": True}}},
            "metrics": {"sampleRate": 0},
        }
        return _json(msgspec.json.encode(answer))

    async def currents(self, request: Request) -> Response:
        """Take a batch of Braze's Currents; what its events mean is decided behind the log."""
        body = await self._body(request, limit_bytes=self.limits.batch_bytes)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise UnknownSource("Send a write key as 'Authorization: Bearer KEY'.")
        source = self.keys.source(token.strip())
        try:
            engagement = msgspec.json.decode(body, type=_Currents).events
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
            raise MalformedBody('Send JSON {"events": [...]}; this body is not.') from cause
        if engagement:
            await self._keep(self._framed(body, source, kind="currents"))
        return _json(OK)

    async def _frame(self, request: Request) -> Frame:
        source = await self._source(request)
        if source is None:
            # Whose body it is, only the body says.
            limit_bytes = self.keys.largest_batch_bytes(self.limits.batch_bytes)
            body = await self._body(request, limit_bytes=limit_bytes)
            source = self.keys.source(body_key(body))
            if len(body) > self._limit_bytes(source):
                raise bodies.too_large(self._limit_bytes(source))
        else:
            body = await self._body(request, limit_bytes=self._limit_bytes(source))
        return self._framed(body, source, kind=KINDS[request.scope["path"]])

    async def _source(self, request: Request) -> Source | None:
        """Return who the header's key belongs to, None when it has none."""
        try:
            key = header_key(request.headers.get("authorization"))
            return None if key is None else self.keys.source(key)
        except UnknownSource:
            # A client that is still sending takes an early answer for a broken connection.
            await bodies.read(request, limit_bytes=self.limits.batch_bytes)
            raise

    async def _body(self, request: Request, *, limit_bytes: int) -> bytes:
        body = await bodies.read(request, limit_bytes=limit_bytes)
        encoding = request.headers.get("content-encoding")
        return bodies.plain(body, encoding=encoding, limit_bytes=limit_bytes)

    def _limit_bytes(self, source: Source) -> int:
        return source.max_batch_bytes or self.limits.batch_bytes

    def _framed(self, body: bytes, source: Source, *, kind: str) -> Frame:
        return Frame(received_at_us=self.clock(), source_id=source.source_id, kind=kind, body=body)

    async def _keep(self, frame: Frame) -> None:
        size = len(frame.body)
        if self.waiting.bytes and self.waiting.bytes + size > MOST_WAITING_BYTES:
            self.counts[TURNED_AWAY] += 1
            raise TooBusy(
                f"{self.waiting.bytes} bytes wait for the disk already, {MOST_WAITING_BYTES} may. "
                "Nothing of this request was kept; send it again after Retry-After."
            )
        self.waiting.bytes += size
        try:
            async with asyncio.timeout(DURABLE_WITHIN_S):
                await asyncio.wrap_future(self.log.append(frame))
        except TimeoutError as cause:
            raise LogUnavailable("The log's disk does not answer; try again later.") from cause
        finally:
            self.waiting.bytes -= size


class _Currents(msgspec.Struct):
    events: list[Raw]


def collector_routes(
    log: SegmentLog,
    keys: WriteKeys,
    *,
    limits: Limits,
    clock: Callable[[], int],
    compatible: bool = False,
    counts: Counts | None = None,
) -> list[Route]:
    """Return the routes that take events in; ``clock`` gives microseconds since 1970 UTC.

    ``compatible``: answer 200 to an unknown write key and drop what it sent, as Segment does,
    instead of 401. ``counts`` gets what happened to requests.
    """
    collector = _Collector(
        log=log,
        keys=keys,
        limits=limits,
        clock=clock,
        compatible=compatible,
        counts=Counter() if counts is None else counts,
    )
    called: dict[str, tuple[str, Endpoint]] = {
        **dict.fromkeys(KINDS, ("POST", collector.segment)),
        CLIENT_METRICS: ("POST", collector.client_metrics),
        BROWSER_SETTINGS: ("GET", collector.browser_settings),
    }
    return [
        *(
            Route(path, _answered(endpoint), methods=[method])
            for path, (method, endpoint) in called.items()
        ),
        Route(CURRENTS, _answered(collector.currents), methods=["POST"]),
        Route("/healthz", _healthy, methods=["GET"]),
        *(Route(path, _preflight, methods=["OPTIONS"]) for path in called),
    ]


def create_collector(
    log: SegmentLog,
    keys: WriteKeys,
    *,
    limits: Limits,
    clock: Callable[[], int],
    compatible: bool = False,
) -> Starlette:
    """Return a server of nothing but the collector; arguments as in `collector_routes`."""
    counts: Counts = Counter()

    async def metrics(_: Request) -> Response:
        return PlainTextResponse("".join(counted(counts)), media_type=TEXT_FORMAT)

    routes = collector_routes(
        log, keys, limits=limits, clock=clock, compatible=compatible, counts=counts
    )
    return Starlette(
        routes=[*routes, Route("/metrics", metrics, methods=["GET"])],
        exception_handlers={HTTPException: _no_such_route},
    )


def _answered(endpoint: Endpoint) -> Endpoint:
    """Turn what ``endpoint`` raises into an answer that every client understands."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except UnknownSource as refusal:
            return _refused(401, refusal)
        except InvalidInput as refusal:
            return _refused(400, refusal)
        except TooBusy as refusal:
            return _refused(429, refusal)
        except Unavailable as refusal:
            logger.error("Nothing can be taken in: %s", refusal.message)
            return _refused(503, refusal)
        except ClientDisconnect:
            return Response(status_code=400)
        except HTTPException:
            raise
        except Exception:
            # Answered here, and not by the server around it: a page may read this answer too.
            logger.exception("A defect in %s", request.scope["path"])
            return _error(
                500, code="internal", message="This is our mistake; the request can be retried."
            )

    return answer


def _refused(status: int, refusal: OpportuneError) -> Response:
    return _error(status, code=refusal.code, message=refusal.message)


def _error(status: int, *, code: str, message: str) -> Response:
    body = {"success": False, "code": code, "message": message}
    wait = RETRY_AFTER_S.get(status)
    headers = {} if wait is None else {"Retry-After": str(wait)}
    if status == 429:
        headers["X-RateLimit-Reset"] = str(wait)
    if code == BodyTooLarge.code:
        # The rest of an endless body would be swallowed as long as the connection lives.
        headers["Connection"] = "close"
    return _json(msgspec.json.encode(body), status=status, headers=headers)


def _json(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        body, status, headers={**ANY_ORIGIN, **(headers or {})}, media_type="application/json"
    )


def _accepted(rejects: list[Reject]) -> bytes:
    if not rejects:
        return OK
    rejected = [
        {
            "index": reject.index,
            "messageId": reject.message_id,
            "code": reject.code,
            "message": reject.reason,
        }
        for reject in rejects
    ]
    return msgspec.json.encode({"success": True, "rejected": rejected})


async def _preflight(_: Request) -> Response:
    return Response(status_code=204, headers=PREFLIGHT)


async def _healthy(_: Request) -> Response:
    return Response(b'{"status":"ok"}', media_type="application/json")


async def _no_such_route(_: Request, refusal: Exception) -> Response:
    status = refusal.status_code if isinstance(refusal, HTTPException) else 500
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "error")
    return _error(status, code=code, message="There is no such route; see the HTTP reference.")
