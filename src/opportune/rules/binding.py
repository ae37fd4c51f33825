"""Parameters of one statement: whatever a person wrote, and every number that follows from now."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from opportune.errors import InvalidInput
from opportune.rules.times import microseconds

__all__ = ["Binding", "binding", "pointer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Collects the parameters of a statement that is being written."""

    prefix: str
    now_us: int
    parameters: dict[str, object] = field(default_factory=dict)

    def bind(self, value: object) -> str:
        """Name a new parameter that has this value."""
        name = f"{self.prefix}_{len(self.parameters) + 1}"
        self.parameters[name] = value
        return f"${name}"

    def each(self, values: tuple[object, ...]) -> str:
        """Name a new parameter for each of the values."""
        # A space after each comma: "$a,$" would begin a quoted text.
        return ", ".join(self.bind(value) for value in values)


def binding(*, prefix: str, now: datetime) -> Binding:
    """Begin a statement whose parameters' names begin with ``prefix``."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", prefix):
        raise InvalidInput(
            f"The parameter prefix {prefix!r} cannot be used."
            " Allowed: a small letter, then small letters, digits and _, 41 at most."
        )
    return Binding(prefix=prefix, now_us=microseconds(now))


def pointer(name: str) -> str:
    """Write the name as a JSON pointer (RFC 6901); unlike a ``$.path`` it has no wildcards.

    >>> pointer("a/b")
    '/a~1b'
    """
    return "/" + name.replace("~", "~0").replace("/", "~1")
