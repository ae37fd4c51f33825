"""Who may send: the write keys as the collector reads them, and where a request carries its key."""

from __future__ import annotations

import base64
import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import msgspec

from opportune.errors import Forbidden
from opportune.events import MalformedBody

__all__ = ["Source", "UnknownSource", "WriteKeys", "body_key", "header_key"]

logger = logging.getLogger(__name__)


class UnknownSource(Forbidden):
    """The write key is missing or not one of ours."""

    code = "unknown_source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where events come from: who holds this write key.

    ``max_batch_bytes`` is the largest body it may send, None where the server's own limit holds.
    """

    source_id: str
    name: str
    max_batch_bytes: int | None = None


class _Entry(msgspec.Struct):
    source_id: str
    name: str
    max_batch_bytes: int | None = None


class _Keyed(msgspec.Struct):
    writeKey: object = None  # noqa: N815 - the wire's name


class WriteKeys:
    """The write keys of the file that `keys.create_key` writes: a digest of each, and its source.

    The file is read again when it changes; replace it atomically. While it is missing no key is
    known; while it cannot be read the keys of before stay valid.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._version: tuple[int, int, int] | None = None
        self._sources: dict[str, Source] = {}
        self._largest = 0

    def source(self, key: str) -> Source:
        """Return who holds ``key``. Raises ``UnknownSource``."""
        self._refresh()
        source = self._sources.get(hashlib.sha256(key.encode()).hexdigest())
        if source is None:
            raise UnknownSource("The write key is not known here. Check it, or make a new one.")
        return source

    def largest_batch_bytes(self, default: int) -> int:
        """Return the largest body that any source may send, ``default`` being everybody's."""
        self._refresh()
        return max(default, self._largest)

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._version, self._sources, self._largest = None, {}, 0
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
            digest: Source(
                source_id=entry.source_id,
                name=entry.name,
                max_batch_bytes=entry.max_batch_bytes,
            )
            for digest, entry in entries.items()
        }
        self._largest = max((each.max_batch_bytes or 0 for each in entries.values()), default=0)


def header_key(authorization: str | None) -> str | None:
    """Return the write key of a Basic header, with or without its colon; None: it is elsewhere.

    Raises ``UnknownSource`` when the header cannot be read.

    >>> header_key("Basic c2hvcC1rZXk6")
    'shop-key'
    """
    scheme, _, credentials = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(credentials.strip() + "==").decode()
    except ValueError as cause:
        raise UnknownSource("The Authorization header is not Basic base64(KEY:).") from cause
    return text.partition(":")[0] or None


def body_key(body: bytes) -> str:
    """Return the write key of a body. Raises ``MalformedBody``, ``UnknownSource``."""
    try:
        key = msgspec.json.decode(body, type=_Keyed).writeKey
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        raise MalformedBody("The body is not a JSON object. Send JSON, UTF-8.") from cause
    if not isinstance(key, str) or not key:
        raise UnknownSource("Send a write key: Basic authorization, or writeKey in the body.")
    return key
