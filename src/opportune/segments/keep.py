"""Keep the events that a followed rule looks back at, with the properties that it reads."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune import rules
from opportune.segments.model import OWN_EVENTS
from opportune.segments.watch import Watch
from opportune.storage import Connection, Engine, Stores, fetch, load_sql, read_table, stage

__all__ = ["NOTED", "backfill", "keep", "prune"]

ROOM = "opportune.segments"
PAGES = {"page": "Page Viewed", "screen": "Screen Viewed"}
COLUMNS = (
    "kind text",
    "value text",
    "event text",
    "occurred_at_us bigint",
    "message_id text",
    "properties text",
)
NOTED = pa.schema([("event", pa.string()), ("profile_id", pa.int64())])
RAW = ("type", "event", "user_id", "anonymous_id", "occurred_at_us", "message_id", "properties")
LATEST_US = 2**62
ROWS_AT_ONCE = 200_000
TRIMMED = "select kind, value, event, occurred_at_us, message_id, {properties} as properties\nfrom "


def keep(
    connection: Connection, engine: Engine, watch: Watch, events: pa.Table, *, now_us: int
) -> pa.Table:
    """Keep what is looked back at of new ``events``; return which event is whose (`NOTED`).

    ``engine`` is the one of this process. What is kept already stays as it is.
    """
    rows = _trimmed(engine, watch, _meant(watch, events, now_us))
    if not rows.num_rows:
        return NOTED.empty_table()
    stage(connection, "noted", COLUMNS, rows)
    whose = read_table(connection, load_sql(ROOM, "keep_events"), NOTED)
    fetch(connection, load_sql(ROOM, "drop_noted"))
    return whose


def backfill(stores: Stores, engine: Engine, watch: Watch, name: str, *, now_us: int) -> int:
    """Keep what segment ``name`` looks back at of all that the lake holds; return how much it was.

    ``engine`` is the one of this process; the lake is read by that of ``stores``.
    """
    segment = watch.segments[name]
    wanted = sorted(segment.uses.events)
    if not wanted and not segment.uses.every_event:
        return 0
    lows_us = [segment.reach.low_us(event, now_us) for event in wanted]
    ever = segment.uses.every_event or None in lows_us
    low_us = min((low_us for low_us in lows_us if low_us is not None), default=-LATEST_US)
    found = stores.engine.query(
        load_sql(ROOM, "kept_events"),
        {"low_us": -LATEST_US if ever else low_us, "every": segment.uses.every_event},
        tables={"events": None},
        relations={"wanted": pa.table({"event": pa.array(wanted, pa.string())})},
    )
    rows = _meant(watch, found, now_us)
    for start in range(0, rows.num_rows, ROWS_AT_ONCE):
        part = _trimmed(engine, watch, rows.slice(start, ROWS_AT_ONCE))
        with stores.state.transaction() as connection:
            stage(connection, "noted", COLUMNS, part)
            fetch(connection, load_sql(ROOM, "keep_again"))
    count: int = rows.num_rows
    return count


def prune(connection: Connection, watch: Watch, *, now_us: int) -> None:
    """Drop the events that no rule will ever look back at again."""
    names = sorted(watch.events)
    lows_us = [watch.low_us(name, now_us) for name in names]
    facts = {
        "names": names,
        "lows_us": [-LATEST_US if low_us is None else low_us for low_us in lows_us],
        "every": watch.every_event,
    }
    fetch(connection, load_sql(ROOM, "prune_events"), facts)


def _meant(watch: Watch, events: pa.Table, now_us: int) -> pa.Table:
    """Return the events that some rule looks back at, by the names that rules have for them."""
    name, kind = events["event"], events["type"]
    for type_, page in PAGES.items():
        name = pc.if_else(pc.equal(kind, type_), page, name)
    names = sorted(watch.events)
    place = pc.fill_null(pc.index_in(name, value_set=pa.array(names, pa.string())), len(names))
    place = place.to_numpy().astype(np.int64)
    lows_us = np.array(
        [-LATEST_US if (low := watch.low_us(each, now_us)) is None else low for each in names]
        + [-LATEST_US if watch.every_event else LATEST_US],
        np.int64,
    )
    told = pc.or_(pc.is_valid(events["user_id"]), pc.is_valid(events["anonymous_id"]))
    own = pc.is_in(name, value_set=pa.array(OWN_EVENTS))
    mask = events["occurred_at_us"].to_numpy() >= lows_us[place]
    mask &= told.to_numpy() & ~own.to_numpy()
    table = pa.table({**{column: events[column] for column in RAW}, "event": name})
    return table.filter(pa.array(mask))


def _trimmed(engine: Engine, watch: Watch, rows: pa.Table) -> pa.Table:
    """Return the rows to stage; of the properties only those that are read."""
    is_user = pc.is_valid(rows["user_id"])
    named = pa.table(
        {
            "kind": pc.if_else(is_user, "user_id", "anonymous_id"),
            "value": pc.coalesce(rows["user_id"], rows["anonymous_id"]),
            **{name: rows[name] for name in ("event", "occurred_at_us", "message_id")},
            "properties": rows["properties"],
        }
    )
    read = watch.properties()
    if not read or not rows.num_rows:
        return named.set_column(5, "properties", pa.nulls(rows.num_rows, pa.string()))
    text, parameters = _trim(read)
    return engine.query(text, parameters, relations={"noted": named})


def _trim(read: dict[str, tuple[str, ...]]) -> tuple[str, dict[str, object]]:
    parameters: dict[str, object] = {}

    def bind(value: str) -> str:
        parameters[f"p{len(parameters) + 1}"] = value
        return f"$p{len(parameters)}"

    cases = []
    for event, names in read.items():
        fields = ", ".join(
            f"{bind(json.dumps(name) + ':')}"
            f" || try(json_extract(properties, {bind(rules.pointer(name))}))"
            for name in names
        )
        cases.append(f"when {bind(event)} then '{{' || concat_ws(',', {fields}) || '}}'")
    properties = f"case event {' '.join(cases)} end"
    return TRIMMED.format(properties=properties) + "noted", parameters
