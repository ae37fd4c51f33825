"""Which definitions name an event, a property or a trait: who would notice if it stopped coming."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from opportune.activation import Destination
from opportune.activation.destination import EVERY
from opportune.decisions import UseCase
from opportune.events import FieldPolicies, Metric, TrackingPlan
from opportune.profiles import ComputedTrait
from opportune.rules import Rule, uses
from opportune.segments import Segment

__all__ = ["Defined", "Usage", "usage"]

Users = Mapping[str, tuple[str, ...]]
# Who names it, the event (None: a trait is named), the field ("": the event itself is named).
_Named = tuple[str, str | None, str]


class Defined(Protocol):
    """Everything that is defined, as a project has it: what may name something."""

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """Return the metrics by name."""
        ...

    @property
    def segments(self) -> Mapping[str, Segment]:
        """Return the segments by name."""
        ...

    @property
    def use_cases(self) -> Mapping[str, UseCase]:
        """Return the use cases by name."""
        ...

    @property
    def tracking_plans(self) -> Mapping[str, TrackingPlan]:
        """Return the tracking plans by name."""
        ...

    @property
    def computed_traits(self) -> Mapping[str, ComputedTrait]:
        """Return the computed traits by name."""
        ...

    @property
    def destinations(self) -> Mapping[str, Destination]:
        """Return the destinations by name."""
        ...

    @property
    def field_policies(self) -> FieldPolicies:
        """Return what fields may not be used for."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Definitions ("metric/revenue") by what they name; properties by (event, property).

    A property that is named of every event stands under the event ``EVERY``.
    """

    events: Users
    properties: Mapping[tuple[str, str], tuple[str, ...]]
    traits: Users

    def of_event(self, event: str) -> tuple[str, ...]:
        """Return who names an event."""
        return self.events.get(event, ())

    def of_field(self, kind: str, event: str | None, name: str) -> tuple[str, ...]:
        """Return who names a "property" of an event (None: of any), or a "trait"."""
        if kind == "trait":
            return self.traits.get(name, ())
        events = {event for event, _ in self.properties} if event is None else {event, EVERY}
        found = (self.properties.get((each, name), ()) for each in events)
        return tuple(sorted({user for users in found for user in users}))


def usage(defined: Defined) -> Usage:
    """Return which metrics, segments, use cases, plans, traits and destinations name what.

    A use case names what its success metric does, its features and what its options' rules read;
    a destination what it lists: one that takes everything names nothing by that.
    """
    named = [
        *_by_metrics(defined.metrics, defined.use_cases),
        *_by_rules(defined.segments, defined.use_cases, defined.computed_traits),
        *_by_plans(defined.tracking_plans),
        *_by_destinations(defined.destinations),
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
            yield from ((user, event, "") for event in metric.events)
            yield from ((user, event, field) for event, field in metric.properties)


def _by_rules(
    segments: Mapping[str, Segment],
    use_cases: Mapping[str, UseCase],
    computed_traits: Mapping[str, ComputedTrait],
) -> Iterator[_Named]:
    computed = ((f"computed_trait/{name}", each.rule) for name, each in computed_traits.items())
    for user, rule in (*_rules(segments, use_cases), *computed):
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


def _by_destinations(destinations: Mapping[str, Destination]) -> Iterator[_Named]:
    for name, each in destinations.items():
        yield from ((f"destination/{name}", event, "") for event in each.events - {EVERY})
        for event in each.events:
            listed = (field for field in each.properties if field != EVERY)
            yield from ((f"destination/{name}", event, field) for field in listed)
        yield from ((f"destination/{name}", None, trait) for trait in each.traits)


def _rules(
    segments: Mapping[str, Segment], use_cases: Mapping[str, UseCase]
) -> Iterator[tuple[str, Rule]]:
    for name, segment in segments.items():
        yield f"segment/{name}", segment.rule
    for name, use_case in use_cases.items():
        yield from ((f"use_case/{name}", rule) for _, rule in use_case.conditions)
