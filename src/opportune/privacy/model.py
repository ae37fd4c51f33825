"""The nouns of privacy: requests, what was done for them, and the proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from opportune.errors import InvalidInput, NotFound, Unavailable

__all__ = [
    "ROOM",
    "InvalidExpiry",
    "Mode",
    "NotForgettable",
    "Request",
    "StillThere",
    "Told",
    "UnknownPerson",
    "UnknownRequest",
]

ROOM = "opportune.privacy"

Mode = Literal["erase", "anonymise"]
"""``erase``: what a person did goes away. ``anonymise``: it stays, and is nobody's any more."""
Told = Callable[[str, int, int], object]
"""Hears what is being done, how much of it is done, and of how much."""


class UnknownRequest(NotFound):
    """No request to be forgotten has this id."""

    code = "unknown_privacy_request"


class UnknownPerson(NotFound):
    """Nothing is stored under this identifier."""

    code = "unknown_person"


class NotForgettable(InvalidInput):
    """The identifier that was named cannot be one, or too many people share it."""

    code = "not_forgettable"


class InvalidExpiry(InvalidInput):
    """The setting that says when anonymous profiles expire cannot be read."""

    code = "invalid_expiry"


class StillThere(Unavailable):
    """After everything was erased, the scan still found somebody; the request stays open."""

    code = "still_there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Somebody asked for a person to be forgotten.

    ``state`` is received, running or done; ``step`` what is being done, ``error`` why the last try
    did not come to its end. ``done`` counts what was erased or made anonymous, by table; ``proof``
    is what the scan looked at, and what it found. No identifier: who it was, the asker knows.
    """

    request_id: str
    mode: Mode
    state: str
    asked_by: str
    received_at: datetime
    started_at: datetime | None
    done_at: datetime | None
    step: str | None
    error: str | None
    done: Mapping[str, int]
    proof: Mapping[str, object] | None
