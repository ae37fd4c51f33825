"""Refuse a campaign whose columns a policy for fields does not let a use case learn from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from opportune.events import (
    Field,
    FieldForbidden,
    FieldPolicies,
    Use,
    forbidden_fields,
)
from opportune.events.fields import is_personal
from opportune.replay.model import Campaign, Outcome

__all__ = ["check_columns"]


def check_columns(campaign: Campaign, outcomes: Iterable[Outcome], policies: FieldPolicies) -> None:
    """Raise ``FieldForbidden`` if a policy forbids the column of a feature or of an outcome."""
    about = campaign.schema.where
    use = Use(kind="features", name=campaign.schema.title)
    traits = [Field(kind="trait", name=each.column) for each in campaign.schema.features]
    personal = frozenset(_told(campaign.traits))
    found = [
        (f"{about}, features", each)
        for each in forbidden_fields(use, traits, policies, personal=personal)
    ]
    found += [
        (f"{about}, outcome '{outcome.name}'", each)
        for outcome in outcomes
        for each in forbidden_fields(use, [Field(kind="property", name=outcome.column)], policies)
    ]
    if found:
        raise FieldForbidden(found)


def _told(columns: pa.Table) -> Iterator[Field]:
    """Yield the columns with a text that looks like one of a person."""
    for name in columns.column_names:
        values = columns[name]
        is_text = pa.types.is_string(values.type)
        if is_text and any(is_personal(each) for each in pc.unique(values).to_pylist() if each):
            yield Field(kind="trait", name=name)
