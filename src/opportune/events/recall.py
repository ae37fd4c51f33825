"""What was recorded of frames before: for State, when it is behind the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune.events.model import Decoder
from opportune.events.record import Check, Recorded, decode_frame, event_table
from opportune.events.replayed import outcomes
from opportune.storage import Engine, Frame, load_sql

__all__ = ["recall"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY = ("message_id", "source_id", "received_at_us")


def recall(
    engine: Engine, frames: Sequence[Frame], *, decoders: Mapping[str, Decoder], check: Check
) -> Recorded:
    """Return what `record` returned for ``frames`` that the lake holds already.

    An event counts where the lake has it with the same source and time of receipt, a repeat of it
    does not; so State counts exactly what is stored, whatever the plans say by now.
    """
    decoded = [decode_frame(frame, decoders) for frame in frames]
    table = event_table([(frame, events) for frame, events, _ in decoded])
    stored, blocked = _places(engine, table)
    events, refused = table.take(stored), table.take(blocked)
    rejects = [(frame, reject) for frame, _, group in decoded for reject in group]
    origins = np.repeat(np.arange(len(decoded)), [len(group) for _, group, _ in decoded])
    in_vain = [frames[origins[place]] for place in blocked.to_pylist()]
    return Recorded(
        events=events,
        duplicates=table.num_rows - len(stored) - len(blocked),
        rejected=len(rejects) + len(blocked),
        blocked=refused,
        checked=check(pa.concat_tables([events, refused])),
        rejects=rejects,
        outcomes=outcomes(frames, refused=[*(frame for frame, _ in rejects), *in_vain]),
    )


def _places(engine: Engine, table: pa.Table) -> tuple[pa.Array, pa.Array]:
    """Return the rows of ``table`` that are stored, and those that a plan refused."""
    nowhere = pa.array([], pa.int64())
    if not table.num_rows:
        return nowhere, nowhere
    span = pc.min_max(table["received_at_us"]).as_py()
    first_us, last_us = span["min"], span["max"]
    first_at, last_at = (EPOCH + timedelta(microseconds=us) for us in (first_us, last_us))
    batch = table.select(KEY).append_column("place", pa.array(range(table.num_rows), pa.int64()))
    fates = engine.query(
        load_sql("opportune.events", "recall"),
        {"first_us": first_us, "last_us": last_us, "first_at": first_at, "last_at": last_at},
        tables={
            "events": ("received_at_us", first_us, last_us),
            "rejects": ("received_at", first_at, last_at),
        },
        relations={"batch": batch},
    )
    return tuple(
        fates.filter(pc.equal(fates["fate"], fate))["place"].combine_chunks()
        for fate in ("stored", "blocked")
    )
