"""A tracking plan: which events a source may send, and what their fields must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, cast

import pyarrow as pa
import pyarrow.compute as pc

from opportune.documents import Document
from opportune.errors import nearest
from opportune.events.message import TYPES
from opportune.events.own import OURS

__all__ = ["FIELD_TYPES", "PlannedEvent", "PlannedField", "TrackingPlan", "parse_plan"]

FIELD_TYPES = (
    *("any", "array", "boolean", "date-time", "integer", "null", "number", "object", "string"),
)
ACTIONS = ("accept", "block")
# Of these, the traits are planned; of all others, the properties.
WITH_TRAITS = ("group", "identify")
PATTERN_CHARACTERS = 500

Action = Literal["accept", "block"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedField:
    """What a property or trait must be; ``pattern`` is searched for in texts (RE2)."""

    name: str
    types: tuple[str, ...]
    required: bool
    pattern: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEvent:
    """One event and its fields; other types than track have no ``event`` name but their type."""

    type: str
    event: str
    fields: Mapping[str, PlannedField]

    @property
    def kind(self) -> str:
        """What its fields are: "trait" or "property"."""
        return "trait" if self.type in WITH_TRAITS else "property"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingPlan:
    """What the ``sources`` (none: all) may send, and what becomes of what breaks it.

    "accept" stores and counts it, "block" makes it a reject.
    """

    name: str
    title: str
    sources: tuple[str, ...]
    unplanned_events: Action
    unplanned_properties: Action
    violations: Action
    events: Mapping[tuple[str, str], PlannedEvent]

    def speaks_for(self, source_id: str) -> bool:
        """Say whether what this source sends is checked; our own events never are."""
        return source_id in self.sources if self.sources else source_id != OURS


def parse_plan(name: str, body: Mapping[str, object], problems: list[str]) -> TrackingPlan | None:
    """Read ``tracking_plans/{name}.toml``; mistakes are added to ``problems``, then None.

    >>> order = {"name": "Order Completed", "properties": {"revenue": {"type": "number"}}}
    >>> parse_plan("shop", {"events": [order]}, []).events["track", "Order Completed"].fields.keys()
    dict_keys(['revenue'])
    """
    before = len(problems)
    document = Document(body, f"tracking_plans/{name}.toml", problems)
    plan = TrackingPlan(
        name=name,
        title=document.text("title", name),
        sources=document.texts("sources", ()),
        unplanned_events=_action(document, "unplanned_events"),
        unplanned_properties=_action(document, "unplanned_properties"),
        violations=_action(document, "violations"),
        events=_events(document),
    )
    document.close()
    return plan if len(problems) == before else None


def _action(document: Document, key: str) -> Action:
    action = document.text(key, "accept")
    if action and action not in ACTIONS:
        document.wrong(key, f"{action!r} given. {nearest(action, ACTIONS)}")
    return cast(Action, action)


def _events(document: Document) -> Mapping[tuple[str, str], PlannedEvent]:
    events: dict[tuple[str, str], PlannedEvent] = {}
    for each in document.tables("events"):
        planned = _event(each)
        key = (planned.type, planned.event)
        if key in events:
            each.wrong("name", f"'{planned.event}' is in the plan already.")
        events[key] = planned
    return MappingProxyType(events)


def _event(document: Document) -> PlannedEvent:
    type_ = document.text("type", "track")
    if type_ and type_ not in TYPES:
        document.wrong("type", f"{type_!r} given. {nearest(type_, TYPES)}")
    fields = document.table("traits" if type_ in WITH_TRAITS else "properties", required=False)
    planned = PlannedEvent(
        type=type_,
        event=document.text("name") if type_ == "track" else type_,
        fields=MappingProxyType({name: _field(name, fields.table(name)) for name in fields.body}),
    )
    document.close()
    return planned


def _field(name: str, document: Document) -> PlannedField:
    types = _types(document)
    pattern = document.text("pattern", "")
    if pattern and not {"any", "date-time", "string"} & set(types):
        document.wrong("pattern", 'only texts have one. Add type = "string", or take it out.')
    elif pattern and (mistake := _mistake(pattern)):
        document.wrong("pattern", mistake)
    field = PlannedField(
        name=name,
        types=types,
        required=document.flag("required", default=False),
        pattern=pattern or None,
    )
    document.close()
    return field


def _types(document: Document) -> tuple[str, ...]:
    given = document.optional("type")
    if given is None:
        return ("any",)
    types = (document.text("type"),) if isinstance(given, str) else document.texts("type")
    if given == []:
        document.wrong("type", "name at least one type, or leave the key out.")
    for each in types:
        if each and each not in FIELD_TYPES:
            document.wrong("type", f"{each!r} given. {nearest(each, FIELD_TYPES)}")
    return types


def _mistake(pattern: str) -> str | None:
    if len(pattern) > PATTERN_CHARACTERS:
        return f"{len(pattern)} characters given, at most {PATTERN_CHARACTERS} are allowed."
    try:
        pc.match_substring_regex(pa.array([""]), pattern=pattern)
    except pa.ArrowInvalid as error:
        return f"{pattern!r} is no pattern of RE2: {str(error).partition(': ')[2]}."
    return None
