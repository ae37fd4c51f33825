"""What an action may never break: forbidden combinations, cool-downs, caps, quiet hours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

from opportune import rules

__all__ = ["Cap", "Constraints", "Cooldown", "Forbidden", "QuietHours"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forbidden:
    """Options of two or more dimensions that may not come together.

    ``options``: for each dimension named, the options meant. An action breaks it that has one of
    them in every one of these dimensions. ``when``: only for profiles of whom the rule holds.
    """

    options: Mapping[str, tuple[str, ...]]
    when: rules.Rule | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cooldown:
    """Not the same again within ``days`` days.

    The same option of ``dimension``, or, where it is None, the same whole action. ``options``: only
    these options of the dimension; empty: every one.
    """

    dimension: str | None
    options: tuple[str, ...]
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """At most ``sends`` sends to a profile within any ``days`` days.

    Of the use case alone, or, with ``across``, of all use cases together.
    """

    sends: int
    days: int
    across: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From one time of day to another, in the profile's time zone, nothing is sent.

    The start belongs to it, the end does not. Where the end is earlier, it is on the next day.
    """

    start: time
    end: time

    def holds(self, at: time) -> bool:
        """Say whether it is quiet at this time of day.

        >>> night = QuietHours(start=time(21), end=time(8))
        >>> night.holds(time(21)), night.holds(time(7, 59)), night.holds(time(8))
        (True, True, False)
        """
        if self.start < self.end:
            return self.start <= at < self.end
        return at >= self.start or at < self.end

    def touches(self, hour: int) -> bool:
        """Say whether it is quiet at any moment of this hour of the day."""
        return any(self.holds(time(hour, minute)) for minute in range(60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraints:
    """All constraints of a use case, beside the rules of its options."""

    forbidden: tuple[Forbidden, ...] = ()
    cooldowns: tuple[Cooldown, ...] = ()
    caps: tuple[Cap, ...] = ()
    quiet_hours: QuietHours | None = None
