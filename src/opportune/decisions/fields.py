"""Which fields a use case puts to which use, and refusing those that a policy forbids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from opportune.decisions.model import UseCase
from opportune.events import (
    Field,
    FieldForbidden,
    FieldPolicies,
    ForbiddenField,
    Use,
    forbidden_fields,
)
from opportune.rules import Uses, uses
from opportune.segments import Segment

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
    personal: Collection[Field],
) -> None:
    """Raise ``FieldForbidden`` if a policy forbids a use of a field: at the moment of use.

    ``personal`` are the fields that values tell by now.
    """
    found = list(forbidden_uses(use_case, segments, policies, personal=personal))
    if found:
        about = f"Use case '{use_case.name}'"
        raise FieldForbidden([(f"{about}, {where}", each) for where, each in found])


def forbidden_uses(
    use_case: UseCase,
    segments: Mapping[str, Segment | None],
    policies: FieldPolicies,
    *,
    personal: Collection[Field] = frozenset(),
) -> Iterator[tuple[str, ForbiddenField]]:
    """Return what policies forbid, each with the place in the use case where it stands."""
    for each in field_uses(use_case, segments):
        for found in forbidden_fields(each.use, each.fields, policies, personal=personal):
            yield each.where, found


def field_uses(use_case: UseCase, segments: Mapping[str, Segment | None]) -> Iterator[FieldUse]:
    """Return the fields of a use case by place; segments that cannot be read have none.

    Messages carry the names of options, which are no fields.
    """
    features = Use(kind="features", name=use_case.name)
    traits = tuple(Field(kind="trait", name=feature.trait) for feature in use_case.features)
    yield FieldUse(use=features, where="features", fields=traits)
    for dimension in use_case.dimensions:
        for option in dimension.options:
            if option.eligible is not None:
                where = f"dimensions.{dimension.name}.{option.name}.eligible"
                fields = _fields(uses(option.eligible))
                yield FieldUse(use=features, where=where, fields=fields)
    targeting = Use(kind="targeting", name=use_case.name)
    for name, used in _segments((*use_case.audience, *use_case.minus), segments):
        yield FieldUse(use=targeting, where=f"segment '{name}'", fields=_fields(used))


def _fields(used: Uses) -> tuple[Field, ...]:
    traits = [Field(kind="trait", name=name) for name in sorted(used.traits)]
    properties = sorted(used.properties)
    return (
        *traits,
        *(Field(kind="property", name=name, event=event) for event, name in properties),
    )


def _segments(
    names: Iterable[str], segments: Mapping[str, Segment | None]
) -> Iterator[tuple[str, Uses]]:
    """Return what the segments read, and those that they are made of."""
    left = list(names)
    seen = set()
    while left:
        name = left.pop(0)
        segment = segments.get(name)
        if name not in seen and segment is not None:
            used = uses(segment.rule)
            yield name, used
            left += sorted(used.segments)
        seen.add(name)
