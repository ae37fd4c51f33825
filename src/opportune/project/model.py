"""What is defined, as written and as understood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from opportune.activation import Destination
from opportune.activation.braze import BrazeSegment
from opportune.decisions import UseCase
from opportune.errors import NotFound, nearest
from opportune.events import FieldClasses, FieldPolicies, Metric, TrackingPlan
from opportune.profiles import ComputedTrait, ConsentRules
from opportune.segments import Audience, Segment

__all__ = [
    "CONSENT",
    "HOLDOUT",
    "IDENTITY",
    "KINDS",
    "PRIVACY",
    "SAID",
    "Body",
    "Definitions",
    "Project",
    "ProjectNotFound",
]

# Folder of the project -> kind of the definition.
KINDS = {
    **{"destinations": "destination", "metrics": "metric"},
    **{"segments": "segment", "audiences": "audience"},
    **{"tracking_plans": "tracking_plan", "use_cases": "use_case"},
    **{"computed_traits": "computed_trait", "braze_segments": "braze_segment"},
}
IDENTITY = "identity"
PRIVACY = "privacy"
CONSENT = "consent"
HOLDOUT = "holdout"
# What holds for everything.
SAID = (IDENTITY, PRIVACY, CONSENT, HOLDOUT)

Body = Mapping[str, object]


class ProjectNotFound(NotFound):
    """The folder of a project, or a name in it, is not there."""

    code = "project_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything that is defined, checked against each other."""

    metrics: Mapping[str, Metric]
    segments: Mapping[str, Segment]
    use_cases: Mapping[str, UseCase]
    tracking_plans: Mapping[str, TrackingPlan] = field(default_factory=dict)
    classes: FieldClasses = field(default_factory=FieldClasses)
    field_policies: FieldPolicies = field(default_factory=FieldPolicies)
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    audiences: Mapping[str, Audience] = field(default_factory=dict)
    consent: ConsentRules | None = None
    computed_traits: Mapping[str, ComputedTrait] = field(default_factory=dict)
    braze_segments: Mapping[str, BrazeSegment] = field(default_factory=dict)

    def use_case(self, name: str) -> UseCase:
        """Return one use case, or raise ``ProjectNotFound`` with the nearest name."""
        if name not in self.use_cases:
            raise ProjectNotFound(f"No use case '{name}'. {nearest(name, self.use_cases)}")
        return self.use_cases[name]

    def metric(self, name: str) -> Metric:
        """Return one metric, or raise ``ProjectNotFound`` with the nearest name."""
        if name not in self.metrics:
            raise ProjectNotFound(f"No metric '{name}'. {nearest(name, self.metrics)}")
        return self.metrics[name]

    def metric_of(self, use_case: UseCase) -> Metric:
        """Return the success metric of a use case."""
        return self.metrics[use_case.success_metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """As written: kind -> name -> body, None for one that is there but cannot be read.

    ``classes`` has the declared class of each property and trait, ``said`` what holds for
    everything by name (`SAID`), where anything was ever said of it.
    """

    bodies: Mapping[str, Mapping[str, Body | None]]
    classes: FieldClasses
    versions: Mapping[str, int]
    said: Mapping[str, Body]
