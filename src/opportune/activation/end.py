"""What waits for its time is not sent to whom it would come too late: who converted, or left.

A use case says so with ``cancel_when``. Its decision stays in the log and counts as it was meant:
what a decision earns does not depend on whether its message was still needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from opportune.storage import Connection, fetch, load_sql, stage

__all__ = ["CONVERTED", "LEFT", "end_converted", "end_left", "recall_left"]

ROOM = "opportune.activation"
CONVERTED = "converted"
LEFT = "left_audience"
STAGED = ("user_id text", "event text", "occurred_at timestamptz")
# Looked through before each batch; more than one takes.
MOST_LOOKED_AT = 10_000


def end_converted(connection: Connection, events: pa.Table | None) -> int:
    """Fail what waits for whoever did one of these ``events`` meanwhile; return how many.

    What a receiver holds, or may hold, is to be taken back. ``events`` has the columns of
    ``events.EVENTS``. In the caller's transaction, so that a row is not sent once the event is
    known. An event that happened before the decision ends nothing.
    """
    if events is None or not events.num_rows:
        return 0
    if not fetch(connection, load_sql(ROOM, "any_ends"))[0]["is_any"]:
        return 0
    happened = pa.table(
        {
            "user_id": events["user_id"],
            "event": events["event"],
            "occurred_at": events["occurred_at_us"].cast(pa.timestamp("us", "UTC")),
        }
    )
    named = pc.and_(pc.is_valid(happened["user_id"]), pc.is_valid(happened["event"]))
    stage(connection, "happened", STAGED, happened.filter(named))
    facts = {"reason": CONVERTED}
    count: int = fetch(connection, load_sql(ROOM, "end_converted"), facts)[0]["count"]
    fetch(connection, load_sql(ROOM, "happened_done"))
    return count


def end_left(
    connection: Connection,
    use_case: str,
    audience: tuple[Sequence[str], Sequence[str]],
    *,
    now: datetime,
) -> int:
    """Fail what is due of whoever is not in ``audience`` (segments, minus) now; return how many."""
    segments, minus = audience
    facts = {
        "use_case": use_case,
        "segments": list(segments),
        "minus": list(minus),
        "now": now,
        "limit": MOST_LOOKED_AT,
        "reason": LEFT,
    }
    count: int = fetch(connection, load_sql(ROOM, "end_left"), facts)[0]["count"]
    return count


def recall_left(
    connection: Connection,
    audience: tuple[Sequence[str], Sequence[str]],
    facts: Mapping[str, object],
) -> int:
    """Recall what its receiver holds of whoever is not in ``audience`` any more; return how many.

    ``facts`` are the ``use_case``, ``now``, and the ``limit`` of how many are looked at.
    """
    segments, minus = audience
    given = {**facts, "segments": list(segments), "minus": list(minus), "reason": LEFT}
    return len(fetch(connection, load_sql(ROOM, "recall_left"), given))
