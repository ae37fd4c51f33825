"""The collector: takes events in, answers once they are durable, and needs nothing but the log.

Speaks Segment's tracking protocol and takes Braze's Currents. Success is exactly 200; every refusal
is JSON with ``code`` and ``message``; one bad message never fails its batch. Neither a key nor a
body is ever logged.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Raw
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from opportune.errors import Forbidden, InvalidInput, OpportuneError, Unavailable
from opportune.events import Limits, MalformedBody, Reject, decode_segment
from opportune.storage import Frame, LogUnavailable, SegmentLog

__all__ = [
    "BodyTooLarge",
    "Source",
    "UnknownSource",
    "WriteKeys",
    "collector_routes",
    "create_collector",
]

logger = logging.getLogger(__name__)

KINDS = {"/v1/batch": "batch", "/v1/track": "track", "/v1/identify": "identify"}
CURRENTS = "/api/connectors/braze/currents"
# How much of a body that is too large is read, so that its sender hears why; then we hang up.
DRAIN_BYTES = 16 * 1024 * 1024
# A disk that has not synced by then will be asked again by the client's retry.
DURABLE_WITHIN_S = 30.0
RETRY_AFTER_S = 5
OK = b'{"success":true}'


class UnknownSource(Forbidden):
    """The write key is missing or not one of ours."""

    code = "unknown_source"


class BodyTooLarge(InvalidInput):
    """The request's body is larger than one request may be."""

    code = "body_too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where events come from: who holds this write key."""

    source_id: str
    name: str


class _Entry(msgspec.Struct):
    source_id: str
    name: str


class _Keyed(msgspec.Struct):
    writeKey: object = None  # noqa: N815 - the wire's name


class _Currents(msgspec.Struct):
    events: list[Raw]


class WriteKeys:
    """The write keys of a JSON file ``{sha256 hex of the key: {"source_id": ..., "name": ...}}``.

    The file is read again when it changes; replace it atomically. While it is missing no key is
    known; while it cannot be read the keys of before stay valid.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._sources: dict[str, Source] = {}

    def source(self, key: str) -> Source:
        """Return who holds ``key``. Raises ``UnknownSource``."""
        self._refresh()
        source = self._sources.get(hashlib.sha256(key.encode()).hexdigest())
        if source is None:
            raise UnknownSource("The write key is not known here. Check it, or make a new one.")
        return source

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._version, self._sources = None, {}
            return
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        if version == self._version:
            return
        self._version = version
        try:
            entries = msgspec.json.decode(self._path.read_bytes(), type=dict[str, _Entry])
        except (OSError, msgspec.DecodeError) as cause:
            logger.error("The write keys in %s cannot be read: %s", self._path.name, cause)
            return
        self._sources = {
            digest: Source(source_id=entry.source_id, name=entry.name)
            for digest, entry in entries.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Collector:
    """What the routes share; ``clock`` gives microseconds since 1970 UTC."""

    log: SegmentLog
    keys: WriteKeys
    limits: Limits
    clock: Callable[[], int]

    async def segment(self, request: Request) -> Response:
        """Take one message or a batch of Segment's protocol."""
        body = await _body(request, limit_bytes=self.limits.batch_bytes)
        source = self.keys.source(_write_key(request, body))
        frame = Frame(
            received_at_us=self.clock(),
            source_id=source.source_id,
            kind=KINDS[request.scope["path"]],
            body=body,
        )
        rejects = decode_segment(frame, limits=self.limits).rejects
        if frame.kind != "batch" and rejects and rejects[0].code == "message_too_large":
            raise BodyTooLarge(rejects[0].reason)
        await self._keep(frame)
        return Response(_accepted(rejects), media_type="application/json")

    async def currents(self, request: Request) -> Response:
        """Take a batch of Braze's Currents; what its events mean is decided behind the log."""
        body = await _body(request, limit_bytes=self.limits.batch_bytes)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise UnknownSource("Send a write key as 'Authorization: Bearer KEY'.")
        source = self.keys.source(token.strip())
        try:
            events = msgspec.json.decode(body, type=_Currents).events
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
            raise MalformedBody('Send JSON {"events": [...]}; this body is not.') from cause
        if events:
            await self._keep(
                Frame(
                    received_at_us=self.clock(),
                    source_id=source.source_id,
                    kind="currents",
                    body=body,
                )
            )
        return Response(OK, media_type="application/json")

    async def _keep(self, frame: Frame) -> None:
        try:
            async with asyncio.timeout(DURABLE_WITHIN_S):
                await asyncio.wrap_future(self.log.append(frame))
        except TimeoutError as cause:
            raise LogUnavailable("The log's disk does not answer; try again later.") from cause


