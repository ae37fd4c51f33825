"""Segments: named rules over profiles, and who is in them since when.

Invariants: membership is kept as intervals, so history does not move; a refresh that finds the same
members changes nothing.

Deliberately absent: rules over events, live membership.
"""

from opportune.segments.model import Segment, parse_segment
from opportune.segments.refresh import refresh

__all__ = ["Segment", "parse_segment", "refresh"]
