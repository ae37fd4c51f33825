"""How large segments are, how that went, whom they share; and whom a rule would choose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pyarrow.compute as pc

from opportune import rules
from opportune.segments.judge import ROOM
from opportune.segments.refresh import ask, everyone
from opportune.segments.watch import WatchReader
from opportune.storage import State, Stores, load_sql

__all__ = ["Overlap", "Preview", "Size", "filling", "overlap", "preview", "sizes"]

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many members a segment has now, and at the end of each of the last days, oldest first."""

    members: int
    by_day: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Another segment: how many members it has, and how many of them are shared."""

    segment: str
    members: int
    shared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """Whom a rule would choose now: how many of how many, and the ids of a few."""

    count: int
    everyone: int
    sample: tuple[int, ...]


def sizes(state: State, *, now: datetime, days: int = 14) -> dict[str, Size]:
    """Return the size of every segment that has, or lately had, members."""
    since = now.replace(hour=0, minute=0, second=0, microsecond=0) - (days - 1) * DAY
    members: dict[str, int] = defaultdict(int)
    change: dict[tuple[str, int], int] = defaultdict(int)
    for row in state.rows(load_sql(ROOM, "members_by_day"), {"now": now, "since": since}):
        members[row["segment"]] += row["members"]
        place = min(max((row["at"] - since) // DAY, 0), days - 1)
        change[row["segment"], place] += row["entered"] - row["gone"]
    return {
        segment: Size(members=count, by_day=_back(count, segment, change, days))
        for segment, count in members.items()
    }


def filling(state: State, names: Iterable[str]) -> frozenset[str]:
    """Return those of ``names`` whose first members are still being found."""
    with state.transaction() as connection:
        watch = WatchReader().read(connection)
    return frozenset(names) - frozenset(watch.live)


def overlap(state: State, segment: str, *, most: int = 3) -> list[Overlap]:
    """Return the segments that share most members with one."""
    rows = state.rows(load_sql(ROOM, "overlap"), {"segment": segment, "most": most})
    return [
        Overlap(segment=row["segment"], members=row["members"], shared=row["shared"])
        for row in rows
    ]


def preview(stores: Stores, rule: rules.Rule, *, now: datetime, sample: int = 10) -> Preview:
    """Ask a rule of everybody, as a segment would be filled with it; nothing is kept."""
    known = everyone(stores.state)
    found = ask(stores, rule, known, now=now)["profile_id"]
    few = pc.bottom_k_unstable(found, k=min(sample, len(found))) if len(found) else None
    chosen = () if few is None else found.take(few).to_pylist()
    return Preview(count=len(found), everyone=known.num_rows, sample=tuple(chosen))


def _back(
    members: int, segment: str, change: dict[tuple[str, int], int], days: int
) -> tuple[int, ...]:
    """Go back from now, day by day."""
    sizes_back = [members]
    for place in range(days - 1, 0, -1):
        sizes_back.append(sizes_back[-1] - change[segment, place])
    return tuple(reversed(sizes_back))
