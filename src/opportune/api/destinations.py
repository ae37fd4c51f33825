"""Destinations over HTTP: how they are doing, what was given up, and sending that again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field

from opportune import activation, project
from opportune.activation import DeadLetter, Destination, Traffic, named_destination
from opportune.storage import Stores

__all__ = ["destination_routes"]

After = Annotated[int, Query(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=1_000)]
MessageId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class DestinationAnswer(BaseModel):
    """A destination and how it is doing; where it is and its secret are not told."""

    name: str
    title: str
    connector: str
    kinds: list[str]
    events: list[str]
    traits: list[str]
    audiences: list[str]
    waiting: int
    under_way: int
    sent: int
    dead: int
    oldest_waiting_at: datetime | None
    troubles: list[str]


class DestinationsAnswer(BaseModel):
    """All destinations, by name."""

    destinations: list[DestinationAnswer]


class DeadLetterAnswer(BaseModel):
    """A message that was given up; the profile's id is a text, as everywhere."""

    sequence: int
    message_id: str
    type: str
    event: str | None
    profile_id: str
    reason: str
    attempts: int
    attempted_at: datetime | None
    due_at: datetime


class DeadLettersAnswer(BaseModel):
    """A page of what was given up; ``next_after`` is None where nothing is behind it."""

    dead_letters: list[DeadLetterAnswer]
    next_after: int | None


class RetryBody(BaseModel):
    """Which messages to send again; all that were given up where none is named."""

    model_config = ConfigDict(extra="forbid")
    message_ids: Annotated[list[MessageId], Field(min_length=1, max_length=1_000)] | None = None


class RetryAnswer(BaseModel):
    """How many messages will be sent again."""

    count: int


def destination_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the routes below ``/destinations``."""

    @application.get("/destinations")
    def destinations() -> DestinationsAnswer:
        """List the destinations with what waits, what was sent and what was given up."""
        defined = project.read(stores.state).destinations
        found = activation.traffic(stores.state, defined.values())
        return DestinationsAnswer(
            destinations=[_answer(each, found[name]) for name, each in defined.items()]
        )

    @application.get("/destinations/{name}", responses=dict(missing))
    def destination(name: str) -> DestinationAnswer:
        """Show what a destination is sent, how it is doing, and why messages wait."""
        chosen = _named(stores, name)
        return _answer(chosen, activation.traffic(stores.state, [chosen])[name])

    @application.get("/destinations/{name}/dead-letters", responses=dict(missing))
    def dead_letters(
        name: str, after: After = 0, limit: Limit = activation.LETTERS_PAGE
    ) -> DeadLettersAnswer:
        """List the messages that were given up, the oldest first, and why."""
        chosen = _named(stores, name)
        letters = activation.dead_letters(stores.state, chosen, after=after, limit=limit)
        return DeadLettersAnswer(
            dead_letters=[_letter(each) for each in letters],
            next_after=letters[-1].sequence if len(letters) == limit else None,
        )

    @application.post("/destinations/{name}/retry", responses=dict(missing))
    def retry(name: str, body: RetryBody) -> RetryAnswer:
        """Send messages again that were given up, once what was wrong is repaired."""
        chosen, ids = _named(stores, name), body.message_ids
        return RetryAnswer(count=activation.resend(stores.state, chosen, ids, now=clock()))


def _named(stores: Stores, name: str) -> Destination:
    return named_destination(project.read(stores.state).destinations, name)


def _letter(letter: DeadLetter) -> DeadLetterAnswer:
    return DeadLetterAnswer(
        sequence=letter.sequence,
        message_id=letter.message_id,
        type=letter.type,
        event=letter.event,
        profile_id=str(letter.profile_id),
        reason=letter.reason,
        attempts=letter.attempts,
        attempted_at=letter.attempted_at,
        due_at=letter.due_at,
    )


def _answer(destination: Destination, traffic: Traffic) -> DestinationAnswer:
    return DestinationAnswer(
        name=destination.name,
        title=destination.title,
        connector=destination.connector,
        kinds=sorted(destination.kinds),
        events=sorted(destination.events),
        traits=sorted(destination.traits),
        audiences=list(destination.audiences),
        waiting=traffic.waiting,
        under_way=traffic.under_way,
        sent=traffic.sent,
        dead=traffic.dead,
        oldest_waiting_at=traffic.oldest_waiting_at,
        troubles=list(traffic.troubles),
    )
