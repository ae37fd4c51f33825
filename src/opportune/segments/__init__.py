"""Segments: named rules over profiles, and who is in them since when.

Invariants: membership is kept as intervals, so history does not move; a refresh that finds the same
members changes nothing; no segment is made of itself.

Deliberately absent: live membership.
"""

from opportune.segments.fields import rule_fields, segment_fields
from opportune.segments.model import Segment, parse_segment
from opportune.segments.references import check_references, in_order
from opportune.segments.refresh import refresh

__all__ = [
    "Segment",
    "check_references",
    "in_order",
    "parse_segment",
    "refresh",
    "rule_fields",
    "segment_fields",
]
