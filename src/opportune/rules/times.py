"""Moments, spans and windows, all counted in microseconds since 1970 UTC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

__all__ = [
    "DAY_US",
    "SECOND_US",
    "Moment",
    "Span",
    "Unit",
    "Window",
    "datetime_of",
    "instant_us",
    "microseconds",
]

Unit = Literal["minutes", "hours", "days", "weeks"]

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
UNITS_US: dict[Unit, int] = {
    "minutes": 60 * SECOND_US,
    "hours": 3_600 * SECOND_US,
    "days": DAY_US,
    "weeks": 7 * DAY_US,
}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_DAY = datetime(1970, 1, 1)  # noqa: DTZ001  # a wall clock: the offset is subtracted beside it

# A day, or a time of a day with its offset from UTC; to_sql asks for the same in SQL.
ISO = (
    "[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}"
    "(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9]))?"
)
DAY_LENGTH = len("2026-11-30")


def microseconds(moment: datetime) -> int:
    """Count the microseconds from 1970 UTC to an aware ``moment``.

    >>> microseconds(datetime(1970, 1, 2, tzinfo=UTC))
    86400000000
    """
    return (moment - EPOCH) // timedelta(microseconds=1)


def datetime_of(at_us: int) -> datetime | None:
    """Return the aware UTC time, or None where the calendar of this program ends.

    >>> datetime_of(86_400_000_000)
    datetime.datetime(1970, 1, 2, 0, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        return EPOCH + timedelta(microseconds=at_us)
    except OverflowError:
        return None


def instant_us(text: str) -> int | None:
    """Read an ISO date (its first moment in UTC) or an ISO time with its offset from UTC.

    Everything else is no date: None. Digits beyond microseconds are cut off.

    >>> instant_us("1970-01-02"), instant_us("1970-01-01T02:00:00+01:00")
    (86400000000, 3600000000)
    >>> instant_us("2 January 1970"), instant_us("1970-01-01T02:00:00"), instant_us("1970-02-30")
    (None, None, None)
    """
    if not re.fullmatch(ISO, text):
        return None
    try:
        wall_clock = datetime.fromisoformat(text[:19])
    except ValueError:
        return None
    since_us = (wall_clock - FIRST_DAY) // timedelta(microseconds=1)
    if len(text) == DAY_LENGTH:
        return since_us
    digits, offset = (text[19:-1], "+00:00") if text.endswith("Z") else (text[19:-6], text[-6:])
    offset_us = (int(offset[1:3]) * 60 + int(offset[4:6])) * UNITS_US["minutes"]
    return (
        since_us + int(digits[1:7].ljust(6, "0")) - (-offset_us if offset[0] == "-" else offset_us)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A day in UTC or an instant, ``text`` being how it was written; ``end_us`` is not part of it.

    >>> Moment(text="1970-01-01").start_us, Moment(text="1970-01-01").end_us
    (0, 86400000000)
    """

    text: str

    @property
    def start_us(self) -> int:
        """Its first microsecond."""
        found = instant_us(self.text)
        assert found is not None, "parse lets no other text through"
        return found

    @property
    def end_us(self) -> int:
        """The microsecond after its last."""
        return self.start_us + (DAY_US if len(self.text) == DAY_LENGTH else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of time; a day has 24 hours."""

    count: int
    unit: Unit

    @property
    def us(self) -> int:
        """Its microseconds."""
        return self.count * UNITS_US[self.unit]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When an event must have happened to count, both ends included; None sets no limit.

    At most ``within`` before now and at least ``ago`` before now; not before ``since`` begins and
    not after ``until`` ends.
    """

    within: Span | None = None
    ago: Span | None = None
    since: Moment | None = None
    until: Moment | None = None

    def bounds(self, now_us: int) -> tuple[int | None, int]:
        """Return the first and the last microsecond that count; nothing after now does.

        >>> Window(within=Span(count=2, unit="days"), ago=Span(count=1, unit="days")).bounds(0)
        (-172800000000, -86400000000)
        """
        lows = []
        highs = [now_us]
        if self.within is not None:
            lows.append(now_us - self.within.us)
        if self.ago is not None:
            highs.append(now_us - self.ago.us)
        if self.since is not None:
            lows.append(self.since.start_us)
        if self.until is not None:
            highs.append(self.until.end_us - 1)
        return max(lows, default=None), min(highs)
