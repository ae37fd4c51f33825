"""Segments over HTTP: sizes, trends, members, and a rule asked while it is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict

from opportune import activation, project, segments
from opportune.segments import Preview, SegmentState
from opportune.storage import Stores

__all__ = ["segment_routes"]

Clock = Callable[[], datetime]
Responses = Mapping[int | str, dict[str, Any]]
Days = Annotated[int, Query(ge=1, le=366)]
Limit = Annotated[int, Query(ge=1, le=500)]
Place = Annotated[str | None, Query(pattern=r"^-?[0-9]{1,19}$")]


class SegmentAnswer(BaseModel):
    """A segment and how many are in it; ``follows``: members are up to date with every event."""

    name: str
    title: str
    words: str
    members: int
    share: float
    follows: bool


class SegmentsAnswer(BaseModel):
    """All segments, by name."""

    segments: list[SegmentAnswer]


class DayAnswer(BaseModel):
    """How many entered and left on a day (UTC), and how many were in at its end."""

    day: date
    entered: int
    left: int
    members: int


class PersonAnswer(BaseModel):
    """A member, with what tells two people apart and no more."""

    profile_id: str
    hint: str | None
    entered_at: datetime


class SegmentShown(SegmentAnswer):
    """A segment, its trend and a page of its members; give ``next`` as ``after`` to go on."""

    trend: list[DayAnswer]
    people: list[PersonAnswer]
    next: str | None


class PublishedAnswer(BaseModel):
    """A destination of an audience: how many it was told of, and why no more (``refused``)."""

    destination: str
    members: int
    is_ready: bool
    refused: str | None
    published_at: datetime | None


class AudienceAnswer(BaseModel):
    """An audience: whoever is in one of ``segments`` and in none of ``minus``.

    ``purpose`` is what a member must allow, on ``channel``, before a destination is told.
    """

    name: str
    title: str
    segments: list[str]
    minus: list[str]
    labels: list[str]
    purpose: str | None
    channel: str
    members: int
    published: list[PublishedAnswer]


class AudiencesAnswer(BaseModel):
    """All audiences, by name."""

    audiences: list[AudienceAnswer]


class OverlapAnswer(BaseModel):
    """How many are in each of two segments, and in both."""

    one: int
    other: int
    both: int


class PreviewRequest(BaseModel):
    """A rule, as in the file of a segment."""

    model_config = ConfigDict(extra="forbid")
    rule: dict[str, Any]


class SampledAnswer(BaseModel):
    """One whom the rule holds for."""

    profile_id: str
    hint: str | None


class PreviewAnswer(BaseModel):
    """What a rule comes to now; ``moves_by_time``: members may change though nothing happens."""

    size: int
    share: float
    sample: list[SampledAnswer]
    words: str
    moves_by_time: bool
    notes: list[str]


def segment_routes(
    application: FastAPI, stores: Stores, *, clock: Clock, missing: Responses
) -> None:
    """Add the routes of segments; ``missing`` is how a name that is none is answered."""

    _audience_routes(application, stores)

    @application.get("/segments")
    def listed() -> SegmentsAnswer:
        """List the segments with their sizes."""
        found = segments.states(stores.state, project.read(stores.state).segments)
        return SegmentsAnswer(segments=[SegmentAnswer(**_state(each)) for each in found])

    @application.post("/segments/preview")
    def preview(asked: PreviewRequest) -> PreviewAnswer:
        """Ask a rule that is still being written; nothing is kept."""
        defined = project.read(stores.state).segments
        return _previewed(segments.preview(stores, asked.rule, defined, now=clock()))

    @application.get("/segments/{name}", responses=dict(missing))
    def shown(
        name: str, *, days: Days = 30, after: Place = None, limit: Limit = 100
    ) -> SegmentShown:
        """Show a segment: its size, who entered and left day by day, and its members by page."""
        return _shown(stores, name, now=clock(), days=days, page=(after, limit))

    @application.get("/segments/{name}/overlap/{other}", responses=dict(missing))
    def overlap(name: str, other: str) -> OverlapAnswer:
        """Count who is in both of two segments."""
        defined = project.read(stores.state).segments
        one, two = segments.known(name, defined), segments.known(other, defined)
        found = segments.overlap(stores.state, one.name, two.name)
        return OverlapAnswer(one=found.one, other=found.other, both=found.both)


def _audience_routes(application: FastAPI, stores: Stores) -> None:
    @application.get("/audiences")
    def audiences() -> AudiencesAnswer:
        """List the audiences with their sizes, and what each destination was told of them."""
        defined = project.read(stores.state).audiences
        sizes = segments.audience_sizes(stores.state, defined)
        published = activation.published_audiences(stores.state)
        return AudiencesAnswer(
            audiences=[
                AudienceAnswer(
                    **asdict(each),
                    members=sizes[name],
                    published=[_published(one) for one in published if one.audience == name],
                )
                for name, each in sorted(defined.items())
            ]
        )


def _published(found: activation.Published) -> PublishedAnswer:
    return PublishedAnswer(
        destination=found.destination,
        members=found.members,
        is_ready=found.is_ready,
        refused=found.refused,
        published_at=found.published_at,
    )


def _shown(
    stores: Stores, name: str, *, now: datetime, days: int, page: tuple[str | None, int]
) -> SegmentShown:
    after, limit = page
    segment = segments.known(name, project.read(stores.state).segments)
    state = segments.states(stores.state, {name: segment})[0]
    found = segments.people(
        stores.state, name, after=None if after is None else int(after), limit=limit
    )
    return SegmentShown(
        **_state(state),
        trend=[
            DayAnswer(day=each.day, entered=each.entered, left=each.left, members=each.members)
            for each in segments.trend(stores.state, name, now=now, days=days)
        ],
        people=[
            PersonAnswer(
                profile_id=str(each.profile_id), hint=each.hint, entered_at=each.entered_at
            )
            for each in found.people
        ],
        next=None if found.following is None else str(found.following),
    )


def _previewed(found: Preview) -> PreviewAnswer:
    return PreviewAnswer(
        size=found.size,
        share=found.share,
        sample=[
            SampledAnswer(profile_id=str(each.profile_id), hint=each.hint) for each in found.sample
        ],
        words=found.words,
        moves_by_time=found.moves_by_time,
        notes=list(found.notes),
    )


def _state(state: SegmentState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in SegmentAnswer.model_fields}
