"""Segments that are made of other segments: whether they exist, and which comes first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opportune.errors import nearest
from opportune.rules import uses
from opportune.segments.model import Segment, parse_segment

__all__ = ["check_references", "in_order", "parse_segments"]


def parse_segments(
    bodies: Mapping[str, Mapping[str, object] | None], problems: list[str]
) -> dict[str, Segment | None]:
    """Read all segments and check them against each other; None is one that cannot be read."""
    segments = {
        name: None if body is None else parse_segment(name, body, problems)
        for name, body in bodies.items()
    }
    check_references(segments, problems)
    return segments


def check_references(segments: Mapping[str, Segment | None], problems: list[str]) -> None:
    """Note every segment that is made of one that does not exist, or of itself.

    None is one that cannot be read: it exists.
    """
    for name, segment in segments.items():
        where = f"segments/{name}.toml: rule"
        for part in _parts(segment):
            if part not in segments:
                problems.append(f"{where}: no segment '{part}'. {nearest(part, segments)}")
        circle = _circle(name, segments)
        if circle:
            problems.append(
                f"{where}: it is made of itself: {' > '.join(circle)}. Break the circle."
            )


def in_order(names: Iterable[str], segments: Mapping[str, Segment]) -> tuple[str, ...]:
    """Return the segments and all that they are made of, each once and after its parts.

    No segment may be made of itself: `check_references` finds that.

    >>> from opportune.rules import parse
    >>> rules = {"gold": {"trait": "plan", "is": "gold"}, "vip": {"segment": "gold"}}
    >>> segments = {
    ...     name: Segment(name=name, title=name, rule=parse(rule, where=name))
    ...     for name, rule in rules.items()
    ... }
    >>> in_order(["vip"], segments)
    ('gold', 'vip')
    """
    return tuple(dict.fromkeys(each for name in names for each in _after_parts(name, segments)))


def _after_parts(name: str, segments: Mapping[str, Segment]) -> Iterator[str]:
    for part in _parts(segments[name]):
        yield from _after_parts(part, segments)
    yield name


def _parts(segment: Segment | None) -> list[str]:
    return [] if segment is None else sorted(uses(segment.rule).segments)


def _circle(name: str, segments: Mapping[str, Segment | None]) -> list[str]:
    """Return the way from a segment back to itself, or nothing."""
    ways = [[name]]
    seen = set()
    while ways:
        way = ways.pop()
        for part in _parts(segments.get(way[-1])):
            if part == name:
                return [*way, name]
            if part not in seen:
                seen.add(part)
                ways.append([*way, part])
    return []
