"""What arrives, over HTTP: the catalogue, and rejects with their replay."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query

from opportune import events, project
from opportune.api.catalogue_answers import (
    CatalogueAnswer,
    EventAnswer,
    EventFieldsAnswer,
    FieldAnswer,
    ListRejects,
    RejectAnswer,
    RejectsAnswer,
    ReplayAnswer,
    ReplayRequest,
    Text,
)
from opportune.events import NothingChosen, Refusal, RejectFilter, SeenEvent, SeenField
from opportune.reports import Usage, usage
from opportune.storage import Stores

__all__ = ["catalogue_routes", "reject_routes"]

Clock = Callable[[], datetime]
Responses = Mapping[int | str, dict[str, Any]]


def catalogue_routes(
    application: FastAPI, stores: Stores, *, clock: Clock, missing: Responses
) -> None:
    """Add the routes of the catalogue; ``missing`` is how a name that is none is answered."""

    @application.get("/catalogue")
    def catalogue(source: Text = None, event: Text = None) -> CatalogueAnswer:
        """List every event with its counts, or one by name, with the nearest name if it is none."""
        used, now = usage(project.read(stores.state)), clock()
        seen = events.seen_events(stores.state, now=now, source=source)
        shown = [each for each in seen if event in (None, each.event)]
        near = events.nearest_event(event, seen) if event and not shown else None
        full = {each.source_id for each in seen if each.event == events.OTHERS}
        return CatalogueAnswer(
            as_of=now,
            events=[_event(each, used) for each in shown],
            full_sources=sorted(full),
            nearest=_event(near, used) if near else None,
        )

    @application.get("/catalogue/{event:path}", responses=dict(missing))
    def catalogue_event(event: str) -> EventFieldsAnswer:
        """Show one event with its properties and traits."""
        defined, now = project.read(stores.state), clock()
        used = usage(defined)
        found = events.seen_event(stores.state, event, now=now)
        fields = events.seen_fields(stores.state, found, declared=defined.classes)
        return EventFieldsAnswer(
            as_of=now,
            events=[_event(each, used) for each in found],
            fields=[_field(each, event, used) for each in fields],
        )


def reject_routes(application: FastAPI, stores: Stores, *, missing: Responses) -> None:
    """Add the routes of rejects; ``missing`` is how an id that is none is answered."""

    @application.get("/rejects")
    def rejects(asked: Annotated[ListRejects, Query()]) -> RejectsAnswer:
        """List what was refused and why, the newest first."""
        chosen = _filter(asked, open_only=asked.open)
        found = events.rejects(stores, chosen, before=asked.before, rows=asked.limit)
        full = len(found) == asked.limit
        return RejectsAnswer(
            rejects=[_reject(each) for each in found], next=found[-1].reject_id if full else None
        )

    @application.post("/rejects/replay", responses=dict(missing))
    def replay(asked: ReplayRequest) -> ReplayAnswer:
        """Send rejects again: those of these ids, or the newest that are open and fit."""
        done = events.replay(stores, _replayed(asked), sent_at_us=time.time_ns() // 1000)
        return ReplayAnswer(
            sent=list(done.sent),
            done=list(done.done),
            waiting=list(done.waiting),
            unusable=dict(done.unusable),
        )


def _event(seen: SeenEvent, used: Usage) -> EventAnswer:
    return EventAnswer(
        source=seen.source_id,
        type=seen.type,
        event=seen.event,
        events=seen.events,
        events_24h=seen.events_24h,
        events_7d=seen.events_7d,
        flagged=seen.flagged,
        blocked=seen.blocked,
        unplanned=seen.unplanned,
        fields=seen.fields,
        first_seen_at=seen.first_seen_at,
        last_seen_at=seen.last_seen_at,
        used_by=list(used.of_event(seen.event)),
    )


def _field(seen: SeenField, event: str, used: Usage) -> FieldAnswer:
    return FieldAnswer(
        source=seen.source_id,
        type=seen.type,
        kind=seen.kind,
        name=seen.name,
        types=dict(seen.types),
        fill_share=seen.fill_share,
        field_class=seen.field_class.name,
        class_because=seen.field_class.because,
        sample=seen.sample,
        violations=dict(seen.violations),
        first_seen_at=seen.first_seen_at,
        last_seen_at=seen.last_seen_at,
        used_by=list(used.of_field(seen.kind, event, seen.name)),
    )


def _reject(refusal: Refusal) -> RejectAnswer:
    return RejectAnswer(
        id=refusal.reject_id,
        source=refusal.source_id,
        received_at=refusal.received_at,
        index=refusal.index,
        code=refusal.code,
        reason=refusal.reason,
        message_id=refusal.message_id,
        event=refusal.event,
        payload=refusal.payload,
        state=refusal.state,
    )


def _filter(asked: ListRejects | ReplayRequest, *, open_only: bool) -> RejectFilter:
    since = asked.since
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    return RejectFilter(
        code=asked.code, source=asked.source, event=asked.event, since=since, open_only=open_only
    )


def _replayed(asked: ReplayRequest) -> RejectFilter | list[str]:
    fits = (asked.code, asked.source, asked.event, asked.since)
    if asked.ids is not None and any(fits):
        raise NothingChosen
    return asked.ids if asked.ids is not None else _filter(asked, open_only=True)
