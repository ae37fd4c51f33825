"""Which fields have a class or a label, who names them, and what breaks a policy now."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from opportune.decisions import UseCase, forbidden_uses
from opportune.events import (
    BUILT_IN,
    USES,
    Field,
    FieldPolicies,
    field_labels,
    known_fields,
    personal_fields,
)
from opportune.reports.usage import Defined, Usage, usage
from opportune.storage import State

__all__ = ["FieldReport", "LabelledField", "PolicyInForce", "PolicyViolation", "field_report"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInForce:
    """One policy for fields; what is ``built_in`` is in force in every project."""

    name: str
    title: str
    forbids: tuple[str, ...]
    applies_to: tuple[str, ...]
    built_in: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledField:
    """A field that is not just free: its class and labels, each with the reason, and who names it.

    ``kind`` is "property" (of any event) or "trait"; a reason is "declared", "name", "value",
    "label" or "source" (a field that it is computed from).
    """

    kind: str
    name: str
    labels: Mapping[str, str]
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyViolation:
    """A use that is refused from now on: where it is defined, of which field, and who names that.

    ``event`` is None for a trait; ``because`` is a reason as a `LabelledField` has them.
    """

    definition: str
    where: str
    use: str
    kind: str
    name: str
    event: str | None
    label: str
    because: str
    policy: str
    message: str
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldReport:
    """What fields may be used for; ``uses`` has the meaning of each kind of use."""

    as_of: datetime
    uses: Mapping[str, str]
    policies: tuple[PolicyInForce, ...]
    fields: tuple[LabelledField, ...]
    violations: tuple[PolicyViolation, ...]


def field_report(state: State, defined: Defined, *, now: datetime) -> FieldReport:
    """Report the policies, the fields they may speak of, and what breaks them now.

    A violation is of what was applied before a value told that its field is personal.
    """
    policies, used = defined.field_policies, usage(defined)
    personal = personal_fields(state)
    return FieldReport(
        as_of=now,
        uses=dict(USES),
        policies=tuple(
            PolicyInForce(
                name=each.name,
                title=each.title,
                forbids=each.forbids,
                applies_to=each.applies_to,
                built_in=each in BUILT_IN,
            )
            for each in policies.policies
        ),
        fields=tuple(_labelled(known_fields(state), policies, personal, used)),
        violations=tuple(
            violation
            for each in defined.use_cases.values()
            for violation in _violations(each, defined, personal=personal, used=used)
        ),
    )


def _labelled(
    known: Collection[Field], policies: FieldPolicies, personal: Collection[Field], used: Usage
) -> Iterator[LabelledField]:
    classes = policies.classes
    names = {
        *((each.kind, each.name) for each in known),
        *(("property", name) for name in classes.properties),
        *(("trait", name) for name in classes.traits),
        *policies.labels,
    }
    for kind, name in sorted(names):
        field = Field(kind=kind, name=name)
        if labels := field_labels(field, policies, personal=personal):
            users = used.of_field(kind, None, name)
            yield LabelledField(kind=kind, name=name, labels=labels, used_by=users)


def _violations(
    use_case: UseCase, defined: Defined, *, personal: Collection[Field], used: Usage
) -> Iterator[PolicyViolation]:
    policies = defined.field_policies
    forbidden = forbidden_uses(
        use_case, defined.segments, policies, metrics=defined.metrics, personal=personal
    )
    for where, found in forbidden:
        yield PolicyViolation(
            definition=f"use_case/{use_case.name}",
            where=where,
            use=str(found.use),
            kind=found.field.kind,
            name=found.field.name,
            event=found.field.event,
            label=found.label,
            because=found.because,
            policy=found.policy,
            message=found.message,
            used_by=used.of_field(found.field.kind, found.field.event, found.field.name),
        )
