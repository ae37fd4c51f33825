"""Identity over HTTP: why identifiers are one profile, cuts, and what waits for a decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from opportune import profiles
from opportune.storage import Stores

__all__ = ["identity_routes"]

Clock = Callable[[], datetime]
Responses = Mapping[int | str, dict[str, Any]]
# No database holds a NUL.
Words = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
CutId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=1_000)]


class NamedIdentifier(BaseModel):
    """An identifier by its kind and value."""

    kind: str
    value: str


class LinkedIdentifier(NamedIdentifier):
    """An identifier of the profile, and since when it belongs to it."""

    linked_at: datetime


class LinkAnswer(BaseModel):
    """Two identifiers that were seen together; ``set_aside`` says why that joins nothing.

    ``decision`` is what a person said of a link that was set aside.
    """

    owner: NamedIdentifier
    other: NamedIdentifier
    occurred_at: datetime
    message_id: str
    source: str
    rule: str
    set_aside: str | None
    decision: str | None
    decided_by: str | None
    decided_at: datetime | None


class CutAnswer(BaseModel):
    """An identifier that was taken out of the profile that ``anchor`` is the first of."""

    cut_id: int
    identifier: NamedIdentifier
    anchor: NamedIdentifier
    reason: str
    cut_by: str
    cut_at: datetime
    restored_by: str | None
    restored_at: datetime | None


class ChangeAnswer(BaseModel):
    """An identifier went from one profile to another."""

    changed_at: datetime
    identifier: NamedIdentifier
    from_profile_id: str
    to_profile_id: str
    reason: str
    message_id: str
    source: str
    changed_by: str | None


class DecidedAnswer(BaseModel):
    """What a person said of a link that was set aside, and whether it was taken back."""

    review_id: str
    owner: NamedIdentifier
    other: NamedIdentifier
    decision: profiles.Decision
    decided_by: str
    decided_at: datetime
    taken_back_by: str | None
    taken_back_at: datetime | None


class IdentityAnswer(BaseModel):
    """Everything that made one profile of these identifiers."""

    profile_id: str
    identifiers: list[LinkedIdentifier]
    links: list[LinkAnswer]
    cuts: list[CutAnswer]
    decisions: list[DecidedAnswer]
    changes: list[ChangeAnswer]


class ReviewItemAnswer(BaseModel):
    """A link that was set aside: ``owner`` claims ``other``."""

    review_id: str
    reason: str
    owner: NamedIdentifier
    owner_profile_id: str
    other: NamedIdentifier
    other_profile_id: str
    occurred_at: datetime
    message_id: str
    source: str
    rule: str


class ReviewAnswer(BaseModel):
    """What waits for a decision, the newest evidence first."""

    items: list[ReviewItemAnswer]


class DecisionsAnswer(BaseModel):
    """What was decided, the newest first."""

    items: list[DecidedAnswer]


class CutRequest(BaseModel):
    """Which identifier leaves its profile, who says so, and why."""

    model_config = ConfigDict(extra="forbid")
    kind: Words
    value: Words
    by: Words
    reason: Words


class RestoreRequest(BaseModel):
    """Who undoes a cut."""

    model_config = ConfigDict(extra="forbid")
    by: Words


class TakeBackRequest(BaseModel):
    """Who takes a decision back."""

    model_config = ConfigDict(extra="forbid")
    by: Words


class DecisionRequest(BaseModel):
    """What a person says of a link: two persons, the other's identifier, or one person."""

    model_config = ConfigDict(extra="forbid")
    decision: profiles.Decision
    by: Words


class DecisionAnswer(BaseModel):
    """What was decided."""

    review_id: str
    decision: profiles.Decision


