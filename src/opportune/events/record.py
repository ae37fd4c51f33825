"""Store what the log holds: decode, drop repeats, append, with the offsets in the same commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from opportune.errors import InvalidInput
from opportune.events.deduplicate import Deduplicator, hashes
from opportune.events.model import EVENTS, REJECTS, Decoder, Event, Reject
from opportune.storage import Frame, Lake, end_offsets

__all__ = ["Recorded", "create_tables", "event_table", "record", "reject_table", "stored_offsets"]

# A request that cannot be read at all is kept as a reject, up to this many characters of it.
PAYLOAD_CHARACTERS = 32_768


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What one call stored: ``events`` are the new rows, as they stand in the lake."""

    events: pa.Table
    duplicates: int
    rejected: int


def record(
    lake: Lake,
    frames: Sequence[Frame],
    *,
    offsets: Mapping[str, int],
    decoders: Mapping[str, Decoder],
    seen: Deduplicator,
) -> Recorded:
    """Store the new events of ``frames`` and all rejects, and with them how far the log was read.

    ``frames`` and ``offsets`` are what `read_frames` returned; ``decoders`` go by a frame's kind.
    Calling it again with the same frames stores nothing twice, at whichever instruction the process
    was killed: rejects go first and know their own place in the log, then events and offsets in one
    commit, then ``seen``. Raises what the lake raises; the same call can then be made again.
    """
    decoded = [(frame, *_decode(frame, decoders)) for frame in frames]
    rejected = _record_rejects(
        lake, [(frame, rejects) for frame, _, rejects in decoded], offsets=offsets
    )
    table = event_table([(frame, events) for frame, events, _ in decoded])
    ids = hashes(table["message_id"].to_pylist())
    fresh = seen.fresh(ids)
    stored = table.filter(pa.array(fresh))
    lake.append("events", stored, positions=offsets)
    seen.admit(ids[fresh])
    return Recorded(events=stored, duplicates=table.num_rows - stored.num_rows, rejected=rejected)


def create_tables(lake: Lake) -> None:
    """Make the tables of events and rejects unless they are there."""
    lake.create("events", EVENTS)
    lake.create("rejects", REJECTS)


def stored_offsets(lake: Lake, log_folder: Path) -> dict[str, int]:
    """Return how far each segment of the log is stored, for `read_frames` to go on from."""
    return {segment: lake.position("events", segment) for segment in end_offsets(log_folder)}


def event_table(decoded: Sequence[tuple[Frame, Sequence[Event]]]) -> pa.Table:
    """Return the events of each frame as rows of `EVENTS`, in their order."""
    events = [event for _, group in decoded for event in group]
    received_us = pa.array(
        [frame.received_at_us for frame, group in decoded for _ in group], pa.int64()
    )
    occurred_at_us = pa.array([event.occurred_at_us for event in events], pa.int64())
    columns = [
        pa.array([event.message_id for event in events], pa.string()),
        pa.array([frame.source_id for frame, group in decoded for _ in group], pa.string()),
        pa.array([event.type for event in events], pa.string()),
        pa.array([event.event for event in events], pa.string()),
        pa.array([event.user_id for event in events], pa.string()),
        pa.array([event.anonymous_id for event in events], pa.string()),
        occurred_at_us.cast(EVENTS.field("occurred_at").type),
        occurred_at_us,
        received_us.cast(EVENTS.field("received_at").type),
        received_us,
        pa.array([event.properties for event in events], pa.string()),
        pa.array([event.traits for event in events], pa.string()),
        pa.array([event.context for event in events], pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=EVENTS)


def _decode(frame: Frame, decoders: Mapping[str, Decoder]) -> tuple[list[Event], list[Reject]]:
    if frame.kind not in decoders:
        known = ", ".join(sorted(decoders))
        reason = f"No decoder for requests of kind {frame.kind!r}. Known: {known}."
        return [], [_unreadable(frame, code="unknown_kind", reason=reason)]
    try:
        decoded = decoders[frame.kind](frame)
    except InvalidInput as refusal:
        # Accepted by another version of the rules: keep it, and go on with the next.
        return [], [_unreadable(frame, code=refusal.code, reason=refusal.message)]
    return decoded.events, decoded.rejects


def _unreadable(frame: Frame, *, code: str, reason: str) -> Reject:
    payload = frame.body.decode(errors="replace")[:PAYLOAD_CHARACTERS]
    return Reject(index=-1, message_id=None, code=code, reason=reason, payload=payload)


def _record_rejects(
    lake: Lake, decoded: Sequence[tuple[Frame, list[Reject]]], *, offsets: Mapping[str, int]
) -> int:
    """Append the rejects that are not stored yet; return how many there are."""
    rows = [(frame, reject) for frame, rejects in decoded for reject in rejects]
    if not rows:
        return 0
    segments = {frame.segment for frame, _ in rows}
    # Ahead of the events only when a process was killed between the two commits.
    stored = {segment: lake.position("rejects", segment) for segment in segments if segment}
    new = [row for row in rows if row[0].offset >= stored.get(row[0].segment, 0)]
    positions = {segment: end for segment, end in offsets.items() if segment in segments}
    if new:
        lake.append("rejects", reject_table(new), positions=positions)
    return len(rows)


def reject_table(rows: Sequence[tuple[Frame, Reject]]) -> pa.Table:
    """Return each reject with its frame as rows of `REJECTS`."""
    received_us = pa.array([frame.received_at_us for frame, _ in rows], pa.int64())
    columns = [
        pa.array([frame.source_id for frame, _ in rows], pa.string()),
        received_us.cast(REJECTS.field("received_at").type),
        pa.array([reject.index for _, reject in rows], pa.int32()),
        pa.array([reject.message_id for _, reject in rows], pa.string()),
        pa.array([reject.code for _, reject in rows], pa.string()),
        pa.array([reject.reason for _, reject in rows], pa.string()),
        pa.array([reject.payload for _, reject in rows], pa.string()),
    ]
    return pa.Table.from_arrays(columns, schema=REJECTS)
