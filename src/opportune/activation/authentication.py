"""How a call shows whose it is: a token, a write key, or a signature. No secret is ever shown."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from opportune.activation.model import Request
from opportune.errors import InvalidInput

__all__ = ["Authentication", "Basic", "Bearer", "InvalidApiKey", "InvalidSecret", "Signed"]

SIGNING_PREFIX = "whsec_"
SHORTEST_SECRET_BYTES = 24


class InvalidApiKey(InvalidInput):
    """The API key cannot stand in a header. The message never shows it."""

    code = "invalid_api_key"


class InvalidSecret(InvalidInput):
    """A destination's secret is missing or cannot be used. The message never shows it."""

    code = "invalid_secret"


class Authentication(Protocol):
    """What a call is given beside its body; ``secrets`` are texts that must be shown nowhere."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return what is taken out of every answer."""
        ...

    def headers(self, request: Request) -> Mapping[str, str]:
        """Return the headers that this call needs."""
        ...


@dataclass(frozen=True, slots=True)
class Bearer:
    """A key as a bearer token, as Braze takes it."""

    key: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _is_plain(self.key):
            raise InvalidApiKey(
                "The API key must be of plain characters with no spaces, quotes or backslashes, and"
                " not empty. Set OPPORTUNE_BRAZE_API_KEY to the key as Braze shows it."
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the key."""
        return (self.key,)

    def headers(self, _request: Request) -> Mapping[str, str]:
        """Return the token."""
        return {"Authorization": f"Bearer {self.key}"}


@dataclass(frozen=True, slots=True)
class Basic:
    """A write key as a user without a password, as Segment takes it."""

    write_key: str = field(repr=False)

    def __post_init__(self) -> None:
        if not _is_plain(self.write_key) or ":" in self.write_key:
            raise InvalidSecret(
                "The write key must be of plain characters with no spaces, colons, quotes or"
                " backslashes, and not empty. Set the variable that the destination names to the"
                " key as the receiver shows it."
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the key, and the key as it stands in the header."""
        return (self.write_key, self._written())

    def headers(self, _request: Request) -> Mapping[str, str]:
        """Return the key as the user."""
        return {"Authorization": f"Basic {self._written()}"}

    def _written(self) -> str:
        return base64.b64encode(f"{self.write_key}:".encode()).decode()


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature after the Standard Webhooks specification, made anew at every try.

    ``secret`` is ``whsec_`` and at least 24 bytes in base64; ``clock`` tells the receiver how old
    the call is, so it is the real time whatever time the program plays.
    """

    secret: str = field(repr=False)
    clock: Callable[[], datetime]

    def __post_init__(self) -> None:
        if len(self._key()) < SHORTEST_SECRET_BYTES:
            raise InvalidSecret(
                f"The signing secret must be {SIGNING_PREFIX!r} followed by {SHORTEST_SECRET_BYTES}"
                " or more random bytes in base64. `openssl rand -base64 32` makes some; set the"
                " variable that the destination names, and give the receiver the same."
            )

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return the secret; it is never sent, but a receiver knows it."""
        return (self.secret, self.secret.removeprefix(SIGNING_PREFIX))

    def headers(self, request: Request) -> Mapping[str, str]:
        """Return the id of the call, its time and the signature over both and the body."""
        timestamp = str(int(self.clock().timestamp()))
        signed = b".".join((request.request_id.encode(), timestamp.encode(), request.body))
        signature = base64.b64encode(hmac.new(self._key(), signed, hashlib.sha256).digest())
        return {
            "webhook-id": request.request_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": f"v1,{signature.decode()}",
        }

    def _key(self) -> bytes:
        written = self.secret.removeprefix(SIGNING_PREFIX)
        if written == self.secret:
            return b""
        try:
            return base64.b64decode(written, validate=True)
        except (binascii.Error, ValueError):
            return b""


def _is_plain(key: str) -> bool:
    # Quotes and backslashes would be escaped where a body repeats the key, and so not be found.
    return bool(key) and all("!" <= sign <= "~" and sign not in "\"'\\" for sign in key)
