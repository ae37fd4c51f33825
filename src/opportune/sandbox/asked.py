"""What a GET asks for: pages, days, flags and times of the query, each checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar

from opportune.sandbox.model import Refused

__all__ = [
    "days_asked",
    "descending",
    "flag_asked",
    "number_asked",
    "page_of",
    "slice_of",
    "time_asked",
]

PAGE = 100
MAX_NUMBER = 10**9

T = TypeVar("T")
Query = Mapping[str, str]


def number_asked(
    query: Query, name: str, *, least: int, most: int = MAX_NUMBER, default: int | None = None
) -> int:
    """A whole number of the query, within bounds."""
    text = query.get(name)
    if text is None:
        if default is None:
            raise Refused(f"{name} is required")
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 12 and least <= int(text) <= most):
        upper = "" if most == MAX_NUMBER else f" to {most}"
        raise Refused(f"{name} must be a number from {least}{upper}")
    return int(text)


def flag_asked(query: Query, name: str) -> bool:
    """True or false of the query; false when it is not there."""
    text = query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise Refused(f"{name} must be true or false")
    return text == "true"


def time_asked(query: Query, name: str, default: datetime | None = None) -> datetime | None:
    """A time of the query, in UTC."""
    text = query.get(name)
    if text is None:
        return default
    if " " in text and "T" in text:
        text = text.replace(" ", "+")  # an offset that was not encoded
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(f"{name} must be an ISO 8601 time") from error


def page_of(query: Query, rows: Sequence[T]) -> list[T]:
    """100 rows of those given by creation; none beyond the last page."""
    page = number_asked(query, "page", least=0, default=0)
    ordered = list(reversed(rows)) if descending(query) else list(rows)
    return ordered[page * PAGE : (page + 1) * PAGE]


def descending(query: Query) -> bool:
    """Whether ``sort_direction`` asks for the newest first."""
    direction = query.get("sort_direction", "asc")
    if direction not in ("asc", "desc"):
        raise Refused("sort_direction must be asc or desc")
    return direction == "desc"


def slice_of(query: Query, rows: Sequence[T], *, most: int) -> list[T]:
    """Rows by ``limit`` and ``offset``."""
    limit = number_asked(query, "limit", least=1, most=most, default=100)
    offset = number_asked(query, "offset", least=0, default=0)
    return list(rows[offset : offset + limit])


def days_asked(query: Query, now: datetime, *, most: int) -> list[date]:
    """The days that ``length`` and ``ending_at`` mean, the oldest first."""
    ending = time_asked(query, "ending_at", now) or now
    length = number_asked(query, "length", least=1, most=most)
    try:
        return [ending.date() - timedelta(days=back) for back in reversed(range(length))]
    except OverflowError as error:
        raise Refused("ending_at is too early") from error
