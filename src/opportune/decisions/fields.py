"""Which fields a use case puts to which use, and refusing those that a policy forbids."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from opportune.decisions.model import UseCase
from opportune.events import (
    Field,
    FieldForbidden,
    FieldPolicies,
    ForbiddenField,
    Metric,
    Use,
    forbidden_fields,
)
from opportune.segments import Segment, rule_fields, segment_fields

__all__ = ["FieldUse", "check_fields", "field_uses", "forbidden_uses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldUse:
    """Fields that stand at one place of a use case's definition, and what they are used for."""

    use: Use
    where: str
    fields: tuple[Field, ...]


def check_fields(
    use_case: UseCase,
    segments: Mapping[str, Segment],
    policies: FieldPolicies,
    *,
    metrics: Mapping[str, Metric],
    personal: Collection[Field],
) -> None:
    """Raise ``FieldForbidden`` if a policy forbids a use of a field: at the moment of use.

    ``personal`` are the fields that values tell by now.
    """
    found = list(forbidden_uses(use_case, segments, policies, metrics=metrics, personal=personal))
    if found:
        about = f"Use case '{use_case.name}'"
        raise FieldForbidden([(f"{about}, {where}", each) for where, each in found])


def forbidden_uses(
    use_case: UseCase,
    segments: Mapping[str, Segment | None],
    policies: FieldPolicies,
    *,
    metrics: Mapping[str, Metric | None],
    personal: Collection[Field] = frozenset(),
) -> Iterator[tuple[str, ForbiddenField]]:
    """Return what policies forbid, each with the place in the use case where it stands."""
    for each in field_uses(use_case, segments, metrics):
        for found in forbidden_fields(each.use, each.fields, policies, personal=personal):
            yield each.where, found


def field_uses(
    use_case: UseCase,
    segments: Mapping[str, Segment | None],
    metrics: Mapping[str, Metric | None],
) -> Iterator[FieldUse]:
    """Return the fields of a use case by place; what cannot be read has none.

    Messages carry the names of options, which are no fields.
    """
    features = Use(kind="features", name=use_case.name)
    traits = tuple(Field(kind="trait", name=feature.trait) for feature in use_case.features)
    yield FieldUse(use=features, where="features", fields=traits)
    metric = metrics.get(use_case.success_metric)
    if metric is not None and metric.properties:
        read = tuple(
            Field(kind="property", name=name, event=event) for event, name in metric.properties
        )
        yield FieldUse(use=features, where=f"success_metric '{metric.name}'", fields=read)
    for where, rule in use_case.conditions:
        yield FieldUse(use=features, where=where, fields=rule_fields(rule))
    targeting = Use(kind="targeting", name=use_case.name)
    for name, fields in segment_fields((*use_case.audience, *use_case.minus), segments):
        yield FieldUse(use=targeting, where=f"segment '{name}'", fields=fields)
