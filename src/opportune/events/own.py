"""What Opportune itself decided, as the log has it: events of nobody that rebuild State."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from opportune.events.model import Decoded, Event
from opportune.storage import Frame

__all__ = ["OURS", "OWN", "Own", "decode_own", "is_own", "own_frame", "said_by_us"]

# The kind of its frames, and the source of all that this program itself says.
OWN = "own"
OURS = "opportune"


class Own(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done, at ``at_us`` (microseconds since 1970 UTC).

    Ids of profiles and identifiers stand in ``properties`` as sixteen hex digits: there a forgotten
    person is found and replaced.
    """

    event: str
    at_us: int
    properties: Mapping[str, object]


def own_frame(said: Sequence[Own], *, now_us: int) -> Frame:
    """Return the frame that says it; what is said again is a repeat of the same messages."""
    return Frame(
        received_at_us=now_us, source_id=OURS, kind=OWN, body=msgspec.json.encode(list(said))
    )


def decode_own(frame: Frame) -> Decoded:
    """Decode a frame of kind `OWN`; the id of each message follows from what it says."""
    return Decoded(
        events=[_event(each) for each in msgspec.json.decode(frame.body, type=list[Own])],
        rejects=[],
    )


def said_by_us(events: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return those of ``events`` (columns of ``events.EVENTS``) that say what `Own` messages do."""
    named = pc.is_in(events["event"], value_set=pa.array(names, pa.string()))
    return events.filter(pc.and_(named, is_own(events)))


def is_own(events: pa.Table) -> pa.ChunkedArray:
    """Say of each event whether it is what `Own` messages say, and so of no interest to people."""
    # Whatever a sender says is of somebody: nobody else can say these.
    nobody = pc.and_(pc.is_null(events["user_id"]), pc.is_null(events["anonymous_id"]))
    return pc.and_(pc.equal(events["source_id"], OURS), nobody)


def _event(said: Own) -> Event:
    properties = msgspec.json.encode(said.properties)
    digest = hashlib.sha256(b"%d:%b:%b" % (said.at_us, said.event.encode(), properties))
    return Event(
        message_id=f"own-{digest.hexdigest()[:32]}",
        type="track",
        event=said.event,
        user_id=None,
        anonymous_id=None,
        occurred_at_us=said.at_us,
        properties=properties.decode(),
        traits=None,
        context=None,
    )
