"""Ask the rules of followed segments of some profiles, and keep what came out differently."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import rules
from opportune.rules.times import microseconds
from opportune.segments.refresh import MEMBERS
from opportune.segments.watch import Watch, Watched
from opportune.storage import Connection, Engine, fetch, load_sql, read_table, stage

__all__ = ["PAIRS", "ROOM", "Ids", "Pending", "defer_all", "judge"]

ROOM = "opportune.segments"
Ids = NDArray[np.int64]
Pending = dict[str, Ids]
"""Whom to ask of each segment, by its name; an id may stand there twice."""

ID = pa.int64()
TRAITS = pa.schema([("profile_id", ID), ("traits", pa.string())])
EVENTS = pa.schema(
    [
        ("profile_id", ID),
        ("event", pa.string()),
        ("occurred_at_us", ID),
        ("message_id", pa.string()),
        ("properties", pa.string()),
    ]
)
PAIRS = pa.schema([("segment", pa.string()), ("profile_id", ID)])
SHIFTS = pa.schema([("segment", pa.string()), ("event", pa.string()), ("after_us", ID)])
FIELDS = pa.schema([("segment", pa.string()), ("field", pa.int32()), ("after_us", ID)])
DATES = pa.schema([("field", pa.int32()), ("profile_id", ID), ("at_us", ID)])
CHANGED = pa.schema([*PAIRS, ("entered", pa.bool_())])
VERDICT = ("segment text", "profile_id bigint", "holds boolean", "wake_at_us bigint")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What is known of the profiles that are asked about."""

    profiles: pa.Table
    events: pa.Table
    members: pa.Table


def judge(
    connection: Connection,
    engine: Engine,
    watch: Watch,
    pending: Pending,
    *,
    now: datetime,
    lively: Ids | None = None,
) -> int:
    """Set the memberships of ``pending`` to what the rules say ``now``; return how many changed.

    Runs in the caller's transaction, which holds the lock on live segments; ``engine`` is the one
    of this process. A profile that is no more leaves. Segments that are made of others are asked
    after them, of whoever moved in those. Notes when each answer is to be asked for again. Where
    history was imported, ``lively`` are those whose answer may be another one for other reasons.
    """
    count = 0
    moment: dict[str, object] = {
        "now": now,
        "now_us": microseconds(now),
        "history": lively is not None,
    }
    moment["lively"] = [] if lively is None else lively.tolist()
    waiting = {name: np.unique(ids) for name, ids in pending.items() if len(ids)}
    levels = sorted({each.level for each in watch.segments.values()})
    for level in levels:
        asked = {
            name: ids
            for name, ids in waiting.items()
            if watch.segments[name].level == level and not watch.segments[name].filling
        }
        if not asked:
            continue
        segments = [watch.segments[name] for name in asked]
        facts = _facts(connection, segments, np.unique(np.concatenate(list(asked.values()))))
        verdict = _verdict(engine, segments, asked, facts, now)
        stage(connection, "verdict", VERDICT, verdict)
        changed = read_table(connection, load_sql(ROOM, "settle"), CHANGED, moment)
        fetch(connection, load_sql(ROOM, "drop_verdict"))
        count += changed.num_rows
        for name, ids in _dependent(watch, changed):
            waiting[name] = np.union1d(waiting.get(name, ids), ids)
    defer(connection, watch, waiting, now=now)
    return count


def defer(connection: Connection, watch: Watch, pending: Pending, *, now: datetime) -> None:
    """Note whom to ask of segments that are being filled, once they are."""
    later = {name: ids for name, ids in pending.items() if watch.segments[name].filling}
    defer_all(connection, later, now=now)


def defer_all(connection: Connection, pending: Pending, *, now: datetime) -> None:
    """Note whom to ask next."""
    pairs = _pairs(pending)
    if pairs.num_rows:
        stage(connection, "later", ("segment text", "profile_id bigint"), pairs)
        fetch(connection, load_sql(ROOM, "defer"), {"now_us": microseconds(now)})
        fetch(connection, load_sql(ROOM, "drop_later"))


def _dependent(watch: Watch, changed: pa.Table) -> Iterator[tuple[str, Ids]]:
    for part in pc.unique(changed["segment"]).to_pylist():
        for name in watch.above([part]):
            moved = changed.filter(pc.equal(changed["segment"], part))["profile_id"]
            yield name, moved.to_numpy()


