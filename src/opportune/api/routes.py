"""Opportune's own interface under ``/api``: what is defined, what it earned, who a profile is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

import opportune
from opportune import project
from opportune.api.catalogue import catalogue_routes, reject_routes
from opportune.api.decide import decide_routes
from opportune.api.decisions import decision_routes
from opportune.api.delays import delay_routes
from opportune.api.destinations import destination_routes
from opportune.api.door import Door
from opportune.api.errors import HANDLERS
from opportune.api.field_policies import field_policy_routes
from opportune.api.groups import group_routes
from opportune.api.identity import identity_routes
from opportune.api.messages import message_routes
from opportune.api.metrics import metric_routes
from opportune.api.operations import Counts, operation_routes
from opportune.api.overlap import overlap_routes
from opportune.api.privacy import privacy_routes
from opportune.api.profiles import profile_routes
from opportune.api.readiness import readiness_routes
from opportune.api.reconciliation import reconciliation_routes
from opportune.api.report import report_routes
from opportune.api.segments import segment_routes
from opportune.api.sends import send_routes
from opportune.api.states import state_routes
from opportune.api.stops import stop_routes
from opportune.api.tail import tail_routes
from opportune.api.what_if import what_if_routes
from opportune.decisions import UseCase, stopped
from opportune.project import Project
from opportune.reports import Performance, Results, TabReport, performance, to_document
from opportune.storage import Stores

__all__ = ["Problem", "UseCaseAnswer", "UseCasesAnswer", "routes"]

ALIKE = (
    privacy_routes,
    stop_routes,
    decision_routes,
    delay_routes,
    state_routes,
    readiness_routes,
    group_routes,
    overlap_routes,
    what_if_routes,
    send_routes,
    message_routes,
    metric_routes,
)


class Problem(BaseModel):
    """What every error answers."""

    model_config = ConfigDict(extra="forbid")
    code: str
    message: str


MISSING: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is nothing of this name."}
}


class DimensionAnswer(BaseModel):
    """What is chosen, and from what."""

    name: str
    options: list[str]


class UseCaseAnswer(BaseModel):
    """One use case in its newest version; ``stopped`` says which guard rail it broke, if it did.

    ``state`` is draft, shadow, live or paused.
    """

    name: str
    version: int
    title: str
    success_metric: str
    unit: str
    control_share: float
    dimensions: list[DimensionAnswer]
    stopped: str
    state: str


class UseCasesAnswer(BaseModel):
    """All use cases, by name."""

    use_cases: list[UseCaseAnswer]


def routes(
    stores: Stores,
    *,
    clock: Callable[[], datetime] | None = None,
    counts: Counts | None = None,
    report_page: Callable[[Results | TabReport], bytes] | None = None,
) -> Sequence[BaseRoute]:
    """Return the routes of the interface and of operations, for the server composed of them.

    ``clock`` tells the time that an answer is true for; the real one if it is None. ``counts`` is
    what the collector of the same process counts. ``report_page`` writes a report as HTML, where
    the server has pages.
    """
    application = FastAPI(
        title="Opportune",
        version=opportune.__version__,
        openapi_url="/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        responses={
            400: {"model": Problem, "description": "The request cannot be read."},
            503: {"model": Problem, "description": "A store does not answer; try again later."},
        },
    )
    for kind, handler in HANDLERS.items():
        application.add_exception_handler(kind, handler)
    counted: Counts = Counter() if counts is None else counts
    told = clock or (lambda: datetime.now(UTC))
    application.add_middleware(Door, stores=stores, clock=told)
    decide = _add(application, stores, told, counted)
    reconciliation_routes(application, stores, clock=told, missing=MISSING)
    report_routes(application, stores, clock=told, missing=MISSING, page=report_page)
    return (
        # Asked more often than all others together: it goes past the application.
        Route("/api/decide", Door(decide, stores=stores, clock=told), methods=["POST"]),
        Mount("/api", application),
        *operation_routes(stores, counted),
    )


def _add(
    application: FastAPI, stores: Stores, clock: Callable[[], datetime], counts: Counts
) -> ASGIApp:
    missing = MISSING
    decide = decide_routes(application, stores, clock=clock, counts=counts, missing=missing)
    catalogue_routes(application, stores, clock=clock, missing=missing)
    reject_routes(application, stores, missing=missing)
    tail_routes(application, stores)
    field_policy_routes(application, stores, clock=clock)
    identity_routes(application, stores, clock=clock, missing=missing)
    destination_routes(application, stores, clock=clock, missing=missing)
    segment_routes(application, stores, clock=clock, missing=missing)
    profile_routes(application, stores, clock=clock, counts=counts, missing=missing)
    for add in ALIKE:
        add(application, stores, clock=clock, missing=missing)

    @application.get("/use-cases")
    def use_cases() -> UseCasesAnswer:
        """List the use cases with what they may choose."""
        defined = project.read(stores.state)
        return UseCasesAnswer(
            use_cases=[_use_case(stores, defined, each) for each in defined.use_cases.values()]
        )

    @application.get("/use-cases/{name}/performance", response_model=Performance, responses=missing)
    def use_case_performance(name: str) -> Response:
        """Report what a use case earned over its control group."""
        defined = project.read(stores.state)
        chosen = defined.use_case(name)
        report = performance(stores, chosen, defined.metric_of(chosen), now=clock())
        return JSONResponse(to_document(report))

    return decide


def _use_case(stores: Stores, defined: Project, use_case: UseCase) -> UseCaseAnswer:
    stop = stopped(stores.state, use_case.name)
    return UseCaseAnswer(
        name=use_case.name,
        version=use_case.version,
        title=use_case.title,
        success_metric=use_case.success_metric,
        unit=defined.metric_of(use_case).unit,
        control_share=use_case.control_share,
        dimensions=[
            DimensionAnswer(name=each.name, options=[option.name for option in each.options])
            for each in use_case.dimensions
        ],
        stopped=stop.reason if stop is not None else "",
        state=use_case.state,
    )
