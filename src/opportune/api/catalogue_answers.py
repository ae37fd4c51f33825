"""What is asked and answered about what arrives: the shapes of the JSON."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from opportune.events import REJECTS_PAGE

__all__ = [
    "CatalogueAnswer",
    "EventAnswer",
    "EventFieldsAnswer",
    "FieldAnswer",
    "ListRejects",
    "RejectAnswer",
    "RejectsAnswer",
    "ReplayAnswer",
    "ReplayRequest",
    "TailAnswer",
    "TailEvent",
    "Text",
]

# No database holds a NUL: there is nothing of such a name.
Text = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")] | None


class EventAnswer(BaseModel):
    """One event of one source. ``events`` are stored, ``blocked`` were refused by a plan."""

    source: str
    type: str
    event: str
    events: int
    events_24h: int
    events_7d: int
    flagged: int
    blocked: int
    unplanned: int
    fields: int
    first_seen_at: datetime
    last_seen_at: datetime
    used_by: list[str]


class CatalogueAnswer(BaseModel):
    """All events; ``full_sources`` have more names than are kept apart.

    ``nearest`` is the event with the nearest name, when one that was never seen is asked for.
    """

    as_of: datetime
    events: list[EventAnswer]
    full_sources: list[str]
    nearest: EventAnswer | None


class FieldAnswer(BaseModel):
    """One property or trait; ``sample`` is masked unless its class is free."""

    source: str
    type: str
    kind: str
    name: str
    types: dict[str, int]
    fill_share: float | None
    field_class: str
    class_because: str
    sample: str | None
    violations: dict[str, int]
    first_seen_at: datetime | None
    last_seen_at: datetime | None
    used_by: list[str]


class EventFieldsAnswer(BaseModel):
    """One event with its fields, from each of its sources."""

    as_of: datetime
    events: list[EventAnswer]
    fields: list[FieldAnswer]


class RejectAnswer(BaseModel):
    """One reject; ``state`` is open, waiting, replayed or refused again."""

    id: str
    source: str
    received_at: datetime
    index: int
    code: str
    reason: str
    message_id: str | None
    event: str | None
    payload: str
    state: str


class RejectsAnswer(BaseModel):
    """One page, the newest first; ``next`` is what to give as ``before`` for the next page."""

    rejects: list[RejectAnswer]
    next: str | None


class ReplayRequest(BaseModel):
    """Ids, or what the rejects to send again have in common."""

    model_config = ConfigDict(extra="forbid")
    ids: Annotated[list[str], Field(max_length=REJECTS_PAGE)] | None = None
    code: Text = None
    source: Text = None
    event: Text = None
    since: datetime | None = None


class ReplayAnswer(BaseModel):
    """What was sent again, and what was not: done before, on its way, or unusable and why."""

    sent: list[str]
    done: list[str]
    waiting: list[str]
    unusable: dict[str, str]


class TailEvent(BaseModel):
    """One of the newest events; ``place`` orders them, identifiers are masked."""

    place: int
    message_id: str | None
    source: str
    type: str | None
    event: str | None
    occurred_at: datetime | None
    received_at: datetime
    user: str | None
    anonymous: str | None
    outcome: str
    reason: str | None


class TailAnswer(BaseModel):
    """The newest events, the oldest first; ``next`` is what to give as ``after`` next time."""

    events: list[TailEvent]
    next: int


class ListRejects(BaseModel):
    """Which rejects to list."""

    model_config = ConfigDict(extra="forbid")
    code: Text = None
    source: Text = None
    event: Text = None
    since: datetime | None = None
    open: bool = False
    before: Text = None
    limit: Annotated[int, Field(ge=1, le=REJECTS_PAGE)] = 100
