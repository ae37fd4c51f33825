"""Keep memberships up to date: with each batch of events, and whenever time alone moves somebody.

What is asked follows from three things: new events, profiles that are not what they were (the
database notes them itself, whoever changed them), and moments that have come.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune.rules.times import microseconds
from opportune.segments.judge import PAIRS, ROOM, Ids, Pending, judge
from opportune.segments.keep import NOTED, keep
from opportune.segments.watch import Watch, WatchReader
from opportune.storage import Connection, Engine, fetch, load_sql, read_table, stage

__all__ = ["DUE_AT_ONCE", "follow"]

TOUCHED = pa.schema([("profile_id", pa.int64()), ("moved", pa.bool_())])
LIVELY = pa.schema([("profile_id", pa.int64())])
# So many answers are asked for again in one step; more are due in the next.
DUE_AT_ONCE = 10_000


def follow(
    connection: Connection,
    engine: Engine,
    reader: WatchReader,
    events: pa.Table | None,
    *,
    now: datetime,
) -> int:
    """Bring memberships up to date with ``events`` (columns of ``events.EVENTS``) and with ``now``.

    Runs in the caller's transaction, after `profiles.resolve` of the same events; ``engine`` is the
    one of this process. Returns how many answers were due for the time alone: `DUE_AT_ONCE` says
    that there may be more.
    """
    fetch(connection, load_sql(ROOM, "lock_live"))
    watch = reader.read(connection)
    if not watch.segments:
        if events is not None:
            fetch(connection, load_sql(ROOM, "forget_touched"))
        return 0
    now_us = microseconds(now)
    noted = NOTED.empty_table()
    if events is not None and events.num_rows:
        noted = keep(connection, engine, watch, events, now_us=now_us)
    touched = read_table(connection, load_sql(ROOM, "touched"), TOUCHED)
    facts = {"now_us": now_us, "segments": watch.live, "limit": DUE_AT_ONCE}
    due = read_table(connection, load_sql(ROOM, "due"), PAIRS, facts)
    pending = _pending(watch, noted, touched, due)
    if pending:
        lively = _lively(connection, engine, events, due)
        judge(connection, engine, watch, pending, now=now, lively=lively)
    count: int = due.num_rows
    return count


def _lively(
    connection: Connection, engine: Engine, events: pa.Table | None, due: pa.Table
) -> Ids | None:
    """Return whom other things than imported history moved; None: there was no history."""
    if events is None or not pc.any(pc.match_substring(events["context"], '"import"')).as_py():
        return None
    is_history = load_sql("opportune.events.history", "is_history")
    text = load_sql(ROOM, "not_history").replace("false/*history*/", f"({is_history}\n)")
    rows = engine.query(text, relations={"new_events": events})
    stage(connection, "lively", ("kind text", "value text"), rows)
    found = read_table(connection, load_sql(ROOM, "lively_profiles"), LIVELY)
    fetch(connection, load_sql(ROOM, "drop_lively"))
    lively: Ids = np.union1d(found["profile_id"].to_numpy(), due["profile_id"].to_numpy())
    return lively


def _pending(watch: Watch, noted: pa.Table, touched: pa.Table, due: pa.Table) -> Pending:
    """Return whom to ask of each segment."""
    found: dict[str, list[Ids]] = defaultdict(list)
    changed = touched["profile_id"].to_numpy()
    moved = changed[touched["moved"].to_numpy()]
    for name, segment in watch.segments.items():
        found[name].append(changed if segment.uses.traits else moved)
    for event, ids in _grouped(noted).items():
        for name, segment in watch.segments.items():
            if segment.looks_at(event):
                found[name].append(ids)
    for name, ids in _grouped(due).items():
        found[name].append(ids)
    pending = {name: np.concatenate(ids) for name, ids in found.items()}
    return {name: ids for name, ids in pending.items() if len(ids)}


def _grouped(table: pa.Table) -> dict[str, Ids]:
    """Return the ids of each value of the other column; no value is the empty text."""
    names = table.column(0).fill_null("").combine_chunks().dictionary_encode()
    places = names.indices.to_numpy()
    ids = table["profile_id"].to_numpy()
    return {name: ids[places == place] for place, name in enumerate(names.dictionary.to_pylist())}
