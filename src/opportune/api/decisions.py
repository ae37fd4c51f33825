"""Over HTTP: what a use case decided, one by one and on the whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from opportune import pipeline, project, reports
from opportune.api.decide import CandidateAnswer, ExcludedAnswer, FactorAnswer
from opportune.reports import DecisionFilter, Insights, UseCaseTimeline
from opportune.storage import Stores

__all__ = ["decision_routes"]


class ListDecisions(BaseModel):
    """Which decisions are meant; ``option`` as dimension:option, days are inclusive."""

    model_config = ConfigDict(extra="forbid")
    variant: Literal["treatment", "control", "random", "champion", "holdout", "shadow"] | None = (
        None
    )
    option: str = Field("", max_length=400, pattern=r"^[^\x00]*$")
    explored: bool | None = None
    from_day: date | None = None
    to_day: date | None = None
    profile_id: int | None = Field(None, ge=-(2**63), lt=2**63)
    version: int | None = Field(None, ge=1, lt=2**31)
    first: int = Field(0, ge=0, le=2**53)
    limit: int = Field(100, ge=1, le=1_000)


class LoggedDecisionAnswer(BaseModel):
    """One decision as it was logged; ``profile_id`` and ``user_id`` are whose it is now.

    ``propensity`` is the probability that its action had. ``delivery`` is the state of its send
    with its ``reason``, empty where nothing is to be sent or it is no longer kept.
    """

    decision_id: str
    use_case: str
    version: int
    day: date
    decided_at: datetime
    profile_id: str | None
    user_id: str | None
    variant: str
    action: dict[str, str]
    propensity: float
    explored: bool
    policy_version: str
    delivery: str
    reason: str


class DecisionLogAnswer(BaseModel):
    """A page of the decisions that were asked for, the newest first, of ``total``."""

    as_of: datetime
    use_case: str
    total: int
    first: int
    decisions: list[LoggedDecisionAnswer]


class OptionChanceAnswer(BaseModel):
    """How likely one option of a dimension was, whatever the others."""

    dimension: str
    option: str
    probability: float


class ExplanationAnswer(BaseModel):
    """One decision and all its reasons; ``missing`` says what is no longer kept, if anything.

    ``values`` are the features as the policy saw them when this was decided, null where they were
    not known. ``propensity`` is the chosen action's probability worked out again from what is kept:
    that of the log. ``factors`` add up to ``advantage``, in log-odds above the average of all that
    could be chosen.
    """

    as_of: datetime
    decided: LoggedDecisionAnswer
    title: str
    group: str
    policy: str
    trained_through: date | None
    values: dict[str, float | None]
    eligible_actions: int | None
    uniform_share: float | None
    propensity: float | None
    candidates: list[CandidateAnswer]
    chances: list[OptionChanceAnswer]
    advantage: float | None
    factors: list[FactorAnswer]
    excluded: list[ExcludedAnswer]
    missing: str


def decision_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the routes of decisions; ``missing`` is how a name that is none is answered."""

    @application.get(
        "/use-cases/{name}/decisions", response_model=DecisionLogAnswer, responses=dict(missing)
    )
    def log(name: str, asked: Annotated[ListDecisions, Query()]) -> Response:
        """List decisions, the newest first: who got what, and how likely it was."""
        dimension, _, chosen = asked.option.partition(":")
        wanted = DecisionFilter(
            variant=asked.variant or "",
            dimension=dimension,
            option=chosen,
            explored=asked.explored,
            first_day=asked.from_day,
            last_day=asked.to_day,
            profile_id=asked.profile_id,
            version=asked.version,
        )
        use_case = project.read(stores.state).use_case(name)
        now = clock()
        found = reports.decision_log(
            stores, use_case, wanted, now=now, first=asked.first, limit=asked.limit
        )
        return JSONResponse(_with_ids_as_text(reports.to_document(found)))

    @application.get("/use-cases/{name}/insights", response_model=Insights, responses=dict(missing))
    def chosen(name: str, segment: str = "") -> Response:
        """Report what a use case chose, for whom, what moved the choice, and who gains most."""
        use_case = project.read(stores.state).use_case(name)
        found = reports.insights(stores, use_case, now=clock(), segment=segment)
        return JSONResponse(reports.to_document(found))

    _explain_route(application, stores, clock=clock, missing=missing)
    _timeline_route(application, stores, clock=clock, missing=missing)


def _explain_route(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    @application.get(
        "/decisions/{decision_id}", response_model=ExplanationAnswer, responses=dict(missing)
    )
    def explained(decision_id: str) -> Response:
        """Say why one decision came out as it did, also long after it was made."""
        defined = project.read(stores.state)
        found = pipeline.explain(stores, defined, decision_id, now=clock())
        document = reports.to_document(found)
        _write_id(document["decided"])
        return JSONResponse(document)


def _timeline_route(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    @application.get(
        "/use-cases/{name}/timeline", response_model=UseCaseTimeline, responses=dict(missing)
    )
    def happened(name: str) -> Response:
        """List what a use case went through: versions with differences, stops, training runs."""
        use_case = project.read(stores.state).use_case(name)
        found = reports.use_case_timeline(stores.state, use_case.name, now=clock())
        return JSONResponse(reports.to_document(found))


def _write_id(row: object) -> None:
    assert isinstance(row, dict), "a report's dataclasses are objects"
    row["profile_id"] = None if row["profile_id"] is None else str(row["profile_id"])


def _with_ids_as_text(document: dict[str, object]) -> dict[str, object]:
    """Write ids of profiles as text: JSON's numbers are doubles in many programs."""
    rows = document["decisions"]
    assert isinstance(rows, list), "a report's tuples are lists"
    for row in rows:
        _write_id(row)
    return document
