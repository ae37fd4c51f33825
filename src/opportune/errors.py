"""Every error a caller can meet, in six families by what the caller can do about it.

OpportuneError
  InvalidInput   fix what was given and try again
  NotFound       name something that exists
  Conflict       somebody was faster, or it exists already: read again
  Forbidden      ask for the right, or use another key
  Unsupported    this engine, connector or version cannot do it
  Unavailable    try later: nothing was lost

A family is never raised as such by a room with its own reason: it raises a subclass, and the
subclass has a stable ``code``. ``api`` maps families to HTTP statuses and ``cli`` to exit codes,
each in one table.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import ClassVar

__all__ = [
    "Conflict",
    "Forbidden",
    "InvalidInput",
    "NotFound",
    "OpportuneError",
    "Unavailable",
    "Unsupported",
    "nearest",
]


class OpportuneError(Exception):
    """The root: ``code`` is stable and machine-readable, the message is for people."""

    code: ClassVar[str] = "error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidInput(OpportuneError):
    """What was given cannot be used; the message says what is allowed."""

    code = "invalid_input"


class NotFound(OpportuneError):
    """What was named does not exist."""

    code = "not_found"


class Conflict(OpportuneError):
    """The state is not what the caller thought it was."""

    code = "conflict"


class Forbidden(OpportuneError):
    """The caller may not do this."""

    code = "forbidden"


class Unsupported(OpportuneError):
    """This part cannot do what was asked; another may."""

    code = "unsupported"


class Unavailable(OpportuneError):
    """Something needed is not there just now; the same call may work later."""

    code = "unavailable"


def nearest(given: str, allowed: Iterable[str]) -> str:
    """End an error message with the allowed names, the closest one first.

    >>> nearest("chanel", ["offer", "channel"])
    "Did you mean 'channel'? Allowed: channel, offer."
    >>> nearest("x", ["offer"])
    'Allowed: offer.'
    """
    names = sorted(set(allowed))
    close = difflib.get_close_matches(given, names, n=1)
    hint = f"Did you mean '{close[0]}'? " if close else ""
    return f"{hint}Allowed: {', '.join(names) or 'nothing'}."
