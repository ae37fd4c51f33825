"""Events that a tracking plan refuses, as rejects that can be sent again as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune.events.model import Event, Reject
from opportune.events.replayed import first_index
from opportune.events.violations import Checked
from opportune.storage import Frame

__all__ = ["Incoming", "refused_by_plan"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What stands beside the properties of some types, and was joined to them when it was decoded.
BESIDE = {"alias": "previousId", "group": "groupId"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """The new ``events`` (n rows) of some frames.

    ``frames`` (n,) says which frame each is of, ``positions`` (n,) which of that frame's events.
    """

    events: pa.Table
    frames: NDArray[np.int64]
    positions: NDArray[np.int64]


def refused_by_plan(
    incoming: Incoming,
    blocked: NDArray[np.bool_],
    checked: Checked,
    decoded: Sequence[tuple[Frame, Sequence[Event], Sequence[Reject]]],
) -> list[list[Reject]]:
    """Return the rejects of each frame of ``decoded`` for its events that are ``blocked`` (n,).

    The payload is the message as it was understood, with its own id and its corrected time.
    """
    refused: list[list[Reject]] = [[] for _ in decoded]
    reasons = checked.refusals(incoming.events.num_rows)
    rows = np.flatnonzero(blocked & (reasons >= 0))
    for row, message in zip(rows, incoming.events.take(rows).to_pylist(), strict=True):
        frame, events, rejects = decoded[incoming.frames[row]]
        index = first_index(frame)
        if index is None:
            index = _index(int(incoming.positions[row]), len(events), rejects)
        finding = checked.findings[reasons[row]]
        refused[incoming.frames[row]].append(
            Reject(
                index=index,
                message_id=message["message_id"],
                code=finding.code,
                reason=finding.reason,
                payload=_payload(message),
            )
        )
    return refused


def _index(position: int, events: int, rejects: Sequence[Reject]) -> int:
    """Return the place in its request of the event at ``position`` among the request's events."""
    taken = {reject.index for reject in rejects}
    free = [place for place in range(events + len(rejects)) if place not in taken]
    return free[position]


def _payload(message: Mapping[str, object]) -> str:
    texts = {
        name: text
        for name in ("properties", "traits", "context")
        if isinstance(text := message[name], str)
    }
    said: dict[str, object] = {
        "type": message["type"],
        "event": message["event"],
        "userId": message["user_id"],
        "anonymousId": message["anonymous_id"],
        "messageId": message["message_id"],
        "timestamp": _iso(message["occurred_at_us"]),
        **{name: msgspec.Raw(text.encode()) for name, text in texts.items()},
    }
    if beside := BESIDE.get(str(message["type"])):
        properties = msgspec.json.decode(texts["properties"])
        said[beside] = properties.get(beside)
    kept = {name: value for name, value in said.items() if value is not None}
    return msgspec.json.encode(kept).decode()


def _iso(us: object) -> str:
    return (EPOCH + timedelta(microseconds=int(str(us)))).isoformat()
