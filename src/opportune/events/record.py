"""Store what the log holds: decode, drop repeats, append, with the offsets in the same commit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune.errors import InvalidInput
from opportune.events.deduplicate import PLAN_CODES, Deduplicator, hashes, refused_hashes
from opportune.events.model import EVENTS, REJECTS, Decoder, Event, Reject
from opportune.events.refuse import Incoming, refused_by_plan
from opportune.events.replayed import REPLAY, Outcome, outcomes
from opportune.events.violations import Checked
from opportune.storage import Frame, Lake, end_offsets

__all__ = [
    "Check",
    "Recorded",
    "create_tables",
    "decode_frame",
    "event_table",
    "record",
    "reject_table",
    "stored_offsets",
]

# A request that cannot be read at all is kept as a reject, up to this many characters of it.
PAYLOAD_CHARACTERS = 32_768


Check = Callable[[pa.Table], Checked]
Decoding = tuple[Frame, list[Event], list[Reject]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What one call stored, and what it refused.

    ``events`` are the new rows, as they stand in the lake; ``blocked`` are those that a tracking
    plan refused, with the same columns; ``checked`` speaks of both, the blocked after the events.
    ``rejects`` are all refusals, those of plans among them, each with its frame; ``outcomes`` are
    of rejects that were sent again.
    """

    events: pa.Table
    duplicates: int
    rejected: int
    blocked: pa.Table
    checked: Checked = field(default_factory=Checked)
    rejects: Sequence[tuple[Frame, Reject]] = ()
    outcomes: Sequence[Outcome] = ()


def record(
    lake: Lake,
    frames: Sequence[Frame],
    *,
    offsets: Mapping[str, int],
    decoders: Mapping[str, Decoder],
    seen: Deduplicator,
    check: Check = lambda _: Checked(),
) -> Recorded:
    """Store the new events of ``frames`` and all rejects, and with them how far the log was read.

    ``frames`` and ``offsets`` are what `read_frames` returned; ``decoders`` go by a frame's kind;
    ``check`` says which new events break a tracking plan. Calling it again with the same frames
    stores nothing twice, at whichever instruction the process was killed: rejects go first and know
    their own place in the log, then events and offsets in one commit, then ``seen``. Raises what
    the lake raises; the same call can then be made again.
    """
    decoded = [decode_frame(frame, decoders) for frame in frames]
    table = event_table([(frame, events) for frame, events, _ in decoded])
    ids = hashes(table["message_id"].to_pylist())
    fresh = seen.fresh(ids)
    incoming = _incoming(decoded, table, fresh)
    checked = check(incoming.events)
    blocked, repeated = _judged(lake, decoded, incoming, checked, seen)
    refused = refused_by_plan(incoming, blocked, checked, decoded)
    rejects = [
        (frame, [*group, *more]) for (frame, _, group), more in zip(decoded, refused, strict=True)
    ]
    rejected = _record_rejects(lake, rejects, offsets=offsets)
    new = ~(blocked | repeated)
    stored, kept_out = (incoming.events.filter(pa.array(mask)) for mask in (new, blocked))
    lake.append("events", stored, positions=offsets)
    seen.admit(ids[fresh][new])
    seen.admit(refused_hashes(kept_out["message_id"].to_pylist()))
    return Recorded(
        events=stored,
        duplicates=table.num_rows - stored.num_rows - kept_out.num_rows,
        rejected=rejected,
        blocked=kept_out,
        checked=checked.of(np.concatenate([np.flatnonzero(new), np.flatnonzero(blocked)])),
        rejects=[(frame, reject) for frame, group in rejects for reject in group],
        outcomes=outcomes(frames, refused=[frame for frame, group in rejects if group]),
    )


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


def decode_frame(frame: Frame, decoders: Mapping[str, Decoder]) -> Decoding:
    """Return a frame with its events and its rejects; one that cannot be read is a reject."""
    events, rejects = _decode(frame, decoders)
    return frame, events, rejects


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


def _incoming(decoded: Sequence[Decoding], table: pa.Table, fresh: NDArray[np.bool_]) -> Incoming:
    counts = [len(events) for _, events, _ in decoded]
    frames = np.repeat(np.arange(len(counts)), counts)
    starts = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
    positions = np.arange(len(frames)) - starts[frames]
    return Incoming(
        events=table.filter(pa.array(fresh)), frames=frames[fresh], positions=positions[fresh]
    )


def _judged(
    lake: Lake,
    decoded: Sequence[Decoding],
    incoming: Incoming,
    checked: Checked,
    seen: Deduplicator,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Say which events are refused, and which were refused before and are neither, (n,) each.

    A message is refused once, however often its sender repeats it; one that is replayed is judged
    anew. Of frames whose rejects a killed process had stored, what it refused stays refused and
    what it did not stays an event, though the plan may have changed since.
    """
    blocked = checked.refusals(incoming.events.num_rows) >= 0
    frames = [frame for frame, _, _ in decoded]
    replays = np.array([frame.kind == REPLAY for frame in frames], np.bool_)[incoming.frames]
    repeated = np.zeros(len(blocked), np.bool_)
    if blocked.any():
        known = refused_hashes(incoming.events["message_id"].filter(pa.array(blocked)).to_pylist())
        repeated[blocked] = ~seen.fresh(known)
        repeated &= ~replays
    segments = {frame.segment for frame in frames if frame.segment}
    ends = {segment: lake.position("rejects", segment) for segment in segments}
    settled = np.array([frame.offset < ends.get(frame.segment, 0) for frame in frames], np.bool_)
    settled = settled[incoming.frames] & ~replays
    if settled.any():
        before = settled & _refused_then(lake, incoming.events)
        repeated &= ~before
        blocked = np.where(settled, before, blocked)
    return blocked & ~repeated, repeated


def _refused_then(lake: Lake, events: pa.Table) -> NDArray[np.bool_]:
    """Say which events stand among the rejects, refused by a plan when they were received, (n,)."""
    rejects = lake.read("rejects", ["message_id", "received_at", "code"])
    at_the_time = pc.is_in(rejects["received_at"], value_set=events["received_at"])
    by_plan = pc.is_in(rejects["code"], value_set=pa.array(PLAN_CODES))
    refused = rejects["message_id"].filter(pc.and_(at_the_time, by_plan))
    mask: NDArray[np.bool_] = pc.is_in(events["message_id"], value_set=refused).to_numpy()
    return mask


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
