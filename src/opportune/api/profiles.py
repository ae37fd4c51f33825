"""Profiles over HTTP: everything at once, what happened, consent, accounts, links to embed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request

from opportune import activation, profiles, project, reports
from opportune.api.operations import TIME_ZONE_DEFAULT, Counts
from opportune.api.profile_answers import (
    AccountAnswer,
    ConsentAnswer,
    ConsentRequest,
    ConsentStated,
    EmbedAnswer,
    EmbedRequest,
    EntryAnswer,
    FactAnswer,
    IdentifierAnswer,
    JoinedAccountAnswer,
    MemberAnswer,
    MembershipAnswer,
    MessageAnswer,
    ProfileAnswer,
    TimelineAnswer,
    TimeZoneAnswer,
)
from opportune.events import FieldClasses, field_class
from opportune.reports.link import check_embed_key, sign_link
from opportune.storage import Stores

__all__ = ["profile_routes"]

Clock = Callable[[], datetime]
Responses = Mapping[int | str, dict[str, Any]]
Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[str | None, Query(max_length=700)]


def profile_routes(
    application: FastAPI, stores: Stores, *, clock: Clock, counts: Counts, missing: Responses
) -> None:
    """Add the routes of profiles; ``missing`` is how a name that is none is answered."""
    reader = project.Reader(stores.state)
    zone = stores.settings.time_zone

    @application.get("/profiles/{kind}/{value:path}/timeline", responses=dict(missing))
    def timeline(kind: str, value: str, before: Before = None, limit: Limit = 50) -> TimelineAnswer:
        """Show what happened to a profile, the newest first: events, decisions, memberships."""
        found = profiles.get(stores.state, kind, value)
        page = reports.timeline(stores, found.profile_id, before=before, limit=limit)
        return TimelineAnswer(
            entries=[_entry(each) for each in page.entries],
            before=page.before,
        )

    @application.get("/profiles/{kind}/{value:path}", responses=dict(missing))
    def profile(kind: str, value: str, view: profiles.View = "private") -> ProfileAnswer:
        """Look a profile up by an identifier: as it was resolved, or (view=none) that one alone."""
        found = reports.person(stores.state, kind, value, default_zone=zone, view=view)
        if found.time_zone.is_default:
            counts[f"{TIME_ZONE_DEFAULT}:{found.time_zone.known_from}"] += 1
        defined = reader.read()
        return _profile(found, defined.consent, defined.classes, clock())

    @application.post("/profiles/{kind}/{value:path}/consent", responses=dict(missing))
    def consent(kind: str, value: str, said: ConsentRequest) -> ConsentStated:
        """Put on record what a person allows or refuses; it takes effect at once."""
        statement = activation.Statement(**said.model_dump())
        ended = activation.state_consent(stores, kind, value, statement, now=clock())
        return ConsentStated(ended=ended)

    @application.get("/accounts/{account_id:path}", responses=dict(missing))
    def account(account_id: str) -> AccountAnswer:
        """Show an account: its traits, and who belongs to it."""
        return _account(profiles.account(stores.state, account_id))

    _embed_route(application, stores, clock=clock, missing=missing)


def _embed_route(application: FastAPI, stores: Stores, *, clock: Clock, missing: Responses) -> None:
    @application.post("/people/embed", responses=dict(missing))
    def embed(request: Request, asked: EmbedRequest) -> EmbedAnswer:
        """Make a link to the page of one person, for a tool that shows it in a frame."""
        key = stores.settings.embed_key
        check_embed_key(request.headers.get("Authorization"), key)
        found = profiles.get(stores.state, asked.kind, asked.value)
        until = clock() + timedelta(minutes=asked.minutes)
        link = sign_link(found.profile_id, key=key, until=until)
        return EmbedAnswer(path=f"/people/embed/{link}", until=until)


def _profile(
    found: reports.Person,
    rules: profiles.ConsentRules | None,
    classes: FieldClasses,
    now: datetime,
) -> ProfileAnswer:
    return ProfileAnswer(
        profile_id=str(found.profile_id),
        as_of=now,
        identifiers=[IdentifierAnswer(**asdict(each)) for each in found.identifiers],
        traits={each.name: each.value for each in found.traits},
        facts=[_fact(each, classes, now) for each in found.traits],
        consent=[_consent(each) for each in reports.consent_answers(found.consent, rules)],
        time_zone=TimeZoneAnswer(name=found.time_zone.name, known_from=found.time_zone.known_from),
        test_person=found.is_test_person,
        segments=[MembershipAnswer(**asdict(each)) for each in found.segments],
        accounts=[JoinedAccountAnswer(**asdict(each)) for each in found.accounts],
        messages=[MessageAnswer(**asdict(each)) for each in found.messages],
        first_seen_at=found.first_seen_at,
        last_seen_at=found.last_seen_at,
    )


def _fact(trait: reports.KnownTrait, classes: FieldClasses, now: datetime) -> FactAnswer:
    class_ = field_class("trait", trait.name, declared=classes)
    age = None if trait.said_at is None else (now - trait.said_at).total_seconds()
    return FactAnswer(
        trait=trait.name,
        value=trait.value,
        said_at=trait.said_at,
        age_s=age,
        source=trait.source_id,
        message_id=trait.message_id,
        field_class=class_.name,
        class_because=class_.because,
    )


def _consent(answer: reports.ConsentAnswer) -> ConsentAnswer:
    said = answer.because
    return ConsentAnswer(
        purpose=answer.purpose,
        channel=answer.channel,
        allowed=answer.allowed,
        state="unknown" if said is None else said.state,
        said_at=None if said is None else said.said_at,
        source=None if said is None else said.source_id,
        message_id=None if said is None else said.message_id,
        evidence=None if said is None else dict(said.evidence),
    )


def _entry(entry: reports.Entry) -> EntryAnswer:
    return EntryAnswer(
        kind=entry.kind,
        at=entry.at,
        id=entry.id,
        title=entry.title,
        source=entry.source_id,
        facts=dict(entry.facts),
    )


def _account(found: profiles.Account) -> AccountAnswer:
    return AccountAnswer(
        account_id=found.account_id,
        traits=dict(found.traits),
        first_seen_at=found.first_seen_at,
        last_seen_at=found.last_seen_at,
        member_count=found.member_count,
        members=[
            MemberAnswer(
                profile_id=str(each.profile_id),
                kind=each.kind,
                value=each.value,
                joined_at=each.joined_at,
            )
            for each in found.members
        ],
    )
