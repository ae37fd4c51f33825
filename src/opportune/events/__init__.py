"""Events: what happened, as one append-only table, and metrics, which are sums over it.

`decode_segment` makes events and rejects of an accepted request, behind the log; `check_segment`
finds the same rejects faster, before the collector answers. Both are pure. `record` stores them:
every message once, every reject with its reason, and how far the log was read in the same commit.
`violations` says which events break a tracking plan, `count` what a batch adds to the catalogue,
`replay` sends rejects again, `tail` has the newest. `forbidden_fields` says which fields may not be
put to a use: who lets values matter or leave asks it first.

Invariants: an event is never changed; a message id is stored once; a message that breaks a rule is
kept as a reject and never fails its neighbours; reading the log again gives the same ids; the
catalogue counts what is stored, once, and has no value of a field that may be personal.

Deliberately absent: profiles. An event carries identifiers; who they are, ``profiles`` says.
"""

from opportune.events.catalogue import OTHERS, Counts, count, keep_counts
from opportune.events.decode import EmptyBatch, MalformedBody, check_segment, decode_segment
from opportune.events.deduplicate import Deduplicator, seed
from opportune.events.evidence import metric_evidence, metric_values
from opportune.events.field_policies import (
    BUILT_IN,
    USES,
    Field,
    FieldForbidden,
    FieldPolicies,
    FieldPolicy,
    ForbiddenField,
    Use,
    counted_fields,
    field_labels,
    forbidden_fields,
    known_fields,
    parse_field_policies,
    personal_fields,
)
from opportune.events.fields import FieldClass, FieldClasses, field_class, read_classes
from opportune.events.meant import meant
from opportune.events.message import KINDS
from opportune.events.metric import Aggregate, Metric
from opportune.events.minutes import Minute, keep_minutes, minutes
from opportune.events.model import (
    EVENTS,
    LIMITS,
    REJECTS,
    Decoded,
    Decoder,
    Event,
    Limits,
    Reject,
    limits,
)
from opportune.events.own import OURS, OWN, Own, decode_own, own_frame, said_by_us
from opportune.events.parse_metric import parse_metric, parse_metrics
from opportune.events.plan import TrackingPlan, parse_plan
from opportune.events.recall import recall
from opportune.events.record import (
    Check,
    Recorded,
    create_tables,
    event_table,
    record,
    stored_offsets,
)
from opportune.events.rejects import (
    REJECTS_PAGE,
    NothingChosen,
    Refusal,
    RejectFilter,
    Replay,
    keep_outcomes,
    rejects,
    replay,
)
from opportune.events.replayed import REPLAY, decode_replay
from opportune.events.seen import (
    SeenEvent,
    SeenField,
    UnknownEvent,
    field_names,
    nearest_event,
    seen_event,
    seen_events,
    seen_fields,
)
from opportune.events.tail import TAIL_PAGE, TailRow, keep_tail, tail
from opportune.events.tracking import Tracking, TrackingReader, declared_classes
from opportune.events.violations import Checked, violations

__all__ = [
    "Aggregate",
    "BUILT_IN",
    "EVENTS",
    "KINDS",
    "LIMITS",
    "OTHERS",
    "OURS",
    "OWN",
    "REJECTS",
    "REJECTS_PAGE",
    "REPLAY",
    "TAIL_PAGE",
    "USES",
    "Check",
    "Checked",
    "Counts",
    "Decoded",
    "Decoder",
    "Deduplicator",
    "EmptyBatch",
    "Event",
    "Field",
    "FieldClass",
    "FieldClasses",
    "FieldForbidden",
    "FieldPolicies",
    "FieldPolicy",
    "ForbiddenField",
    "Limits",
    "MalformedBody",
    "Metric",
    "Minute",
    "NothingChosen",
    "Own",
    "Recorded",
    "Refusal",
    "Reject",
    "RejectFilter",
    "Replay",
    "SeenEvent",
    "SeenField",
    "TailRow",
    "Tracking",
    "TrackingPlan",
    "TrackingReader",
    "UnknownEvent",
    "Use",
    "check_segment",
    "count",
    "counted_fields",
    "create_tables",
    "declared_classes",
    "decode_own",
    "decode_replay",
    "decode_segment",
    "event_table",
    "field_class",
    "field_labels",
    "field_names",
    "forbidden_fields",
    "keep_counts",
    "keep_minutes",
    "keep_outcomes",
    "keep_tail",
    "known_fields",
    "limits",
    "meant",
    "metric_evidence",
    "metric_values",
    "minutes",
    "nearest_event",
    "own_frame",
    "parse_field_policies",
    "parse_metric",
    "parse_metrics",
    "parse_plan",
    "personal_fields",
    "read_classes",
    "recall",
    "record",
    "rejects",
    "replay",
    "said_by_us",
    "seed",
    "seen_event",
    "seen_events",
    "seen_fields",
    "stored_offsets",
    "tail",
    "violations",
]
