"""Privacy over HTTP: requests to be forgotten with their proof, and everything of one person."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from opportune import privacy
from opportune.storage import Stores

__all__ = ["privacy_routes"]

Clock = Callable[[], datetime]
Responses = Mapping[int | str, dict[str, Any]]
# No database holds a NUL.
Words = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
Limit = Annotated[int, Query(ge=1, le=1_000)]


class ForgetRequest(BaseModel):
    """Who is to be forgotten, how, and who asks for it."""

    model_config = ConfigDict(extra="forbid")
    kind: Words
    value: Words
    mode: privacy.Mode = "erase"
    by: Words


class RequestAnswer(BaseModel):
    """A request, what was done for it, and what was searched afterwards."""

    request_id: str
    mode: privacy.Mode
    state: str
    asked_by: str
    received_at: datetime
    started_at: datetime | None
    done_at: datetime | None
    step: str | None
    error: str | None
    done: dict[str, int]
    proof: dict[str, object] | None


class RequestsAnswer(BaseModel):
    """Requests, the newest first."""

    requests: list[RequestAnswer]


class PersonQuestion(BaseModel):
    """Whose data to export."""

    model_config = ConfigDict(extra="forbid")
    kind: Words
    value: Words


def privacy_routes(
    application: FastAPI, stores: Stores, *, clock: Clock, missing: Responses
) -> None:
    """Add the routes of privacy; ``missing`` is how a name that is none is answered."""

    @application.post("/privacy/requests", status_code=202)
    def receive(said: ForgetRequest) -> RequestAnswer:
        """Receive a request to forget a person; the worker carries it out and proves it."""
        asked = privacy.Asked(request_id=uuid.uuid4().hex, mode=said.mode, by=said.by, now=clock())
        return _answer(privacy.ask(stores.state, said.kind, said.value, asked))

    @application.get("/privacy/requests")
    def requests(limit: Limit = 100) -> RequestsAnswer:
        """List the requests to be forgotten, open and done."""
        found = privacy.requests(stores.state, limit=limit)
        return RequestsAnswer(requests=[_answer(each) for each in found])

    @application.get("/privacy/requests/{request_id}", responses=dict(missing))
    def request(request_id: str) -> RequestAnswer:
        """Show one request: its state, what was done, and the proof."""
        return _answer(privacy.request(stores.state, request_id))

    @application.post("/privacy/export", responses=dict(missing))
    def export(said: PersonQuestion) -> Response:
        """Return everything that is stored of one person. In a body, as addresses are logged."""
        return JSONResponse(privacy.export_person(stores, said.kind, said.value, now=clock()))


def _answer(request: privacy.Request) -> RequestAnswer:
    return RequestAnswer(
        request_id=request.request_id,
        mode=request.mode,
        state=request.state,
        asked_by=request.asked_by,
        received_at=request.received_at,
        started_at=request.started_at,
        done_at=request.done_at,
        step=request.step,
        error=request.error,
        done=dict(request.done),
        proof=None if request.proof is None else dict(request.proof),
    )
