"""Which fields a rule and a segment read: for the policies that say what fields may be used for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from opportune.events import Field
from opportune.rules import Rule, uses
from opportune.segments.model import Segment

__all__ = ["rule_fields", "segment_fields"]


def rule_fields(rule: Rule) -> tuple[Field, ...]:
    """Return the traits and properties that a rule reads; of its segments, `segment_fields` tells.

    >>> from opportune.rules import parse
    >>> rule = parse({"trait": "plan", "is": "plus"}, where="rule")
    >>> [str(field) for field in rule_fields(rule)]
    ["trait 'plan'"]
    """
    used = uses(rule)
    return (
        *(Field(kind="trait", name=name) for name in sorted(used.traits)),
        *(
            Field(kind="property", name=name, event=event)
            for event, name in sorted(used.properties)
        ),
    )


def segment_fields(
    names: Iterable[str], segments: Mapping[str, Segment | None]
) -> Iterator[tuple[str, tuple[Field, ...]]]:
    """Return the fields of the segments and of all that they are made of, each segment once.

    One that does not exist, or is None because it cannot be read, has none.
    """
    left = list(names)
    seen = set()
    while left:
        name = left.pop(0)
        segment = segments.get(name)
        if name not in seen and segment is not None:
            yield name, rule_fields(segment.rule)
            left += sorted(uses(segment.rule).segments)
        seen.add(name)
