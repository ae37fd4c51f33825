"""The newest events as they arrive: a ring of rows in State, for people who look.

In State and not in the lake: the lake has no order of arrival, merges its files and knows nothing
of refusals, while a ring answers from one index however much was stored. It is bounded twice, by
`RING_ROWS` and by `BATCH_ROWS` of one micro-batch: nobody reads more, and ingest must not wait.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune.events.catalogue import as_rows
from opportune.events.message import fields as read_fields
from opportune.events.own import is_own
from opportune.events.record import Recorded
from opportune.storage import Connection, State, fetch, load_sql

__all__ = ["BATCH_ROWS", "RING_ROWS", "TAIL_PAGE", "TailRow", "keep_tail", "tail"]

RING_ROWS = 5_000
BATCH_ROWS = 50
TAIL_PAGE = 500
SHOWN = (
    *("message_id", "source_id", "type", "event", "user_id", "anonymous_id"),
    *("occurred_at_us", "received_at_us"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TailRow:
    """One event of the tail.

    ``place`` orders the rows. ``outcome`` is "accepted", "flagged" (stored, but it breaks a
    tracking plan), "rejected", or "left_out": a row that says how many are not shown. Identifiers
    are hints: enough to tell two people apart. ``identifier_id`` leads to the profile, if there is
    one.
    """

    place: int
    message_id: str | None
    source_id: str
    type: str | None
    event: str | None
    occurred_at: datetime | None
    received_at: datetime
    user_hint: str | None
    anonymous_hint: str | None
    identifier_id: int | None
    outcome: str
    reason: str | None


def tail(
    state: State,
    *,
    after: int = 0,
    source: str | None = None,
    event: str | None = None,
    user: str | None = None,
) -> list[TailRow]:
    """Return the newest rows past the place ``after``, at most `TAIL_PAGE`, the oldest first.

    ``event`` is a name, or a type other than track; ``user`` a user id or an anonymous id.
    """
    facts = {"after": after, "source": source, "event": event, "user": user, "rows": TAIL_PAGE}
    rows = state.rows(load_sql("opportune.events", "tail"), facts)
    return [TailRow(**row) for row in reversed(rows)]


def keep_tail(connection: Connection, recorded: Recorded) -> None:
    """Add the newest of what was recorded to the tail, and cut the oldest off."""
    rows = [*_accepted(recorded), *_rejected(recorded)]
    own = pc.sum(is_own(recorded.events)).as_py() or 0
    left_out = recorded.events.num_rows - own + len(recorded.rejects) - len(rows)
    if not rows:
        return
    if left_out:
        reason = f"{left_out} more of this batch are not shown."
        first = {name: rows[0][name] for name in ("source_id", "received_at_us")}
        rows.insert(0, {**first, "outcome": "left_out", "reason": reason})
    facts = {"rows": as_rows(rows), "ring": RING_ROWS - len(rows)}
    fetch(connection, load_sql("opportune.events", "add_to_tail"), facts)


def _accepted(recorded: Recorded) -> Iterator[dict[str, object]]:
    total = recorded.events.num_rows + recorded.blocked.num_rows
    places = np.flatnonzero(~is_own(recorded.events).to_numpy())[-BATCH_ROWS:]
    flagged = recorded.checked.flagged(total)[places]
    newest = recorded.events.select(SHOWN).take(pa.array(places)).to_pylist()
    for row, flag in zip(newest, flagged, strict=True):
        yield {
            **row,
            "user_hint": _hint(row["user_id"]),
            "anonymous_hint": _hint(row["anonymous_id"]),
            "outcome": "flagged" if flag else "accepted",
        }


def _rejected(recorded: Recorded) -> Iterator[dict[str, object]]:
    for frame, reject in recorded.rejects[-BATCH_ROWS:]:
        said = _said(reject.payload)
        yield {
            "message_id": reject.message_id,
            "source_id": frame.source_id,
            "type": said.get("type"),
            "event": said.get("event"),
            "received_at_us": frame.received_at_us,
            "user_id": said.get("userId"),
            "anonymous_id": said.get("anonymousId"),
            "user_hint": _hint(said.get("userId")),
            "anonymous_hint": _hint(said.get("anonymousId")),
            "outcome": "rejected",
            "reason": f"{reject.code}: {reject.reason}",
        }


def _said(payload: str) -> Mapping[str, str]:
    """Return the texts that a refused message has at its top, as far as it can be read."""
    try:
        members = read_fields(payload.encode())
        return {
            name: msgspec.json.decode(members[name])
            for name in ("type", "event", "userId", "anonymousId")
            if name in members and bytes(members[name]).startswith(b'"')
        }
    except msgspec.DecodeError:
        return {}


def _hint(identifier: str | None) -> str | None:
    """Return of an identifier what tells two apart on a screen and no more."""
    if not identifier:
        return None
    return f"{identifier[:2]}…{identifier[-1]}" if len(identifier) > 5 else "…"
