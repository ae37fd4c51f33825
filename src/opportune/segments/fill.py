"""Begin to follow segments that are defined, find their first members in bulk, and end others."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime

import pyarrow as pa

from opportune.rules.times import microseconds
from opportune.segments.judge import ROOM, defer_all
from opportune.segments.keep import backfill, prune
from opportune.segments.live import DUE_AT_ONCE, follow
from opportune.segments.refresh import ask, everyone, set_members
from opportune.segments.watch import Watch, Watched, WatchReader
from opportune.storage import (
    Connection,
    State,
    Stores,
    fetch,
    load_sql,
    open_engine,
)

__all__ = ["catch_up", "fill", "sweep", "sync"]


def sync(state: State, *, now: datetime) -> list[str]:
    """Follow the segments that are defined now, in their newest versions; return what changed.

    One that is new, or whose rule changed, is to be filled (`fill`); until then it keeps the
    members it has. The members of one that is defined no more leave.
    """
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_live"))
        begun = fetch(connection, load_sql(ROOM, "begin_live"), {"now": now})
        ended = fetch(connection, load_sql(ROOM, "end_live"))
        names = [row["segment"] for row in ended]
        if names:
            facts = {"segments": names, "now": now}
            fetch(connection, load_sql(ROOM, "leave_ended"), facts)
            fetch(connection, load_sql(ROOM, "drop_wakes"), facts)
    return sorted([*names, *(row["segment"] for row in begun)])


def fill(stores: Stores, *, now: datetime) -> list[str]:
    """Find the members of all segments that are to be filled, from the lake; return their names.

    Events go on being taken in meanwhile: whom they concern is asked again at the end. Killed and
    called again, it comes to the same. Nobody is told of who is in from the start: that a rule was
    written is nothing that somebody did.
    """
    filled: list[str] = []
    with closing(open_engine("duckdb:", stores.lake)) as engine:
        while True:
            with stores.state.transaction() as connection:
                watch = WatchReader().read(connection)
            waiting = [
                name for name, each in watch.segments.items() if each.filling and name not in filled
            ]
            if not waiting:
                return filled
            segment = watch.segments[waiting[0]]
            backfill(stores, engine, watch, segment.name, now_us=microseconds(now))
            members = ask(stores, segment.rule, everyone(stores.state), now=now)
            with stores.state.transaction() as connection:
                _finish(connection, watch, segment, members, now)
            filled.append(segment.name)


def catch_up(stores: Stores, *, now: datetime) -> None:
    """Fill what is to be filled, and ask for all answers that are due by ``now``."""
    fill(stores, now=now)
    reader = WatchReader()
    with closing(open_engine("duckdb:", stores.lake)) as engine:
        due = DUE_AT_ONCE
        while due == DUE_AT_ONCE:
            with stores.state.transaction() as connection:
                due = follow(connection, engine, reader, None, now=now)


def sweep(state: State, *, now: datetime) -> None:
    """Drop what no rule will look back at again."""
    with state.transaction() as connection:
        watch = WatchReader().read(connection)
        prune(connection, watch, now_us=microseconds(now))


def _finish(
    connection: Connection, watch: Watch, segment: Watched, members: pa.Table, now: datetime
) -> None:
    """Set the members that were found, unless the segment was defined anew meanwhile."""
    fetch(connection, load_sql(ROOM, "lock_live"))
    facts = {"segment": segment.name, "version": segment.version, "now": now}
    if not fetch(connection, load_sql(ROOM, "end_filling"), facts):
        return
    moved = set_members(connection, segment.name, members, now=now)
    defer_all(connection, dict.fromkeys(watch.above([segment.name]), moved), now=now)
    reach = segment.reach
    is_timed = any(after_us for _, after_us in reach.after_events) or bool(reach.after_properties)
    asked = {
        "segment": segment.name,
        "names": sorted(segment.uses.events),
        "every": segment.uses.every_event,
        "timed": is_timed,
        "traits": sorted({name for name, _ in reach.after_traits}),
        "now_us": microseconds(now),
    }
    fetch(connection, load_sql(ROOM, "wake_filled"), asked)