def collector_routes(
    log: SegmentLog, keys: WriteKeys, *, limits: Limits, clock: Callable[[], int]
) -> list[Route]:
    """Return the routes that take events in; ``clock`` gives microseconds since 1970 UTC."""
    collector = _Collector(log=log, keys=keys, limits=limits, clock=clock)
    routes = [Route(path, _answered(collector.segment), methods=["POST"]) for path in KINDS]
    routes.append(Route(CURRENTS, _answered(collector.currents), methods=["POST"]))
    routes.append(Route("/healthz", _healthy, methods=["GET"]))
    return routes


def create_collector(
    log: SegmentLog, keys: WriteKeys, *, limits: Limits, clock: Callable[[], int]
) -> Starlette:
    """Return a server of nothing but the collector; ``clock`` as in `collector_routes`."""
    return Starlette(
        routes=collector_routes(log, keys, limits=limits, clock=clock),
        exception_handlers={HTTPException: _no_such_route, Exception: _broken},
    )


def _answered(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Turn what ``endpoint`` raises into an answer that every client understands."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except UnknownSource as refusal:
            return _refused(401, refusal)
        except InvalidInput as refusal:
            return _refused(400, refusal)
        except Unavailable as refusal:
            logger.error("Nothing can be taken in: %s", refusal.message)
            return _refused(503, refusal)
        except ClientDisconnect:
            return Response(status_code=400)

    return answer


def _refused(status: int, refusal: OpportuneError) -> Response:
    return _error(status, code=refusal.code, message=refusal.message)


def _error(status: int, *, code: str, message: str) -> Response:
    body = {"success": False, "code": code, "message": message}
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == 503 else {}
    if code == BodyTooLarge.code:
        # The rest of an endless body would be swallowed as long as the connection lives.
        headers["Connection"] = "close"
    content = msgspec.json.encode(body)
    return Response(content, status, headers=headers, media_type="application/json")


async def _body(request: Request, *, limit_bytes: int) -> bytes:
    """Read the request's body, decompressed, at most ``limit_bytes`` of it."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit_bytes:
            chunks.append(chunk)
        elif size > DRAIN_BYTES:
            break
    if size > limit_bytes:
        raise _too_large(limit_bytes)
    body = b"".join(chunks)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding != "gzip":
        raise MalformedBody(f"Content-Encoding {encoding!r}; send gzip, or no encoding.")
    return _decompressed(body, limit_bytes=limit_bytes)


def _decompressed(body: bytes, *, limit_bytes: int) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(body, limit_bytes + 1)
    except zlib.error as cause:
        raise MalformedBody("The body says it is gzip and is not.") from cause
    if len(plain) > limit_bytes:
        raise _too_large(limit_bytes)
    if not stream.eof:
        raise MalformedBody("The gzip body ends too early.")
    return plain


def _too_large(limit_bytes: int) -> BodyTooLarge:
    return BodyTooLarge(f"A body may have {limit_bytes} bytes, decompressed. Send smaller batches.")


def _write_key(request: Request, body: bytes) -> str:
    """Return the write key of the Basic header, else of the body."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            text = base64.b64decode(credentials.strip() + "==").decode()
        except (binascii.Error, UnicodeDecodeError) as cause:
            raise UnknownSource("The Authorization header is not Basic base64(KEY:).") from cause
        if user := text.partition(":")[0]:
            return user
    try:
        key = msgspec.json.decode(body, type=_Keyed).writeKey
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise MalformedBody("The body is not a JSON object. Send JSON, UTF-8.") from cause
    if not isinstance(key, str) or not key:
        raise UnknownSource("Send a write key: Basic authorization, or writeKey in the body.")
    return key


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


async def _healthy(_: Request) -> Response:
    return Response(b'{"status":"ok"}', media_type="application/json")


async def _no_such_route(_: Request, refusal: Exception) -> Response:
    status = refusal.status_code if isinstance(refusal, HTTPException) else 500
    code = {404: "not_found", 405: "method_not_allowed"}.get(status, "error")
    return _error(status, code=code, message="There is no such route; see the HTTP reference.")


async def _broken(_: Request, __: Exception) -> Response:
    return _error(500, code="internal", message="This is our mistake; the request can be retried.")
