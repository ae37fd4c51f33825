"""Everything that is known of one profile now, for whoever has it in front of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from opportune.profiles import (
    EVERY,
    ZONE_TRAITS,
    ConsentRules,
    ConsentState,
    Identifier,
    UnknownProfile,
    View,
    existing_zones,
)
from opportune.profiles.get import storable, unknown
from opportune.profiles.identity import moment
from opportune.storage import State, load_sql

__all__ = [
    "TEST_PERSON",
    "ComputedValues",
    "ConsentAnswer",
    "ConsentSaid",
    "JoinedAccount",
    "KnownTrait",
    "Membership",
    "Person",
    "QueuedMessage",
    "TimeZone",
    "consent_answers",
    "consent_counts",
    "known_zone",
    "person",
    "person_by_id",
]

MOST_MESSAGES = 20
MOST_ACCOUNTS = 100
# The trait that says so.
TEST_PERSON = "test_person"

ZoneFrom = Literal["trait", "context", "missing", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTrait:
    """A trait, when it was said, and by which message; None where that is not known any more."""

    name: str
    value: object
    said_at: datetime | None
    source_id: str | None
    message_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedValues:
    """The traits that follow from events, all of one moment; None where there are none."""

    traits: Mapping[str, object]
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentSaid:
    """The newest that was said of a purpose and channel, ``*`` being all of them."""

    purpose: str
    channel: str
    state: ConsentState
    said_at: datetime
    source_id: str
    message_id: str
    evidence: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentAnswer:
    """Whether something is allowed, and the statement behind it; None: the project's rule holds."""

    purpose: str
    channel: str
    allowed: bool
    because: ConsentSaid | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeZone:
    """Whose clock counts; ``known_from`` says why it is the default one, where it is."""

    name: str
    known_from: ZoneFrom

    @property
    def is_default(self) -> bool:
        """Whether the profile said nothing that could be used."""
        return self.known_from in ("missing", "wrong")


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A segment that the profile is in now."""

    segment: str
    entered_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedAccount:
    """An account that the profile belongs to."""

    account_id: str
    joined_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMessage:
    """A decision that was to be sent, and what became of it."""

    decision_id: str
    use_case: str
    day: str
    action: Mapping[str, str]
    due_at: datetime
    state: str
    reason: str | None
    purpose: str | None
    channel: str | None
    attempted_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One profile with all that State knows of it; the timeline is read apart."""

    profile_id: int
    identifiers: tuple[Identifier, ...]
    traits: tuple[KnownTrait, ...]
    computed: ComputedValues
    consent: tuple[ConsentSaid, ...]
    time_zone: TimeZone
    is_test_person: bool
    segments: tuple[Membership, ...]
    accounts: tuple[JoinedAccount, ...]
    messages: tuple[QueuedMessage, ...]
    first_seen_at: datetime
    last_seen_at: datetime


def person(
    state: State, kind: str, value: str, *, default_zone: str, view: View = "private"
) -> Person:
    """Return the profile that has identifier (``kind``, ``value``), or raise ``UnknownProfile``.

    The newest 20 messages and 100 accounts. ``default_zone`` holds where the profile has no time
    zone that exists. The view ``none`` leaves all other identifiers out, and with them what is
    known through them; segments are those of the profile as it was resolved: there are none.
    """
    asked = {"identifier_id": None, "kind": kind, "value": value, "alone": view == "none"}
    rows = _rows(state, asked) if storable(kind, value) else []
    if not rows:
        raise unknown(kind)
    return _person(rows[0], default_zone)


def person_by_id(state: State, identifier_id: int, *, default_zone: str) -> Person:
    """Like `person`, by the id of an identifier, or of a profile: that of its first identifier."""
    asked = {"identifier_id": identifier_id, "kind": "", "value": "", "alone": False}
    rows = _rows(state, asked)
    if not rows:
        raise UnknownProfile("This profile is not there any more. Look the person up again.")
    return _person(rows[0], default_zone)


def consent_answers(
    said: tuple[ConsentSaid, ...], rules: ConsentRules | None
) -> tuple[ConsentAnswer, ...]:
    """Say for each purpose and channel that anybody speaks of whether it is allowed now.

    Of what was said of the purpose or all purposes, and of the channel or all channels, the newest
    counts, and of two at once the refusal. Channel ``*`` is every channel that is not listed.
    """
    purposes = {} if rules is None else dict(rules.purposes)
    names = [*purposes, *sorted({each.purpose for each in said} - {EVERY, *purposes})]
    by_trait = {channel for each in purposes.values() for channel in each.traits.values()}
    channels = sorted({EVERY, *by_trait, *(each.channel for each in said)})
    return tuple(
        _answer(name, channel, said, name in purposes and purposes[name].unknown)
        for name in names
        for channel in channels
    )


