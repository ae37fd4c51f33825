"""Read a request's body, decompressed, and never more of it than is allowed."""

from __future__ import annotations

import zlib

from starlette.requests import Request

from opportune.errors import InvalidInput
from opportune.events import MalformedBody

__all__ = ["BodyTooLarge", "plain", "read", "too_large"]

# How much of a body that is too large is read, so that its sender hears why; then we hang up.
DRAIN_BYTES = 16 * 1024 * 1024


class BodyTooLarge(InvalidInput):
    """The request's body is larger than one request may be."""

    code = "body_too_large"


async def read(request: Request, *, limit_bytes: int) -> bytes:
    """Return the body as it was sent. Raises ``BodyTooLarge`` past ``limit_bytes``."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit_bytes:
            chunks.append(chunk)
        elif size > DRAIN_BYTES:
            break
    if size > limit_bytes:
        raise too_large(limit_bytes)
    return b"".join(chunks)


def plain(body: bytes, *, encoding: str | None, limit_bytes: int) -> bytes:
    """Undo a Content-Encoding. Raises ``BodyTooLarge``, ``MalformedBody``."""
    name = (encoding or "").strip().lower()
    if name in ("", "identity"):
        return body
    if name != "gzip":
        raise MalformedBody(f"Content-Encoding {name!r}; send gzip, or no encoding.")
    stream = zlib.decompressobj(wbits=31)
    try:
        text = stream.decompress(body, limit_bytes + 1)
    except zlib.error as cause:
        raise MalformedBody("The body says it is gzip and is not.") from cause
    if len(text) > limit_bytes:
        raise too_large(limit_bytes)
    if not stream.eof:
        raise MalformedBody("The gzip body ends too early.")
    return text


def too_large(limit_bytes: int) -> BodyTooLarge:
    """Return the refusal of a body of more than ``limit_bytes``."""
    return BodyTooLarge(f"A body may have {limit_bytes} bytes, decompressed. Send smaller batches.")
