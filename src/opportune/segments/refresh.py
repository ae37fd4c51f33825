"""Recompute who is in a segment, and keep the change as intervals."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune import rules
from opportune.profiles import identifiers
from opportune.segments.model import Segment
from opportune.storage import Connection, State, Stores, fetch, load_sql, read_table, stage

__all__ = ["MEMBERS", "ask", "everyone", "refresh", "set_members"]

ROOM = "opportune.segments"
MOVED = pa.schema([("profile_id", pa.int64())])

MEMBERS = pa.schema(
    [
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("segment", pa.string(), nullable=False),
    ]
)
EVERYONE = pa.schema(
    [
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("traits", pa.string(), nullable=False),
    ]
)


def refresh(stores: Stores, segment: Segment, profiles: pa.Table, *, now: datetime) -> int:
    """Set the members of ``segment`` to those of ``profiles`` its rule holds for, as of ``now``.

    ``profiles`` has the columns ``profile_id`` and ``traits`` at least. Returns the number of
    members. Who was in already stays in since the same time; who is not any more leaves at ``now``.
    Not for a segment that follows every event: that one is up to date.
    """
    members = ask(stores, segment.rule, profiles, now=now)
    with stores.state.transaction() as connection:
        set_members(connection, segment.name, members, now=now)
    count: int = members.num_rows
    return count


def set_members(
    connection: Connection, segment: str, members: pa.Table, *, now: datetime
) -> NDArray[np.int64]:
    """Let ``members`` (``profile_id``) enter who are not in and all others leave; say who moved."""
    facts = {"segment": segment, "now": now}
    fetch(connection, load_sql(ROOM, "lock_segment"), facts)
    stage(connection, "member", ("profile_id bigint primary key",), members)
    left = read_table(connection, load_sql(ROOM, "leave"), MOVED, facts)
    come = read_table(connection, load_sql(ROOM, "enter"), MOVED, facts)
    fetch(connection, load_sql(ROOM, "drop_member"))
    moved: NDArray[np.int64] = pa.concat_tables([left, come])["profile_id"].to_numpy()
    return moved


def ask(stores: Stores, rule: rules.Rule, profiles: pa.Table, *, now: datetime) -> pa.Table:
    """Return the ids of those the rule holds for; only what the rule needs is read."""
    events = load_sql(ROOM, "events")
    asked = rules.to_sql(rule, now=now, sources={"events": events})
    relations = {"profiles": profiles}
    if "events" in asked.relations:
        relations["identifiers"] = identifiers(stores.state)
    if "members" in asked.relations:
        relations["members"] = stores.state.table(
            load_sql(ROOM, "memberships"),
            MEMBERS,
            {"segments": sorted(rules.uses(rule).segments)},
        )
    tables = {"events": None} if "events" in asked.relations else {}
    return stores.engine.query(asked.text, asked.parameters, tables=tables, relations=relations)


def everyone(state: State) -> pa.Table:
    """Return all profiles with their traits, anonymous visitors too."""
    return state.table(load_sql(ROOM, "everyone"), EVERYONE)