def identity_routes(
    application: FastAPI, stores: Stores, *, clock: Clock, missing: Responses
) -> None:
    """Add the routes of identity; ``missing`` is how a name that is none is answered."""

    _review_routes(application, stores, clock=clock, missing=missing)

    @application.post("/identity/cuts", responses=dict(missing))
    def cut(said: CutRequest) -> CutAnswer:
        """Take an identifier out of its profile, and keep it apart."""
        done = profiles.cut(
            stores.state, said.kind, said.value, by=said.by, reason=said.reason, now=clock()
        )
        return _cut(done)

    @application.post("/identity/cuts/{cut_id}/restore", responses=dict(missing))
    def restore(cut_id: CutId, said: RestoreRequest) -> CutAnswer:
        """Undo a cut: everything is again as if it had never been made."""
        return _cut(profiles.restore(stores.state, cut_id, by=said.by, now=clock()))

    @application.get("/identity/{kind}/{value:path}", responses=dict(missing))
    def identity(kind: str, value: str) -> IdentityAnswer:
        """Show why the identifiers of a profile are one: links, cuts, changes."""
        found = profiles.identity(stores.state, kind, value)
        return IdentityAnswer(
            profile_id=str(found.profile_id),
            identifiers=[
                LinkedIdentifier(kind=each.kind, value=each.value, linked_at=each.linked_at)
                for each in found.identifiers
            ],
            links=[_link(each) for each in found.links],
            cuts=[_cut(each) for each in found.cuts],
            decisions=[_decided(each) for each in found.decisions],
            changes=[_change(each) for each in found.changes],
        )


def _review_routes(
    application: FastAPI, stores: Stores, *, clock: Clock, missing: Responses
) -> None:
    @application.get("/identity/review")
    def review(limit: Limit = 100) -> ReviewAnswer:
        """List the links that were set aside and wait for a decision."""
        found = profiles.review(stores.state, limit=limit)
        return ReviewAnswer(items=[_item(each) for each in found])

    @application.get("/identity/decisions")
    def decisions(limit: Limit = 100) -> DecisionsAnswer:
        """List what was decided of links that were set aside, taken back or not."""
        found = profiles.decided(stores.state, limit=limit)
        return DecisionsAnswer(items=[_decided(each) for each in found])

    @application.post("/identity/review/{review_id}/take-back", responses=dict(missing))
    def take_back(review_id: str, said: TakeBackRequest) -> ReviewAnswer:
        """Take back that two are apart; answers with the review list, where the link is again."""
        profiles.take_back(stores.state, review_id, by=said.by, now=clock())
        return review()

    @application.post("/identity/review/{review_id}", responses=dict(missing))
    def decide(review_id: str, said: DecisionRequest) -> DecisionAnswer:
        """Decide on a link that was set aside: apart, move or same."""
        profiles.settle(stores.state, review_id, said.decision, by=said.by, now=clock())
        return DecisionAnswer(review_id=review_id, decision=said.decision)


def _named(identifier: tuple[str, str]) -> NamedIdentifier:
    return NamedIdentifier(kind=identifier[0], value=identifier[1])


def _link(link: profiles.Link) -> LinkAnswer:
    return LinkAnswer(
        owner=_named(link.owner),
        other=_named(link.other),
        occurred_at=link.occurred_at,
        message_id=link.message_id,
        source=link.source_id,
        rule=link.rule,
        set_aside=link.set_aside,
        decision=link.decision,
        decided_by=link.decided_by,
        decided_at=link.decided_at,
    )


def _cut(cut: profiles.Cut) -> CutAnswer:
    return CutAnswer(
        cut_id=cut.cut_id,
        identifier=_named(cut.identifier),
        anchor=_named(cut.anchor),
        reason=cut.reason,
        cut_by=cut.cut_by,
        cut_at=cut.cut_at,
        restored_by=cut.restored_by,
        restored_at=cut.restored_at,
    )


def _decided(each: profiles.Decided) -> DecidedAnswer:
    return DecidedAnswer(
        review_id=each.review_id,
        owner=_named(each.owner),
        other=_named(each.other),
        decision=each.decision,
        decided_by=each.decided_by,
        decided_at=each.decided_at,
        taken_back_by=each.taken_back_by,
        taken_back_at=each.taken_back_at,
    )


def _change(change: profiles.Change) -> ChangeAnswer:
    return ChangeAnswer(
        changed_at=change.changed_at,
        identifier=_named(change.identifier),
        from_profile_id=str(change.from_profile_id),
        to_profile_id=str(change.to_profile_id),
        reason=change.reason,
        message_id=change.message_id,
        source=change.source_id,
        changed_by=change.changed_by,
    )


def _item(item: profiles.ReviewItem) -> ReviewItemAnswer:
    return ReviewItemAnswer(
        review_id=item.review_id,
        reason=item.reason,
        owner=_named(item.owner),
        owner_profile_id=str(item.owner_profile_id),
        other=_named(item.other),
        other_profile_id=str(item.other_profile_id),
        occurred_at=item.occurred_at,
        message_id=item.message_id,
        source=item.source_id,
        rule=item.rule,
    )
