"""Events: what happened, as one append-only table, and metrics, which are sums over it.

`decode_segment` makes events and rejects of an accepted request and is pure: the collector asks it
before it answers, the normaliser asks again behind the log, and both hear the same. `record` stores
them: every message once, every reject with its reason, and how far the log was read in the same
commit.

Invariants: an event is never changed; a message id is stored once; a message that breaks a rule is
kept as a reject and never fails its neighbours; reading the log again gives the same ids.

Deliberately absent: profiles. An event carries identifiers; who they are, ``profiles`` says.
"""

from opportune.events.decode import EmptyBatch, MalformedBody, decode_segment
from opportune.events.deduplicate import Deduplicator, seed
from opportune.events.metric import Metric, parse_metric
from opportune.events.model import EVENTS, LIMITS, REJECTS, Decoded, Decoder, Event, Limits, Reject
from opportune.events.record import (
    Recorded,
    create_tables,
    event_table,
    record,
    stored_offsets,
)

__all__ = [
    "EVENTS",
    "LIMITS",
    "REJECTS",
    "Decoded",
    "Decoder",
    "Deduplicator",
    "EmptyBatch",
    "Event",
    "Limits",
    "MalformedBody",
    "Metric",
    "Recorded",
    "Reject",
    "create_tables",
    "decode_segment",
    "event_table",
    "parse_metric",
    "record",
    "seed",
    "stored_offsets",
]
