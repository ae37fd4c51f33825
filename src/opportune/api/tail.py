"""The newest events over HTTP: a page of them, or a stream that goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Annotated

from fastapi import FastAPI, Header, Query
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response, StreamingResponse

from opportune import events
from opportune.api.catalogue_answers import TailAnswer, TailEvent, Text
from opportune.errors import OpportuneError, Unavailable
from opportune.events import TailRow
from opportune.storage import State, Stores

__all__ = ["TooManyStreams", "tail_routes"]

STREAM = "text/event-stream"
STREAMS = 20
# A browser comes back by itself and says how far it got; the server can stop meanwhile.
STREAM_S = 30.0
POLL_S = 0.5
FIRST_ROWS = 50

Read = Callable[[int], list[TailRow]]


class TooManyStreams(Unavailable):
    """As many readers as may do so follow the newest events already."""

    code = "too_many_streams"


def tail_routes(application: FastAPI, stores: Stores) -> None:
    """Add the route of the newest events."""
    following: set[object] = set()

    @application.get(
        "/events/tail",
        response_model=TailAnswer,
        responses={200: {"content": {STREAM: {"schema": {"type": "string"}}}}},
    )
    def tail(
        *,
        after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
        source: Text = None,
        event: Text = None,
        user: Text = None,
        accept: Annotated[str, Header()] = "",
        last_event_id: Annotated[str, Header()] = "",
    ) -> Response:
        """Show the newest events, or follow them as server-sent events when asked for these.

        To poll, give ``next`` of an answer as ``after`` of the next question.
        """
        read = partial(_read, stores.state, source=source, event=event, user=user)
        if STREAM not in accept:
            return JSONResponse(_answer(read(after), after).model_dump(mode="json"))
        if len(following) >= STREAMS:
            raise TooManyStreams(
                f"{STREAMS} readers follow the events already. Close one, or poll this address "
                "without 'Accept: text/event-stream'."
            )
        place = int(last_event_id) if last_event_id.isdecimal() else after
        return StreamingResponse(_follow(read, place, following), media_type=STREAM)


def _read(
    state: State, after: int, *, source: str | None, event: str | None, user: str | None
) -> list[TailRow]:
    return events.tail(state, after=after, source=source, event=event, user=user)


async def _follow(read: Read, place: int, following: set[object]) -> AsyncIterator[str]:
    """Give what is there and then what comes; it ends after a while, and may be taken up again."""
    me = object()
    following.add(me)
    until = time.monotonic() + STREAM_S
    try:
        yield "retry: 1000\n\n"
        fresh = place == 0
        while time.monotonic() < until:
            try:
                rows = await run_in_threadpool(read, place)
            except OpportuneError as error:
                yield f"event: trouble\ndata: {error.code}\n\n"
                return
            for row in rows[-FIRST_ROWS:] if fresh else rows:
                yield f"id: {row.place}\ndata: {_event(row).model_dump_json()}\n\n"
            # A comment tells both ends that the other is there.
            yield ":\n\n"
            place, fresh = max([place, *(row.place for row in rows)]), False
            await asyncio.sleep(POLL_S)
    finally:
        following.discard(me)


def _answer(rows: list[TailRow], after: int) -> TailAnswer:
    return TailAnswer(
        events=[_event(row) for row in rows], next=max([after, *(row.place for row in rows)])
    )


def _event(row: TailRow) -> TailEvent:
    return TailEvent(
        place=row.place,
        message_id=row.message_id,
        source=row.source_id,
        type=row.type,
        event=row.event,
        occurred_at=row.occurred_at,
        received_at=row.received_at,
        user=row.user_hint,
        anonymous=row.anonymous_hint,
        outcome=row.outcome,
        reason=row.reason,
    )
