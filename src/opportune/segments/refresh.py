"""Recompute who is in a segment, and keep the change as intervals."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from opportune import rules
from opportune.profiles import identifiers
from opportune.segments.model import Segment
from opportune.storage import State, Stores, fetch, load_sql, stage

__all__ = ["MEMBERS", "ask", "everyone", "refresh"]

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
    facts = {"segment": segment.name, "now": now}
    with stores.state.transaction() as connection:
        fetch(connection, load_sql("opportune.segments", "lock_segment"), {"segment": segment.name})
        stage(connection, "member", ("profile_id bigint primary key",), members)
        fetch(connection, load_sql("opportune.segments", "leave"), facts)
        fetch(connection, load_sql("opportune.segments", "enter"), facts)
    count: int = members.num_rows
    return count


def ask(stores: Stores, rule: rules.Rule, profiles: pa.Table, *, now: datetime) -> pa.Table:
    """Return the ids of those the rule holds for; only what the rule needs is read."""
    events = load_sql("opportune.segments", "events")
    asked = rules.to_sql(rule, now=now, sources={"events": events})
    relations = {"profiles": profiles}
    if "events" in asked.relations:
        relations["identifiers"] = identifiers(stores.state)
    if "members" in asked.relations:
        relations["members"] = stores.state.table(
            load_sql("opportune.segments", "memberships"),
            MEMBERS,
            {"segments": sorted(rules.uses(rule).segments)},
        )
    tables = {"events": None} if "events" in asked.relations else {}
    return stores.engine.query(asked.text, asked.parameters, tables=tables, relations=relations)


def everyone(state: State) -> pa.Table:
    """Return all profiles with their traits, anonymous visitors too."""
    return state.table(load_sql("opportune.segments", "everyone"), EVERYONE)
