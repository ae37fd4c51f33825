"""How many messages arrived in each minute: kept for two days, in the order of receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune.events.catalogue import as_rows
from opportune.events.record import Recorded
from opportune.storage import Connection, State, fetch, load_sql

__all__ = ["Minute", "keep_minutes", "minutes"]

MINUTE = timedelta(minutes=1)
MINUTE_US = 60_000_000
COUNTED = ("accepted", "flagged", "rejected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """What arrived within one minute from ``minute`` on.

    ``flagged`` are among the ``accepted``: stored, though they break a tracking plan.
    """

    minute: datetime
    accepted: int
    flagged: int
    rejected: int


def minutes(state: State, *, now: datetime, count: int = 60) -> list[Minute]:
    """Return the last ``count`` minutes up to that of ``now``, the oldest first, none left out."""
    last = now.replace(second=0, microsecond=0)
    first = last - (count - 1) * MINUTE
    facts = {"after": first - MINUTE, "until": last}
    known = {
        row["minute"]: Minute(**row)
        for row in state.rows(load_sql("opportune.events", "minutes"), facts)
    }
    empty = {"accepted": 0, "flagged": 0, "rejected": 0}
    every = (first + place * MINUTE for place in range(count))
    return [known.get(each) or Minute(minute=each, **empty) for each in every]


def keep_minutes(connection: Connection, recorded: Recorded) -> None:
    """Add what was recorded to its minutes, inside the transaction that moves the position."""
    events = recorded.events.num_rows
    flagged = recorded.checked.flagged(events + recorded.blocked.num_rows)[:events]
    received = recorded.events["received_at_us"].combine_chunks()
    at_us = np.asarray(received if isinstance(received, pa.Array) else [], dtype=np.int64)
    refused = np.array([frame.received_at_us for frame, _ in recorded.rejects], dtype=np.int64)
    rows: dict[int, dict[str, int]] = {}
    for kind, times in (
        ("accepted", at_us),
        ("flagged", at_us[np.asarray(flagged, dtype=bool)]),
        ("rejected", refused),
    ):
        for minute, number in _by_minute(times).items():
            row = rows.setdefault(minute, {"minute": minute, **dict.fromkeys(COUNTED, 0)})
            row[kind] = number
    if rows:
        facts = {"rows": as_rows(rows[minute] for minute in sorted(rows))}
        fetch(connection, load_sql("opportune.events", "add_minutes"), facts)


def _by_minute(times_us: NDArray[np.int64]) -> Mapping[int, int]:
    found, counts = np.unique(times_us // MINUTE_US, return_counts=True)
    return dict(zip(found.tolist(), counts.tolist(), strict=True))
