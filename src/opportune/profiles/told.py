"""What people decided about identities, told to the log and heard from it.

Cuts and decisions are rows of State, made at once. The log is told of each afterwards, as it then
stands, by number: so a State that is built again from the log, or restored from a backup, has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from opportune.events import Own, own_frame, said_by_us
from opportune.profiles.cut import ALWAYS_US, regroup_and_refresh
from opportune.profiles.identity import EPOCH, moment
from opportune.profiles.regroup import ROOM, Cause, Seed
from opportune.storage import Connection, SegmentLog, State, fetch, load_sql

__all__ = ["DECIDED_EVENTS", "hear", "tell"]

CUT, DECIDED = DECIDED_EVENTS = ("Identity Cut", "Identity Decided")
AT_ONCE = 500
MICROSECOND = timedelta(microseconds=1)
IDS = ("identifier", "anchor", "owner", "other", "joined_one", "joined_two")
TIMES = ("cut_at", "restored_at", "decided_at", "taken_back_at")
PARTS = {
    CUT: (
        *("cut_id", "identifier", "anchor", "apart_from", "reason"),
        *("cut_by", "cut_at", "restored_by", "restored_at"),
    ),
    DECIDED: (
        *("decision_id", "owner", "other", "decision", "joined_one", "joined_two"),
        *("decided_by", "decided_at", "taken_back_by", "taken_back_at"),
    ),
}
NUMBER = {CUT: "cut_id", DECIDED: "decision_id"}
# A cut that a review made names the link by two ids; alone, they are found when somebody is
# forgotten.
TOGETHER = re.compile("^review ([0-9a-f]{16})([0-9a-f]{16})$")
APART = re.compile("^review ([0-9a-f]{16}) ([0-9a-f]{16})$")


def tell(state: State, log: SegmentLog, *, now: datetime) -> int:
    """Append what the log does not know yet; return how much that was.

    What is appended again after a crash is a repeat.
    """
    rows = state.rows(load_sql(ROOM, "untold"), {"limit": AT_ONCE})
    if not rows:
        return 0
    at_us = (now - EPOCH) // MICROSECOND
    said = [_said(row, at_us) for row in rows]
    log.append(own_frame(said, now_us=at_us)).result()
    state.rows(load_sql(ROOM, "told"), {"places": [row["place"] for row in rows]})
    return len(rows)


def hear(connection: Connection, events: pa.Table) -> int:
    """Apply what ``events`` say was decided and State does not know; return how much that was.

    In the caller's transaction, after `resolve` of what was known when it was decided; of several
    messages about one cut or decision the last counts. A State that made them knows them all.
    """
    found = said_by_us(events, DECIDED_EVENTS)
    if not found.num_rows:
        return 0
    said = [
        (row["received_at_us"], row["event"], json.loads(row["properties"]))
        for row in found.select(["received_at_us", "event", "properties"]).to_pylist()
    ]
    newest = {
        (event, properties[NUMBER[event]]): properties
        for _, event, properties in sorted(said, key=lambda each: (each[0], each[2]["place"]))
    }
    kept = [(event, each) for (event, _), each in newest.items() if not each.get("gone")]
    fetch(connection, load_sql(ROOM, "lock_identity"))
    cuts = {"cuts": _rows(each for event, each in kept if event == CUT)}
    changed = fetch(connection, load_sql(ROOM, "hear_cuts"), cuts)
    decisions = {"decisions": _rows(each for event, each in kept if event == DECIDED)}
    heard = fetch(connection, load_sql(ROOM, "hear_decisions"), decisions)
    ids = {"decisions": [row["decision_id"] for row in heard]}
    count = len(changed) + len(heard)
    if not count:
        return 0
    fetch(connection, load_sql(ROOM, "decide_heard"), ids)
    changed += fetch(connection, load_sql(ROOM, "join_heard"), ids)
    fetch(connection, load_sql(ROOM, "go_on_after_heard"))
    seeds = [Seed(**row, since_us=ALWAYS_US) for row in changed]
    now = moment(max(at_us for at_us, _, _ in said))
    if seeds:
        regroup_and_refresh(connection, seeds, Cause(reason="review", now=now))
    return count


def _said(row: Mapping[str, Any], at_us: int) -> Own:
    event = CUT if row["cut_id"] is not None else DECIDED
    at = row["cut_at"] if event == CUT else row["decided_at"]
    if at is None:
        number = NUMBER[event]
        gone = {"place": row["place"], number: row[number], "gone": True}
        return Own(event=event, at_us=at_us, properties=gone)
    properties = {name: _plain(row[name]) for name in PARTS[event] if row[name] is not None}
    properties["place"] = row["place"]
    if event == CUT:
        properties["reason"] = TOGETHER.sub(r"review \1 \2", row["reason"])
    ended = row["restored_at"] if event == CUT else row["taken_back_at"]
    return Own(event=event, at_us=((ended or at) - EPOCH) // MICROSECOND, properties=properties)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _rows(said: Iterable[dict[str, Any]]) -> str:
    """Return the columns of State that messages say."""
    rows = []
    for each in sorted(said, key=lambda each: each.get("cut_id") or each["decision_id"]):
        row = {name: value for name, value in each.items() if name not in IDS}
        row |= {f"{name}_id": _number(each[name]) for name in IDS if name in each}
        if "cut_id" in each:
            row["apart_from"] = [_number(text) for text in each["apart_from"]]
            row["reason"] = APART.sub(r"review \1\2", each["reason"])
        rows.append(row)
    return json.dumps(rows)


def _number(text: str) -> int:
    return int.from_bytes(bytes.fromhex(text), "big", signed=True)
