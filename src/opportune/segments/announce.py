"""Tell the log who entered and left segments: each change once, whatever is killed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from opportune.events import OURS
from opportune.events.history.mark import context_of
from opportune.rules.times import microseconds
from opportune.segments.model import ENTERED, EXITED
from opportune.storage import Frame, SegmentLog, State, load_sql

__all__ = ["announce"]

ROOM = "opportune.segments"
CHANGES_AT_ONCE = 5_000
MESSAGES = 500
# What an import alone moved is history itself.
HISTORY = context_of("segments", "", live=False)


def announce(state: State, log: SegmentLog, *, now: datetime) -> int:
    """Append an event for each change that the log does not know; return how many were left.

    The id of a message follows from the change, so what is appended again after a crash is a
    repeat. Of a profile without user id and anonymous id, and of one that another took in, nobody
    is told.
    """
    changes = state.rows(load_sql(ROOM, "changes"), {"limit": CHANGES_AT_ONCE})
    if not changes:
        return 0
    messages = [_message(row) for row in changes if row["user_id"] or row["anonymous_id"]]
    appended = [
        log.append(
            Frame(
                received_at_us=microseconds(now),
                source_id=OURS,
                kind="batch",
                body=msgspec.json.encode({"batch": messages[start : start + MESSAGES]}),
            )
        )
        for start in range(0, len(messages), MESSAGES)
    ]
    for each in appended:
        each.result()
    state.rows(load_sql(ROOM, "changes_told"), {"changes": [row["change_id"] for row in changes]})
    return len(changes)


def _message(row: Mapping[str, Any]) -> dict[str, object]:
    direction = ENTERED if row["entered"] else EXITED
    at = row["changed_at"]
    said = f"{row['segment']}:{row['profile_id']}:{direction}:{at.isoformat()}:{row['change_id']}"
    who = {"userId": row["user_id"], "anonymousId": row["anonymous_id"]}
    return {
        "type": "track",
        "messageId": f"segment-{hashlib.sha256(said.encode()).hexdigest()[:32]}",
        "event": direction,
        **{name: value for name, value in who.items() if value},
        "timestamp": at.isoformat(),
        **({"context": HISTORY} if row["by_history"] else {}),
        "properties": {"segment": row["segment"], "profile_id": str(row["profile_id"])},
    }