def consent_counts(state: State) -> dict[tuple[str, str], dict[str, int]]:
    """Return how many people said what, by (purpose, channel): state -> people."""
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for row in state.rows(load_sql("opportune.reports", "consent_counts")):
        counts.setdefault((row["purpose"], row["channel"]), {})[row["state"]] = row["people"]
    return counts


def known_zone(traits: Mapping[str, object], context: str | None, *, default: str) -> TimeZone:
    """Return the profile's zone: the trait's, else that of its newest event that names one.

    >>> known_zone({"timezone": "Europe/Lisbon"}, None, default="UTC").name
    'Europe/Lisbon'
    >>> known_zone({}, "Mars/Olympus", default="UTC")
    TimeZone(name='UTC', known_from='wrong')
    """
    told = next((traits[name] for name in ZONE_TRAITS if traits.get(name) is not None), None)
    if isinstance(told, str) and told in existing_zones():
        return TimeZone(name=told, known_from="trait")
    if context is not None and context in existing_zones():
        return TimeZone(name=context, known_from="context")
    nothing = told is None and context is None
    return TimeZone(name=default, known_from="missing" if nothing else "wrong")


def _answer(
    purpose: str, channel: str, said: tuple[ConsentSaid, ...], unknown_allows: bool
) -> ConsentAnswer:
    purposes, channels = (purpose, EVERY), (channel, EVERY)
    fitting = [each for each in said if each.purpose in purposes and each.channel in channels]
    because = max(fitting, key=lambda each: (each.said_at, each.state), default=None)
    state = "unknown" if because is None else because.state
    allowed = state == "granted" or (state == "unknown" and unknown_allows)
    return ConsentAnswer(purpose=purpose, channel=channel, allowed=allowed, because=because)


def _rows(state: State, asked: Mapping[str, object]) -> list[dict[str, Any]]:
    limits = {"messages": MOST_MESSAGES, "accounts": MOST_ACCOUNTS}
    return state.rows(load_sql("opportune.reports", "person"), {**asked, **limits})


def _person(row: Mapping[str, Any], default_zone: str) -> Person:
    traits = tuple(
        KnownTrait(
            name=each["name"],
            value=each["value"],
            said_at=None if each["said_at_us"] is None else moment(each["said_at_us"]),
            source_id=each["source_id"],
            message_id=each["message_id"],
        )
        for each in row["traits"]
    )
    values = {each.name: each.value for each in traits}
    return Person(
        profile_id=row["profile_id"],
        identifiers=tuple(
            Identifier(kind=each["kind"], value=each["value"], linked_at=_time(each["linked_at"]))
            for each in row["identifiers"]
        ),
        traits=traits,
        computed=_computed(row["computed"]),
        consent=tuple(_said(each) for each in row["consent"]),
        time_zone=known_zone(values, row["zone"], default=default_zone),
        is_test_person=values.get(TEST_PERSON) is True,
        segments=tuple(
            Membership(segment=each["segment"], entered_at=_time(each["entered_at"]))
            for each in row["segments"]
        ),
        accounts=tuple(
            JoinedAccount(account_id=each["account_id"], joined_at=moment(each["joined_at_us"]))
            for each in row["accounts"]
        ),
        messages=tuple(_message(each) for each in row["messages"]),
        first_seen_at=row["first_seen_at"],
        last_seen_at=row["last_seen_at"],
    )


def _computed(row: Mapping[str, Any] | None) -> ComputedValues:
    if row is None:
        return ComputedValues(traits={}, as_of=None)
    return ComputedValues(traits=row["traits"], as_of=_time(row["as_of"]))


def _said(row: Mapping[str, Any]) -> ConsentSaid:
    return ConsentSaid(
        purpose=row["purpose"],
        channel=row["channel"],
        state=row["state"],
        said_at=moment(row["said_at_us"]),
        source_id=row["source_id"],
        message_id=row["message_id"],
        evidence=row["evidence"],
    )


def _message(row: Mapping[str, Any]) -> QueuedMessage:
    return QueuedMessage(
        **{name: row[name] for name in ("decision_id", "use_case", "day", "action", "state")},
        **{name: row[name] for name in ("reason", "purpose", "channel")},
        due_at=_time(row["due_at"]),
        attempted_at=_time(row["attempted_at"]) if row["attempted_at"] else None,
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
