"""Memberships as the log has them: every beginning and end, whoever was told of it."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pyarrow as pa

from opportune.events import Own, own_frame, said_by_us
from opportune.rules.times import microseconds
from opportune.segments.judge import ROOM
from opportune.storage import Connection, SegmentLog, State, fetch, load_sql, stage

__all__ = ["MEMBERSHIPS", "begin_hearing", "end_hearing", "hear", "tell"]

MEMBERSHIPS = "Segment Memberships"
CHANGES_AT_ONCE = 50_000
TOGETHER = 500


def tell(state: State, log: SegmentLog, *, now: datetime) -> int:
    """Append what the log does not know of memberships; return how many changes that was.

    Some hundred changes are one message. What is appended again after a crash says the same again.
    """
    facts = {"limit": CHANGES_AT_ONCE, "together": TOGETHER}
    rows = state.rows(load_sql(ROOM, "untold"), facts)
    if not rows:
        return 0
    at_us = microseconds(now)
    appended = [
        log.append(
            own_frame(
                [
                    Own(
                        event=MEMBERSHIPS,
                        at_us=at_us,
                        properties={
                            "segment": row["segment"],
                            "memberships": msgspec.Raw(row["memberships"].encode()),
                        },
                    )
                ],
                now_us=at_us,
            )
        )
        for row in rows
    ]
    for each in appended:
        each.result()
    places = [place for row in rows for place in row["places"]]
    state.rows(load_sql(ROOM, "told"), {"places": places})
    return len(places)


def begin_hearing(connection: Connection) -> None:
    """Make room for what the log says of memberships."""
    fetch(connection, load_sql(ROOM, "begin_hearing"))


def hear(connection: Connection, events: pa.Table) -> None:
    """Note what ``events`` say of memberships, in a State that is built from the log.

    Between `begin_hearing` and `end_hearing`, in any order.
    """
    found = said_by_us(events, [MEMBERSHIPS])
    if not found.num_rows:
        return
    told = pa.table({"said_at_us": found["received_at_us"], "properties": found["properties"]})
    stage(connection, "hearing", ("said_at_us bigint", "properties text"), told)
    fetch(connection, load_sql(ROOM, "hear"))
    fetch(connection, "drop table hearing")


def end_hearing(connection: Connection) -> None:
    """Write the memberships: of several messages about one of them, the last counts."""
    fetch(connection, load_sql(ROOM, "end_hearing"))
