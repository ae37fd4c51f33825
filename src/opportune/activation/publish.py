"""Publish audiences: tell destinations who came into them and who left, each change once."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
import pyarrow as pa

from opportune.activation.channel import channel_of
from opportune.activation.destination import Destination, sent_fields
from opportune.activation.enqueue import keep_statistics
from opportune.events import (
    Field,
    FieldPolicies,
    ForbiddenField,
    Use,
    forbidden_fields,
    personal_fields,
)
from opportune.profiles import ConsentRules, consent_rules
from opportune.rules.times import microseconds
from opportune.segments import Audience, Segment, segment_fields
from opportune.storage import Connection, State, fetch, load_sql, stage

__all__ = [
    "AUDIENCE_EVENTS",
    "Published",
    "Publishing",
    "forbidden_audiences",
    "published_audiences",
    "publish",
]

LOGGER = logging.getLogger("opportune")
ROOM = "opportune.activation"
AUDIENCE_EVENTS = ("Audience Entered", "Audience Exited")
# Looked at in one transaction: about a second of work.
PROFILES_AT_ONCE = 10_000
NOBODY = pa.table({"profile_id": pa.array([], pa.int64())})


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """What is defined of audiences: what they are made of, who is told, and what is forbidden."""

    audiences: Mapping[str, Audience]
    destinations: Mapping[str, Destination]
    segments: Mapping[str, Segment]
    policies: FieldPolicies

    @property
    def pairs(self) -> list[tuple[Audience, Destination]]:
        """Each audience with each destination that it is published to."""
        return [
            (self.audiences[name], destination)
            for destination in self.destinations.values()
            for name in destination.audiences
            if name in self.audiences
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """An audience at a destination.

    Parameters
    ----------
    members:
        How many the destination was told to be in it, or is being told.
    is_ready:
        Whether its segments are filled: nobody is told before.
    refused:
        Why nobody may be added; None: nothing forbids it.
    published_at:
        When changes were put into the outbox last.
    """

    audience: str
    destination: str
    members: int
    is_ready: bool
    refused: str | None
    published_at: datetime | None


def publish(state: State, publishing: Publishing, *, now: datetime) -> int:
    """Put a message for each change of an audience into the outbox of its destinations.

    Looks at up to ``PROFILES_AT_ONCE`` of those who may have come or gone, and returns how many
    those were (0: nothing is left to do). What destinations know and the messages change in one
    transaction, so that a kill tells nothing twice and loses nothing. Nobody is told of an audience
    before all its segments are filled. Where a policy forbids a field that its rules read, nobody
    is added any more, and who leaves is removed.
    """
    pairs = publishing.pairs
    if not pairs and not state.rows(load_sql(ROOM, "publication_exists"))[0]["is_published"]:
        return 0
    personal = personal_fields(state)
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_publishing"))
        wanted = _wanted(publishing, personal, consent_rules(connection))
        for row in fetch(connection, load_sql(ROOM, "begin_publications"), {"wanted": wanted}):
            LOGGER.warning(
                "field_forbidden: audiences/%s: %s: %s Nobody is added there.",
                *(row["audience"], row["destination"], row["refused"]),
            )
        destinations = {"destinations": list(publishing.destinations)}
        fetch(connection, load_sql(ROOM, "end_publications"), destinations)
        fetch(connection, load_sql(ROOM, "touch_publications"))
        if not fetch(connection, load_sql(ROOM, "touched_exist"))[0]["are_any"]:
            return 0
        stage(connection, "touched", ("profile_id bigint",), NOBODY)
        touched = fetch(connection, load_sql(ROOM, "take_touched"), {"limit": PROFILES_AT_ONCE})
        if touched:
            _tell(connection, _wishes(publishing, personal), now)
    return len(touched)


def published_audiences(state: State) -> list[Published]:
    """Return every audience at every destination, with what it was told, by their names."""
    return [Published(**row) for row in state.rows(load_sql(ROOM, "publications"))]


def forbidden_audiences(
    publishing: Publishing, *, personal: Collection[Field]
) -> Iterator[tuple[Audience, Destination, ForbiddenField]]:
    """Return what policies forbid: fields that an audience's rules read, and labels of its own.

    To be in it says something of the fields, so both what is forbidden to audiences and what is
    forbidden to the destination counts.
    """
    for audience, destination in publishing.pairs:
        own = Field(kind="audience", name=audience.name)
        labels = {**publishing.policies.labels, (own.kind, own.name): audience.labels}
        policies = replace(publishing.policies, labels=labels)
        names = (*audience.segments, *audience.minus)
        read = [each for _, part in segment_fields(names, publishing.segments) for each in part]
        told = set()
        for kind in ("audiences", "destinations"):
            use = Use(kind=kind, name=destination.name)
            for found in forbidden_fields(use, (own, *read), policies, personal=personal):
                if (cause := (found.field, found.label, found.policy)) not in told:
                    told.add(cause)
                    yield audience, destination, found


def _tell(connection: Connection, wishes: str, now: datetime) -> None:
    entered, exited = AUDIENCE_EVENTS
    facts = {"now": now, "now_us": microseconds(now), "entered": entered, "exited": exited}
    facts["wishes"] = wishes
    for step in ("audience_changes", "keep_published"):
        fetch(connection, load_sql(ROOM, step), facts)
    added: int = fetch(connection, load_sql(ROOM, "tell_audiences"), facts)[0]["count"]
    keep_statistics(connection, added)


def _wanted(
    publishing: Publishing, personal: Collection[Field], consent: ConsentRules | None
) -> str:
    """Write what is published where, as it is kept."""
    refused: dict[tuple[str, str], list[str]] = {}
    for audience, destination, found in forbidden_audiences(publishing, personal=personal):
        refused.setdefault((audience.name, destination.name), []).append(found.message)
    wanted = []
    for audience, destination in publishing.pairs:
        purpose = None if consent is None else audience.purpose or consent.sends or None
        messages = refused.get((audience.name, destination.name))
        wanted.append(
            {
                "audience": audience.name,
                "destination": destination.name,
                "segments": audience.segments,
                "minus": audience.minus,
                "purpose": purpose,
                "channel": audience.channel,
                "assumed": consent is not None and purpose in consent.assumed,
                "refused": None if messages is None else " ".join(messages),
            }
        )
    return msgspec.json.encode(wanted).decode()


def _wishes(publishing: Publishing, personal: Collection[Field]) -> str:
    """Write what the statement needs to know of each destination; forbidden traits stay here."""
    wishes = []
    for name, destination in publishing.destinations.items():
        traits = [Field(kind="trait", name=trait) for trait in sent_fields(destination).traits]
        use = Use(kind="destinations", name=name)
        found = forbidden_fields(use, traits, publishing.policies, personal=personal)
        withheld = {each.field for each in found}
        wishes.append(
            {
                "destination": name,
                "channel": channel_of(name),
                "connector": destination.connector,
                "audience_as": destination.audience_as,
                "traits": [each.name for each in traits if each not in withheld],
            }
        )
    return msgspec.json.encode(wishes).decode()
