"""What there is to see of segments: who is in them, since when, and how that changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from opportune import rules
from opportune.errors import NotFound, nearest
from opportune.segments.model import Segment
from opportune.storage import State, load_sql

__all__ = [
    "Overlap",
    "People",
    "Person",
    "SegmentDay",
    "SegmentState",
    "Sharing",
    "UnknownSegment",
    "hint",
    "known",
    "overlap",
    "people",
    "sharing",
    "states",
    "trend",
]

ROOM = "opportune.segments"
MOST_DAYS = 366
MOST_PEOPLE = 500


class UnknownSegment(NotFound):
    """No segment has this name."""

    code = "unknown_segment"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentState:
    """A segment and how many are in it.

    ``share`` is of all profiles, anonymous visitors too. ``follows`` says whether members are kept
    up to date with every event; if not, its members are still being found.
    """

    name: str
    title: str
    words: str
    members: int
    share: float
    follows: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDay:
    """How many entered and left on a day (UTC), and how many were in at its end."""

    day: date
    entered: int
    left: int
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A member; the hint is of an identifier, enough to tell two people apart and no more."""

    profile_id: int
    hint: str | None
    entered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """A page of members; ``following`` is where the next page goes on, None on the last one."""

    people: tuple[Person, ...]
    following: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """How many are in each of two segments, and in both."""

    one: int
    other: int
    both: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sharing:
    """Another segment: how many members it has, and how many of them are shared."""

    segment: str
    members: int
    shared: int


def states(state: State, segments: Mapping[str, Segment]) -> list[SegmentState]:
    """Return the defined segments with their sizes, by name."""
    rows = state.rows(load_sql(ROOM, "states"), {"segments": sorted(segments)})
    found = {row["segment"]: row for row in rows}
    return [_state(each, found[name]) for name, each in sorted(segments.items())]


def trend(state: State, name: str, *, now: datetime, days: int = 30) -> list[SegmentDay]:
    """Return the last ``days`` days (366 at most), the oldest first."""
    days = max(1, min(days, MOST_DAYS))
    first = now.date() - timedelta(days=days - 1)
    facts = {"segment": name, "first": first, "last": now.date()}
    return [
        SegmentDay(day=row["day"], entered=row["entered"], left=row["gone"], members=row["members"])
        for row in state.rows(load_sql(ROOM, "trend"), facts)
    ]


def people(state: State, name: str, *, after: int | None = None, limit: int = 100) -> People:
    """Return a page of the members, by id; ``after`` is where the page before ended."""
    rows = max(1, min(limit, MOST_PEOPLE))
    facts = {"segment": name, "after": -(2**63) if after is None else after, "limit": rows}
    found = tuple(_person(row) for row in state.rows(load_sql(ROOM, "people"), facts))
    return People(people=found, following=found[-1].profile_id if len(found) == rows else None)


def overlap(state: State, one: str, other: str) -> Overlap:
    """Count who is in both segments."""
    row = state.rows(load_sql(ROOM, "overlap"), {"one": one, "other": other})[0]
    return Overlap(one=row["one"], other=row["other"], both=row["both"])


def sharing(state: State, name: str, *, most: int = 3) -> list[Sharing]:
    """Return the segments that share most members with one, the most first."""
    rows = state.rows(load_sql(ROOM, "sharing"), {"segment": name, "most": most})
    return [Sharing(**row) for row in rows]


def known(name: str, segments: Mapping[str, Segment]) -> Segment:
    """Return the segment of that name. Raises ``UnknownSegment`` with the nearest one."""
    if name not in segments:
        raise UnknownSegment(f"No segment '{name[:100]}'. {nearest(name, segments)}")
    return segments[name]


def hint(identifier: str | None) -> str | None:
    """Return of an identifier what tells two apart on a screen and no more."""
    if not identifier:
        return None
    return f"{identifier[:2]}…{identifier[-1]}" if len(identifier) > 5 else "…"


def _state(segment: Segment, row: Mapping[str, Any]) -> SegmentState:
    return SegmentState(
        name=segment.name,
        title=segment.title,
        words=rules.words(segment.rule),
        members=row["members"],
        share=row["members"] / row["everybody"] if row["everybody"] else 0.0,
        follows=row["follows"],
    )


def _person(row: Mapping[str, Any]) -> Person:
    return Person(
        profile_id=row["profile_id"], hint=hint(row["identifier"]), entered_at=row["entered_at"]
    )
