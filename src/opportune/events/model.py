"""The nouns of the log's content: events, rejects and their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pyarrow as pa

from opportune.settings import Settings
from opportune.storage.log import Frame

__all__ = [
    "EVENTS",
    "LIMITS",
    "REJECTS",
    "Decoded",
    "Decoder",
    "Event",
    "Limits",
    "Reject",
    "limits",
]

TIME = pa.timestamp("us", tz="UTC")

EVENTS = pa.schema(
    [
        pa.field("message_id", pa.string(), nullable=False),
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("event", pa.string()),
        pa.field("user_id", pa.string()),
        pa.field("anonymous_id", pa.string()),
        pa.field("occurred_at", TIME, nullable=False),
        pa.field("occurred_at_us", pa.int64(), nullable=False),
        pa.field("received_at", TIME, nullable=False),
        pa.field("received_at_us", pa.int64(), nullable=False),
        pa.field("properties", pa.string()),
        pa.field("traits", pa.string()),
        pa.field("context", pa.string()),
    ]
)

# index: the message's place in its request, -1 where the request as a whole could not be read.
REJECTS = pa.schema(
    [
        pa.field("source_id", pa.string(), nullable=False),
        pa.field("received_at", TIME, nullable=False),
        pa.field("index", pa.int32(), nullable=False),
        pa.field("message_id", pa.string()),
        pa.field("code", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("payload", pa.string(), nullable=False),
    ]
)


class Event(msgspec.Struct, frozen=True, gc=False):
    """One accepted event as it enters the lake.

    ``occurred_at_us`` is when it happened by our clock, in microseconds since 1970 UTC.
    ``properties``, ``traits`` and ``context`` are texts of JSON objects. What a message of another
    type says of itself is among its properties: name and category of a page or screen, ``groupId``
    of a group, ``previousId`` of an alias.
    """

    message_id: str
    type: str
    event: str | None
    user_id: str | None
    anonymous_id: str | None
    occurred_at_us: int
    properties: str | None
    traits: str | None
    context: str | None


class Reject(msgspec.Struct, frozen=True):
    """One message that breaks a rule; ``payload`` is its JSON, without keys, cut when too long."""

    index: int
    message_id: str | None
    code: str
    reason: str
    payload: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """What a frame says: each of its messages is either an event or a reject."""

    events: list[Event]
    rejects: list[Reject]


Decoder = Callable[[Frame], Decoded]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may carry. Segment's own limits are the defaults.

    ``batch_bytes`` is counted after decompression; ``fields`` are the properties of one event or
    the traits of one identify; ``message_id`` counts characters, as ``group_id`` does.
    """

    batch_bytes: int = 500_000
    message_bytes: int = 32_768
    messages: int = 2_500
    fields: int = 300
    message_id: int = 100
    group_id: int = 500


LIMITS = Limits()


def limits(settings: Settings) -> Limits:
    """Return what a request may carry here."""
    return Limits(batch_bytes=settings.max_batch_bytes, message_bytes=settings.max_message_bytes)