def _facts(connection: Connection, segments: list[Watched], ids: Ids) -> _Facts:
    facts = {"profiles": ids.tolist()}
    names = sorted({name for each in segments for name in each.uses.events})
    every = any(each.uses.every_event for each in segments)
    parts = sorted({part for each in segments for part in each.uses.segments})
    profiles = read_table(connection, load_sql(ROOM, "traits_of"), TRAITS, facts)
    events, members = EVENTS.empty_table(), MEMBERS.empty_table()
    if names or every:
        asked = {**facts, "names": names, "every": every}
        events = read_table(connection, load_sql(ROOM, "events_of"), EVENTS, asked)
    if parts:
        asked = {**facts, "segments": parts}
        members = read_table(connection, load_sql(ROOM, "memberships_of"), MEMBERS, asked)
    return _Facts(profiles=profiles, events=events, members=members)


def _verdict(
    engine: Engine, segments: list[Watched], asked: Pending, facts: _Facts, now: datetime
) -> pa.Table:
    """Return of each pair whether the rule holds, and when to ask again."""
    holding = {each.name: _holders(engine, each, asked[each.name], facts, now) for each in segments}
    shifts = [
        {"segment": each.name, "event": event, "after_us": after_us}
        for each in segments
        for event, after_us in sorted(each.reach.after_events, key=str)
    ]
    fields, dates = _dates(engine, segments, facts)
    return engine.query(
        load_sql(ROOM, "verdict"),
        {"now_us": microseconds(now)},
        relations={
            "asked": _pairs(asked),
            "holding": _pairs(holding),
            "events": facts.events,
            "shifts": pa.Table.from_pylist(shifts, schema=SHIFTS),
            "fields": fields,
            "dates": dates,
        },
    )


def _holders(engine: Engine, segment: Watched, ids: Ids, facts: _Facts, now: datetime) -> Ids:
    profiles = facts.profiles
    if len(ids) < profiles.num_rows:
        profiles = profiles.filter(pc.is_in(profiles["profile_id"], value_set=pa.array(ids)))
    asked = rules.to_sql(segment.rule, now=now)
    known = {"profiles": profiles, "events": facts.events, "members": facts.members}
    relations = {name: known[name] for name in asked.relations}
    found: Ids = engine.query(asked.text, asked.parameters, relations=relations)[
        "profile_id"
    ].to_numpy()
    return found


def _dates(engine: Engine, segments: list[Watched], facts: _Facts) -> tuple[pa.Table, pa.Table]:
    """Return how long after which date each segment's answer may change, and the dates."""
    traits = sorted({name for each in segments for name, _ in each.reach.after_traits})
    properties = sorted(
        {(event, name) for each in segments for event, name, _ in each.reach.after_properties}
    )
    numbers: dict[object, int] = {key: number for number, key in enumerate([*traits, *properties])}
    fields = [
        {"segment": each.name, "field": numbers[key], "after_us": after_us}
        for each in segments
        for key, after_us in [
            *each.reach.after_traits,
            *(((event, name), after) for event, name, after in each.reach.after_properties),
        ]
    ]
    found = [DATES.empty_table()]
    for name in traits:
        asked = {"field": numbers[name], "path": rules.pointer(name)}
        found.append(_dated(engine, "date_of_trait", asked, "profiles", facts.profiles))
    for event, name in properties:
        asked = {"field": numbers[event, name], "path": rules.pointer(name), "event": event}
        found.append(_dated(engine, "date_of_property", asked, "events", facts.events))
    return pa.Table.from_pylist(fields, schema=FIELDS), pa.concat_tables(found)


def _dated(
    engine: Engine, query: str, facts: Mapping[str, object], name: str, relation: pa.Table
) -> pa.Table:
    column = "traits" if name == "profiles" else "properties"
    date = rules.date_expression(column, "$path")
    text = load_sql(ROOM, query).replace("cast(null as bigint)/*date*/", date)
    return engine.query(text, facts, relations={name: relation}).cast(DATES)


def _pairs(ids: Mapping[str, Ids]) -> pa.Table:
    counts = [len(each) for each in ids.values()]
    names = pa.array(np.repeat(np.array(list(ids), dtype=object), counts), pa.string())
    values = np.concatenate([*ids.values(), np.empty(0, np.int64)])
    return pa.table([names, pa.array(values, ID)], schema=PAIRS)
