"""Segments: named rules over profiles, and who is in them since when.

Segments that are defined follow every event: their members change in the transaction that takes
events in, and when time alone moves somebody. Invariants: membership is kept as intervals, so
history does not move; members are those that the rule holds for in bulk, whatever the batches and
whoever merged or cut profiles meanwhile; a refresh that finds the same members changes nothing; no
segment is made of itself, nor of what segments say; the log is told of each change once.

Deliberately absent: telling anybody of the members that a new rule begins with.
"""

from opportune.segments.announce import announce
from opportune.segments.audience import (
    EVERY_CHANNEL,
    Audience,
    audience_sizes,
    parse_audiences,
)
from opportune.segments.current import current
from opportune.segments.define import Written, define, written
from opportune.segments.fields import rule_fields, segment_fields
from opportune.segments.fill import catch_up, fill, sweep, sync
from opportune.segments.live import DUE_AT_ONCE, follow
from opportune.segments.model import OWN_EVENTS, Segment, parse_segment
from opportune.segments.preview import Preview, Sampled, preview
from opportune.segments.references import check_references, in_order, parse_segments
from opportune.segments.refresh import refresh
from opportune.segments.show import (
    Overlap,
    People,
    Person,
    SegmentDay,
    SegmentState,
    Sharing,
    UnknownSegment,
    known,
    overlap,
    people,
    sharing,
    states,
    trend,
)
from opportune.segments.told import MEMBERSHIPS, begin_hearing, end_hearing, hear, tell
from opportune.segments.watch import Watch, WatchReader

__all__ = [
    "DUE_AT_ONCE",
    "EVERY_CHANNEL",
    "MEMBERSHIPS",
    "OWN_EVENTS",
    "Audience",
    "Overlap",
    "People",
    "Person",
    "Preview",
    "Sampled",
    "Segment",
    "SegmentDay",
    "SegmentState",
    "Sharing",
    "UnknownSegment",
    "Watch",
    "WatchReader",
    "Written",
    "announce",
    "audience_sizes",
    "begin_hearing",
    "catch_up",
    "check_references",
    "current",
    "define",
    "end_hearing",
    "fill",
    "follow",
    "hear",
    "in_order",
    "known",
    "overlap",
    "parse_audiences",
    "parse_segment",
    "parse_segments",
    "people",
    "preview",
    "refresh",
    "rule_fields",
    "segment_fields",
    "sharing",
    "states",
    "sweep",
    "sync",
    "tell",
    "trend",
    "written",
]
