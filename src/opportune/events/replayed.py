"""A reject that is sent again: how it lies in the log, and what became of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec
from msgspec import Raw

from opportune.events.decode import MalformedBody
from opportune.events.model import Decoded, Decoder
from opportune.storage import Frame

__all__ = [
    "REPLAY",
    "Outcome",
    "Replayed",
    "decode_replay",
    "encode_replay",
    "first_index",
    "outcomes",
]

# The kind of its frames, and the kind of request that it is taken for.
REPLAY = "replay"
BATCH = "batch"


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """One reject that is sent again; ``body`` is a batch, mostly of one message.

    The source and the time of receipt are those of its frame. ``index`` is the message's place in
    the request it first came with, -1 for a whole request; ``sent_at_us`` tells attempts apart.
    """

    index: int
    code: str
    sent_at_us: int
    body: Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one attempt: "accepted" (stored now or before) or "refused"."""

    source_id: str
    received_at_us: int
    index: int
    code: str
    sent_at_us: int
    outcome: str


_REPLAYED = msgspec.json.Decoder(Replayed)


def encode_replay(attempt: Replayed) -> bytes:
    """Return the body of the frame of one attempt."""
    return msgspec.json.encode(attempt)


def decode_replay(decoders: Mapping[str, Decoder]) -> Decoder:
    """Return a decoder that takes what is sent again the way that any batch takes."""

    def decode(frame: Frame) -> Decoded:
        attempt = _read(frame)
        decoded = decoders[BATCH](replace(frame, kind=BATCH, body=bytes(attempt.body)))
        if attempt.index < 0:
            return decoded
        rejects = [msgspec.structs.replace(each, index=attempt.index) for each in decoded.rejects]
        return Decoded(events=decoded.events, rejects=rejects)

    return decode


def first_index(frame: Frame) -> int | None:
    """Return the place in its first request of a message sent again; None for any other frame."""
    index = _read(frame).index if frame.kind == REPLAY else -1
    return index if index >= 0 else None


def outcomes(frames: Iterable[Frame], *, refused: Iterable[Frame]) -> list[Outcome]:
    """Say what became of the attempts among ``frames``; ``refused`` are those with a refusal."""
    places = {(frame.segment, frame.offset) for frame in refused}
    attempts = [(frame, _read(frame)) for frame in frames if frame.kind == REPLAY]
    return [
        Outcome(
            source_id=frame.source_id,
            received_at_us=frame.received_at_us,
            index=attempt.index,
            code=attempt.code,
            sent_at_us=attempt.sent_at_us,
            outcome="refused" if (frame.segment, frame.offset) in places else "accepted",
        )
        for frame, attempt in attempts
    ]


def _read(frame: Frame) -> Replayed:
    try:
        return _REPLAYED.decode(frame.body)
    except msgspec.DecodeError as cause:
        raise MalformedBody(f"A replayed reject cannot be read: {cause}.") from cause
