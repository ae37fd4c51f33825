"""Receive requests to be forgotten, and say what became of them."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime

from opportune.privacy.model import ROOM, Mode, NotForgettable, Request, UnknownRequest
from opportune.privacy.values import canonical
from opportune.profiles.rules import BLOCKED, BLOCKED_PATTERNS
from opportune.storage import State, load_sql

__all__ = ["Asked", "ask", "request", "requests"]

LONGEST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asks to forget somebody, how and when; ``request_id`` is any text that is new."""

    request_id: str
    mode: Mode
    by: str
    now: datetime


def ask(state: State, kind: str, value: str, asked: Asked) -> Request:
    """Receive the request to forget whoever (``kind``, ``value``) is; a worker carries it out.

    Asked again while it is open, it is the request that there is. An identifier that nobody has is
    one as well: it may stand where no profile knows it. Raises ``NotForgettable``.
    """
    named = canonical(kind, value)
    if not named or len(value) > LONGEST or _is_blocked(named) or _unstorable(kind + value):
        raise NotForgettable(
            f"This {kind[:63]!r} names nobody: it is empty, longer than {LONGEST} characters, not "
            "a text that can be stored, or a value that many share by mistake. Give the identifier "
            "of one person."
        )
    facts = {"kind": kind, "value": named, **asdict(asked)}
    found = state.rows(load_sql(ROOM, "receive"), facts)
    return request(state, found[0]["request_id"])


def request(state: State, request_id: str) -> Request:
    """Return one request with its proof, or raise ``UnknownRequest``."""
    found = [] if _unstorable(request_id) else _read(state, request_id, 1)
    if not found:
        raise UnknownRequest(
            f"No request has the id {request_id[:64]!r}. `opportune privacy list` prints the ids."
        )
    return found[0]


def requests(state: State, *, limit: int = 100) -> list[Request]:
    """Return the newest requests, open and done."""
    return _read(state, None, limit)


def _read(state: State, request_id: str | None, limit: int) -> list[Request]:
    facts = {"request_id": request_id, "limit": limit}
    return [Request(**row) for row in state.rows(load_sql(ROOM, "requests"), facts)]


def _is_blocked(value: str) -> bool:
    return value.lower() in BLOCKED or any(re.search(each, value) for each in BLOCKED_PATTERNS)


def _unstorable(text: str) -> bool:
    return "\0" in text or any("\ud800" <= each <= "\udfff" for each in text)
