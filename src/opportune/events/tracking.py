"""What is applied now about events: tracking plans, classes of fields, and policies for fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from opportune.documents import InvalidDefinition
from opportune.events.field_policies import FieldPolicies, parse_field_policies
from opportune.events.fields import CLASSES, FieldClasses
from opportune.events.plan import TrackingPlan, parse_plan
from opportune.storage import State, load_sql

__all__ = ["Tracking", "TrackingReader", "declared_classes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """The tracking plans by name's order, the declared classes, and the policies for fields."""

    plans: tuple[TrackingPlan, ...] = ()
    declared: FieldClasses = field(default_factory=FieldClasses)
    policies: FieldPolicies = field(default_factory=FieldPolicies)


class TrackingReader:
    """Reads what is applied again and again, and builds it anew only when a version changed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._versions: tuple[object, ...] | None = None
        self._tracking = Tracking()

    def read(self) -> Tracking:
        """Return the newest plans and classes: the same object until something was applied."""
        rows = self._state.rows(load_sql("opportune.events", "tracking_definitions"))
        versions = tuple((row["kind"], row["name"], row["version"]) for row in rows)
        if versions != self._versions:
            self._tracking = _tracking(
                {row["name"]: row["body"] for row in rows if row["kind"] == "tracking_plan"},
                {row["name"]: row["body"] for row in rows if row["kind"] == "settings"},
            )
            self._versions = versions
        return self._tracking


def declared_classes(body: Mapping[str, object]) -> dict[str, str]:
    """Return the class of each name that settings of properties or traits declare."""
    return {
        str(name): each for each in CLASSES for name in cast(Sequence[object], body.get(each, ()))
    }


def _tracking(
    plans: Mapping[str, Mapping[str, object]], settings: Mapping[str, Mapping[str, object]]
) -> Tracking:
    problems: list[str] = []
    parsed = [parse_plan(name, body, problems) for name, body in plans.items()]
    declared = FieldClasses(
        properties=declared_classes(settings.get("properties", {})),
        traits=declared_classes(settings.get("traits", {})),
    )
    policies = parse_field_policies(
        settings.get("privacy", {}), problems, classes=declared, use_cases=None
    )
    if problems:
        raise InvalidDefinition(problems)
    return Tracking(
        plans=tuple(plan for plan in parsed if plan is not None),
        declared=declared,
        policies=policies,
    )
