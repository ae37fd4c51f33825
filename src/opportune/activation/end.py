"""What waits for its time is not sent to whom it would come too late: who converted, or left.

A use case says so with ``cancel_when``. Its decision stays in the log and counts as it was meant:
what a decision earns does not depend on whether its message was still needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from opportune.storage import Connection, fetch, load_sql, stage

__all__ = ["CONVERTED", "LEFT", "end_converted", "end_left", "ends_with", "recall_left"]

ROOM = "opportune.activation"
CONVERTED = "converted"
LEFT = "left_audience"
# How that begins with which a send ends: no event that is called so ends one.
METRIC = "metric="
STAGED = ("user_id text", "event text", "occurred_at timestamptz")
# Looked through before each batch; more than one takes.
MOST_LOOKED_AT = 10_000


Meant = Callable[[pa.Table], Iterable[tuple[str, pa.Table]]]


def ends_with(metric: str) -> str:
    """Say that a send ends with the events that the metric of this name counts.

    >>> ends_with("orders")
    'metric=orders'
    """
    return f"{METRIC}{metric}"


def end_converted(
    connection: Connection, events: pa.Table | None, meant: Meant = lambda _: ()
) -> int:
    """Fail what waits for whoever did one of these ``events`` meanwhile; return how many.

    What a receiver holds, or may hold, is to be taken back. ``events`` has the columns of
    ``events.EVENTS``. In the caller's transaction, so that a row is not sent once the event is
    known. An event that happened before the decision ends nothing. ``meant`` finds those that
    count only for what they say, by what sends end with (`ends_with`).
    """
    if events is None or not events.num_rows:
        return 0
    if not fetch(connection, load_sql(ROOM, "any_ends"))[0]["is_any"]:
        return 0
    parts = [_happened(events, events["event"])]
    parts[0] = parts[0].filter(pc.invert(pc.starts_with(parts[0]["event"], METRIC)))
    for name, counted in meant(events):
        parts.append(_happened(counted, pa.repeat(name, counted.num_rows)))
    stage(connection, "happened", STAGED, pa.concat_tables(parts))
    facts = {"reason": CONVERTED}
    count: int = fetch(connection, load_sql(ROOM, "end_converted"), facts)[0]["count"]
    fetch(connection, load_sql(ROOM, "happened_done"))
    return count


def _happened(events: pa.Table, names: pa.Array | pa.ChunkedArray) -> pa.Table:
    """The columns of ``STAGED``, of events that are somebody's and have a name."""
    happened = pa.table(
        {
            "user_id": events["user_id"],
            "event": names,
            "occurred_at": events["occurred_at_us"].cast(pa.timestamp("us", "UTC")),
        }
    )
    named = pc.and_(pc.is_valid(happened["user_id"]), pc.is_valid(happened["event"]))
    return happened.filter(named)


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
