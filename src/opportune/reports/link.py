"""Links to the page of one person, for a tool that shows it in a frame: signed, and soon over."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from datetime import datetime

from opportune.errors import Forbidden

__all__ = [
    "InvalidLink",
    "WrongEmbedKey",
    "check_embed_key",
    "read_link",
    "sign_link",
]

# The id of the profile, and when the link ends, in seconds since 1970.
CONTENT = struct.Struct(">qq")
WHAT = b"opportune person page 1"


class InvalidLink(Forbidden):
    """The link to a person's page is over, or was not made here."""

    code = "invalid_link"


class WrongEmbedKey(Forbidden):
    """Who asks for a link to a person's page may not, or nobody may."""

    code = "wrong_embed_key"


def check_embed_key(given: str | None, key: str) -> None:
    """Let only the holder of ``key`` make links. Raises ``WrongEmbedKey``."""
    scheme, _, token = (given or "").partition(" ")
    is_bearer = scheme.lower() == "bearer"
    if not key or not is_bearer or not hmac.compare_digest(token.strip().encode(), key.encode()):
        raise WrongEmbedKey(
            "Send 'Authorization: Bearer KEY' with the key that OPPORTUNE_EMBED_KEY is set to. "
            "Where it is not set, nobody can make links."
        )


def sign_link(profile_id: int, *, key: str, until: datetime) -> str:
    """Return the text that stands for a profile until then; it says nothing that is personal.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    >>> read_link(sign_link(7, key="k" * 16, until=noon), key="k" * 16, now=noon)
    7
    """
    content = CONTENT.pack(profile_id, int(until.timestamp()))
    return base64.urlsafe_b64encode(content + _seal(content, key)).decode().rstrip("=")


def read_link(text: str, *, key: str, now: datetime) -> int:
    """Return the profile that a link stands for. Raises ``InvalidLink``."""
    try:
        found = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        found = b""
    content, seal = found[: CONTENT.size], found[CONTENT.size :]
    if not key or not hmac.compare_digest(seal, _seal(content, key)):
        raise InvalidLink("This link was not made here. Open the person again in your tool.")
    profile_id, until_s = CONTENT.unpack(content)
    if now.timestamp() > until_s:
        raise InvalidLink("This link is over. Open the person again in your tool.")
    known: int = profile_id
    return known


def _seal(content: bytes, key: str) -> bytes:
    return hmac.digest(key.encode(), WHAT + content, hashlib.sha256)
