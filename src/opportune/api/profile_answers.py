"""What the interface says of a profile: the shapes of its answers and requests."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "AccountAnswer",
    "ConsentAnswer",
    "ConsentRequest",
    "ConsentStated",
    "EmbedAnswer",
    "EmbedRequest",
    "EntryAnswer",
    "FactAnswer",
    "IdentifierAnswer",
    "JoinedAccountAnswer",
    "MemberAnswer",
    "MembershipAnswer",
    "MessageAnswer",
    "ProfileAnswer",
    "TimeZoneAnswer",
    "TimelineAnswer",
]

# No database holds a NUL.
Words = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
Short = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00]+$")]
Minutes = Annotated[int, Field(ge=1, le=60)]


class IdentifierAnswer(BaseModel):
    """An identifier, and since when it belongs to the profile."""

    kind: str
    value: str
    linked_at: datetime


class FactAnswer(BaseModel):
    """A trait with its source; times and source are null where they are not known any more."""

    trait: str
    value: object
    said_at: datetime | None
    age_s: float | None
    source: str | None
    message_id: str | None
    field_class: str
    class_because: str


class ConsentAnswer(BaseModel):
    """Whether something is allowed, and why: what was said last, or (null) the project's rule.

    Channel ``*`` is every channel that is not listed.
    """

    purpose: str
    channel: str
    allowed: bool
    state: Literal["granted", "unknown", "withdrawn"]
    said_at: datetime | None
    source: str | None
    message_id: str | None
    evidence: dict[str, object] | None


class TimeZoneAnswer(BaseModel):
    """Whose clock counts; ``known_from`` is missing or wrong where it is the default."""

    name: str
    known_from: Literal["trait", "context", "missing", "wrong"]


class MembershipAnswer(BaseModel):
    """A segment that the profile is in now."""

    segment: str
    entered_at: datetime


class JoinedAccountAnswer(BaseModel):
    """An account that the profile belongs to."""

    account_id: str
    joined_at: datetime


class MessageAnswer(BaseModel):
    """A decision that was to be sent, and what became of it."""

    decision_id: str
    use_case: str
    day: str
    action: dict[str, str]
    due_at: datetime
    state: str
    reason: str | None
    purpose: str | None
    channel: str | None
    attempted_at: datetime | None


class ProfileAnswer(BaseModel):
    """One profile; the id is a text because not every reader of JSON keeps 64 bits.

    ``traits`` has the values alone, ``facts`` each with its source and age.
    """

    profile_id: str
    as_of: datetime
    identifiers: list[IdentifierAnswer]
    traits: dict[str, object]
    facts: list[FactAnswer]
    consent: list[ConsentAnswer]
    time_zone: TimeZoneAnswer
    test_person: bool
    segments: list[MembershipAnswer]
    accounts: list[JoinedAccountAnswer]
    messages: list[MessageAnswer]
    first_seen_at: datetime
    last_seen_at: datetime


class EntryAnswer(BaseModel):
    """One thing that happened; ``facts`` are an event's properties, or what was decided."""

    kind: Literal["decision", "event", "membership", "message"]
    at: datetime
    id: str
    title: str
    source: str | None
    facts: dict[str, object]


class TimelineAnswer(BaseModel):
    """One page, the newest first; ``before`` asks for the next one, null after the last."""

    entries: list[EntryAnswer]
    before: str | None


class ConsentRequest(BaseModel):
    """What a person allows, refuses or (null) leaves open again; who says so, and how we know."""

    model_config = ConfigDict(extra="forbid")
    purpose: Short
    channel: Short = "*"
    granted: bool | None
    by: Words
    evidence: Words


class ConsentStated(BaseModel):
    """It is on record; so many sends that were waiting will not be made."""

    ended: int


class MemberAnswer(BaseModel):
    """A profile of an account, by one of its identifiers."""

    profile_id: str
    kind: str
    value: str
    joined_at: datetime


class AccountAnswer(BaseModel):
    """An account with its newest members, a thousand at most."""

    account_id: str
    traits: dict[str, object]
    first_seen_at: datetime
    last_seen_at: datetime
    member_count: int
    members: list[MemberAnswer]


class EmbedRequest(BaseModel):
    """Whose page is to be shown, and for how long a link to it may be opened."""

    model_config = ConfigDict(extra="forbid")
    kind: Words
    value: Words
    minutes: Minutes = 10


class EmbedAnswer(BaseModel):
    """Where the page is on this server, and until when."""

    path: str
    until: datetime
