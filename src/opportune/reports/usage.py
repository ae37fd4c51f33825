"""Which definitions name an event, a property or a trait: who would notice if it stopped coming."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from opportune.decisions import UseCase
from opportune.events import Metric
from opportune.profiles import ComputedTrait
from opportune.rules import Rule, uses
from opportune.segments import Segment

__all__ = ["Usage", "usage"]

Users = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Definitions ("metric/revenue") by what they name; properties by (event, property)."""

    events: Users
    properties: Mapping[tuple[str, str], tuple[str, ...]]
    traits: Users

    def of_field(self, kind: str, event: str, name: str) -> tuple[str, ...]:
        """Return who names a "property" of an event, or a "trait"."""
        return (
            self.traits.get(name, ()) if kind == "trait" else self.properties.get((event, name), ())
        )


def usage(
    metrics: Mapping[str, Metric],
    segments: Mapping[str, Segment],
    use_cases: Mapping[str, UseCase],
    computed_traits: Mapping[str, ComputedTrait],
) -> Usage:
    """Return which metrics, segments, use cases and computed traits name what."""
    events: dict[str, set[str]] = defaultdict(set)
    properties: dict[tuple[str, str], set[str]] = defaultdict(set)
    traits: dict[str, set[str]] = defaultdict(set)
    for name, metric in metrics.items():
        events[metric.event].add(f"metric/{name}")
        if metric.property is not None:
            properties[metric.event, metric.property].add(f"metric/{name}")
    computed = ((f"computed_trait/{name}", each.rule) for name, each in computed_traits.items())
    for user, rule in (*_rules(segments, use_cases), *computed):
        used = uses(rule)
        for event in used.events:
            events[event].add(user)
        for pair in used.properties:
            properties[pair].add(user)
        for trait in used.traits:
            traits[trait].add(user)
    for name, use_case in use_cases.items():
        if use_case.success_metric in metrics:
            events[metrics[use_case.success_metric].event].add(f"use_case/{name}")
        for feature in use_case.features:
            traits[feature.trait].add(f"use_case/{name}")
    return Usage(
        events={event: tuple(sorted(users)) for event, users in events.items()},
        properties={pair: tuple(sorted(users)) for pair, users in properties.items()},
        traits={trait: tuple(sorted(users)) for trait, users in traits.items()},
    )


def _rules(
    segments: Mapping[str, Segment], use_cases: Mapping[str, UseCase]
) -> Iterator[tuple[str, Rule]]:
    for name, segment in segments.items():
        yield f"segment/{name}", segment.rule
    for name, use_case in use_cases.items():
        for dimension in use_case.dimensions:
            for option in dimension.options:
                if option.eligible is not None:
                    yield f"use_case/{name}", option.eligible
