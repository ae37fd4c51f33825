"""Which definitions name an event, a property or a trait: who would notice if it stopped coming."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from opportune.decisions import UseCase
from opportune.events import Metric, TrackingPlan
from opportune.rules import Rule, uses
from opportune.segments import Segment

__all__ = ["Usage", "usage"]

Users = Mapping[str, tuple[str, ...]]
# Who names it, the event (None: a trait is named), the field ("": the event itself is named).
_Named = tuple[str, str | None, str]


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
    tracking_plans: Mapping[str, TrackingPlan],
) -> Usage:
    """Return which metrics, segments, use cases and tracking plans name what.

    A use case names what its success metric does, its features and what its options' rules read.
    """
    named = [
        *_by_metrics(metrics, use_cases),
        *_by_rules(segments, use_cases),
        *_by_plans(tracking_plans),
    ]
    events: dict[str, set[str]] = defaultdict(set)
    properties: dict[tuple[str, str], set[str]] = defaultdict(set)
    traits: dict[str, set[str]] = defaultdict(set)
    for user, event, field in named:
        if event is None:
            traits[field].add(user)
        elif field:
            properties[event, field].add(user)
        else:
            events[event].add(user)
    return Usage(
        events={event: tuple(sorted(users)) for event, users in events.items()},
        properties={pair: tuple(sorted(users)) for pair, users in properties.items()},
        traits={trait: tuple(sorted(users)) for trait, users in traits.items()},
    )


def _by_metrics(
    metrics: Mapping[str, Metric], use_cases: Mapping[str, UseCase]
) -> Iterator[_Named]:
    users = [(f"metric/{name}", name) for name in metrics]
    users += [(f"use_case/{name}", each.success_metric) for name, each in use_cases.items()]
    for user, name in users:
        if metric := metrics.get(name):
            yield user, metric.event, ""
            if metric.property is not None:
                yield user, metric.event, metric.property


def _by_rules(
    segments: Mapping[str, Segment], use_cases: Mapping[str, UseCase]
) -> Iterator[_Named]:
    for user, rule in _rules(segments, use_cases):
        used = uses(rule)
        yield from ((user, event, "") for event in used.events)
        yield from ((user, event, field) for event, field in used.properties)
        yield from ((user, None, trait) for trait in used.traits)
    for name, use_case in use_cases.items():
        yield from ((f"use_case/{name}", None, feature.trait) for feature in use_case.features)


def _by_plans(plans: Mapping[str, TrackingPlan]) -> Iterator[_Named]:
    for name, plan in plans.items():
        for planned in plan.events.values():
            event = None if planned.kind == "trait" else planned.event
            yield f"tracking_plan/{name}", planned.event, ""
            yield from ((f"tracking_plan/{name}", event, field) for field in planned.fields)


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
