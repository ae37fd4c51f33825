"""The one file of activation that knows the network: makes a call, says what came back.

It never repeats a call by itself (a repeated send is a second message) and never raises for network
trouble: what matters to the caller is only whether the receiver can have had the call.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    EmptyPoolError,
    HTTPError,
    LocationParseError,
    NewConnectionError,
    SSLError,
)

import opportune
from opportune.activation.authentication import Authentication
from opportune.activation.model import Answer, Request
from opportune.errors import InvalidInput

__all__ = ["InvalidAddress", "Transport", "download"]

MAX_ANSWER_BYTES = 16_000_000
"""Far above any answer of a batch; what lies beyond is not read."""

BLOCK_BYTES = 1 << 20

LONGEST_QUEUE_S = 60
"""Longest wait for a free connection of the pool."""

_HIDDEN = "[api key]"
_NEVER_CONNECTED = (NewConnectionError, ConnectTimeoutError, EmptyPoolError, LocationParseError)


class InvalidAddress(InvalidInput):
    """The base URL is no http(s) address."""

    code = "invalid_address"


class Transport:
    """A pool of connections to one host, for one caller. Safe to use from several threads.

    Parameters
    ----------
    base_url:
        ``https://host[:port]``, with or without a trailing slash.
    authentication:
        Shows whose call it is; its secrets are shown nowhere: not in ``repr``, not in any answer.
    pool_size:
        Connections kept; more callers than that wait their turn.
    connect_timeout_s, read_timeout_s:
        Seconds for making the connection, and between any two pieces of the answer.
    """

    __slots__ = ("_authentication", "_base_url", "_headers", "_pool", "_prefix")

    def __init__(
        self,
        base_url: str,
        authentication: Authentication,
        *,
        pool_size: int = 4,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 30.0,
    ) -> None:
        self._base_url = _checked_address(base_url)
        self._authentication = authentication
        self._prefix = urlsplit(self._base_url).path
        self._headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": f"opportune/{opportune.__version__}",
        }
        self._pool = urllib3.connection_from_url(
            self._base_url,
            maxsize=pool_size,
            block=True,
            timeout=urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s),
        )

    def __repr__(self) -> str:
        return f"Transport({self._base_url!r}, api_key={_HIDDEN!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        self._pool.close()

    def call(self, request: Request) -> Answer:
        """Make the call once and return the answer, or what is known where none came.

        ``processed`` is False only when no connection was made, so that not a byte of the body left
        this machine; any later trouble leaves it None. An answer cut short keeps its status.
        """
        try:
            response = self._pool.urlopen(
                request.method,
                self._prefix + request.path,
                body=request.body,
                headers={**self._headers, **self._authentication.headers(request)},
                retries=False,
                redirect=False,
                preload_content=False,
                pool_timeout=LONGEST_QUEUE_S,
            )
        except HTTPError as trouble:
            return self._no_answer(trouble)
        return Answer(
            status=response.status,
            headers={name.lower(): self._hide(text) for name, text in response.headers.items()},
            body=self._hide_bytes(_read(response)),
            processed=True,
        )

    def _no_answer(self, trouble: HTTPError) -> Answer:
        words = self._hide(f"{type(trouble).__name__}: {trouble}")
        processed = False if _never_connected(trouble) else None
        return Answer(status=None, headers={}, body=words.encode(), processed=processed)

    def _hide(self, text: str) -> str:
        for secret in self._authentication.secrets:
            text = text.replace(secret, _HIDDEN)
        return text

    def _hide_bytes(self, body: bytes) -> bytes:
        for secret in self._authentication.secrets:
            body = body.replace(secret.encode(), _HIDDEN.encode())
        return body


def download(url: str, file: Path) -> Answer:
    """Fetch ``url`` into ``file``, which is there only when all of it came; no key goes along.

    ``url`` may be a secret in itself, and no answer repeats it. The answer has a body only where no
    file came. It never raises for network trouble.
    """
    part = file.with_name(f"{file.name}.part")
    timeout = urllib3.Timeout(connect=5.0, read=60.0)
    try:
        with urllib3.PoolManager(timeout=timeout, retries=False) as pool:
            response = pool.request("GET", url, redirect=False, preload_content=False)
            if response.status != 200:
                return Answer(
                    status=response.status, headers={}, body=_read(response), processed=True
                )
            with part.open("wb") as stream:
                for piece in response.stream(BLOCK_BYTES):
                    stream.write(piece)
                stream.flush()
                os.fsync(stream.fileno())
            response.release_conn()
    except HTTPError as trouble:
        return Answer(status=None, headers={}, body=type(trouble).__name__.encode(), processed=None)
    part.replace(file)
    return Answer(status=200, headers={}, body=b"", processed=True)


def _checked_address(base_url: str) -> str:
    address = base_url.rstrip("/")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "?" in address or "#" in address or "@" in address:
        raise InvalidAddress(
            "The base URL must be http(s)://host[:port] with no user, query or fragment, such as"
            " 'https://rest.fra-01.braze.eu'."
        )
    return address


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    pieces = []
    size = 0
    try:
        for piece in response.stream(65_536):
            pieces.append(piece[: MAX_ANSWER_BYTES - size])
            size += len(pieces[-1])
            if size == MAX_ANSWER_BYTES:
                response.close()
                break
    except HTTPError:
        # The status came, and it decides; a body cut short reads as one that cannot be read.
        response.close()
    response.release_conn()
    return b"".join(pieces)


def _never_connected(trouble: HTTPError) -> bool:
    if isinstance(trouble, SSLError):
        # A certificate is refused before the body is sent; other TLS trouble can come after.
        return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in trouble.args)
    return isinstance(trouble, _NEVER_CONNECTED)
