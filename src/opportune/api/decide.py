"""Decide for one profile over HTTP: the action, how likely it was, and why no other."""

from __future__ import annotations

import inspect
import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import FastAPI
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from opportune.api import bodies
from opportune.api.errors import ours
from opportune.api.operations import DECIDED, Counts
from opportune.decisions import SENT, Answer, InvalidQuestion, Question
from opportune.errors import OpportuneError
from opportune.pipeline import OnRequest
from opportune.storage import Stores

__all__ = ["decide_routes", "for_group"]

Clock = Callable[[], datetime]
Responses = Mapping[int | str, dict[str, Any]]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Value = Annotated[str, msgspec.Meta(min_length=1, max_length=700)]
BODY_BYTES = 256 * 1024


class ProfileAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Any identifier of the profile to decide for."""

    kind: Name
    value: Value


class DecideRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to decide, and for whom.

    ``request_id`` is the caller's, and is made here if it is left out: asked again with the same
    one, the answer is the same. ``traits`` count before the stored ones, for this decision alone.
    ``dry_run`` keeps nothing; without a request id it answers what the day's run would choose.
    ``show_control``: say as well what a person in control would have got.
    """

    use_case: Name
    profile: ProfileAsked
    request_id: Name | None = None
    traits: Annotated[dict[str, Any], msgspec.Meta(max_length=200)] = {}
    dry_run: bool = False
    show_control: bool = False


READ = msgspec.json.Decoder(DecideRequest)


class CandidateAnswer(BaseModel):
    """An action that the policy plays for this profile; ``score`` is the reward it expects."""

    action: dict[str, str]
    probability: float
    score: float | None


class ExcludedAnswer(BaseModel):
    """An option, or a combination of several, that the profile may not get."""

    options: dict[str, str]
    because: str


class FactorAnswer(BaseModel):
    """A reason for the action (``adds`` above 0) or against it, in log-odds of a reward.

    ``trait``: by which trait of the profile, null for what the ``options`` are worth to everybody.
    No options either: all smaller reasons together.
    """

    options: dict[str, str]
    trait: str | None
    value: str | float | None
    adds: float


class DecideAnswer(BaseModel):
    """What was decided for one profile, and why.

    In the group ``control`` business goes on as usual: then ``action`` is null and nothing of a
    choice is said, unless it was asked for. ``candidates`` are what the policy plays, the likeliest
    first; each of the ``eligible_actions`` shares ``uniform_share`` with the others. ``factors``
    add up to ``advantage``: the log-odds of the action above the average of those. Rules on dates
    hold as of the beginning of ``day``; ``last_event_at`` is the newest event of the profile.
    """

    decision_id: str | None
    use_case: str
    version: int
    day: date
    group: Literal["champion", "control", "holdout", "random", "shadow", "treatment"]
    action: dict[str, str] | None
    parameters: dict[str, dict[str, str | int | float | bool]]
    propensity: float | None
    dimension_propensities: dict[str, float]
    explored: bool
    policy: str
    policy_version: str
    trained_through: date | None
    uniform_share: float
    eligible_actions: int
    candidates: list[CandidateAnswer]
    excluded: list[ExcludedAnswer]
    decided_at: datetime
    last_event_at: datetime
    dry_run: bool
    advantage: float | None
    factors: list[FactorAnswer]


def decide_routes(
    application: FastAPI, stores: Stores, *, clock: Clock, counts: Counts, missing: Responses
) -> ASGIApp:
    """Add the route; ``missing`` is how a use case or profile that is none is answered.

    Returns what answers it alone, for whoever asks a thousand times a second: the way through an
    application takes as long as a decision.
    """
    on_request, new_ids = OnRequest(stores), _new_ids()
    refused: dict[int | str, dict[str, Any]] = {
        409: {**missing[404], "description": "Nothing is decided for this profile now."}
    }

    # Read by hand: what FastAPI does for each request would take half of its time.
    body = {"required": True, "content": {"application/json": {"schema": _schema()}}}

    @application.post(
        "/decide",
        response_model=DecideAnswer,
        responses={**missing, **refused},
        openapi_extra={"requestBody": body},
    )
    async def decide(request: Request) -> Response:
        """Decide one use case for one profile now, and keep the decision before answering."""
        try:
            asked = _read(await bodies.read(request, limit_bytes=BODY_BYTES))
            answer = await on_request.ask(_question(asked, new_ids), now=clock())
        except OpportuneError:
            counts[f"{DECIDED}:refused"] += 1
            raise
        counts[f"{DECIDED}:{'dry_run' if asked.dry_run else answer.group}"] += 1
        said = for_group(answer, show_control=asked.show_control)
        return Response(msgspec.json.encode(said), media_type="application/json")

    async def alone(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await decide(request)
        except OpportuneError as error:
            response = ours(request, error)
        await response(scope, receive, send)

    return alone


def _read(body: bytes) -> DecideRequest:
    try:
        return READ.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as cause:
        # It names places and types, and no value.
        said = str(cause) if isinstance(cause, msgspec.ValidationError) else "it is no JSON"
        raise InvalidQuestion(
            f"The request cannot be read: {said}. See /api/openapi.json."
        ) from None


def _new_ids() -> Iterator[str]:
    """Ids of requests that have none: no other process and no other call has the same."""
    process = uuid.uuid4().hex
    return (f"{process}-{number}" for number in itertools.count())


def _question(asked: DecideRequest, new_ids: Iterator[str]) -> Question:
    return Question(
        use_case=asked.use_case,
        kind=asked.profile.kind,
        value=asked.profile.value,
        request_id=asked.request_id or ("" if asked.dry_run else next(new_ids)),
        traits=asked.traits,
        dry_run=asked.dry_run,
    )


def _schema() -> dict[str, Any]:
    """The schema of the request, whole in one place."""
    said = msgspec.json.schema(DecideRequest)
    parts = said["$defs"]
    schema: dict[str, Any] = parts["DecideRequest"]
    schema["description"] = inspect.cleandoc(schema["description"])
    schema["properties"]["profile"] = parts["ProfileAsked"]
    return schema


def for_group(answer: Answer, *, show_control: bool) -> Answer:
    """Leave out what would have been done where nothing is: business goes on as usual."""
    if answer.group in SENT or show_control:
        return answer
    return replace(
        answer,
        action=None,
        parameters={},
        propensity=None,
        dimension_propensities={},
        explored=False,
        candidates=(),
        advantage=None,
        factors=(),
    )
