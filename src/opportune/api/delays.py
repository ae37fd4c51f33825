"""Over HTTP: how long the rewards of a use case take to come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response

from opportune import project, reports
from opportune.reports import DelayCurve, UseCaseHealth
from opportune.storage import Stores

__all__ = ["delay_routes"]


def delay_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the route of delays; ``missing`` is how a name that is none is answered."""

    @application.get("/use-cases/{name}/delays", response_model=DelayCurve, responses=dict(missing))
    def use_case_delays(name: str) -> Response:
        """Report how long the rewards of a use case take to come."""
        defined = project.read(stores.state)
        use_case = defined.use_case(name)
        curve = reports.delay_curve(stores, use_case, defined.metric_of(use_case), now=clock())
        return JSONResponse(reports.to_document(curve))

    @application.get(
        "/use-cases/{name}/health", response_model=UseCaseHealth, responses=dict(missing)
    )
    def use_case_health(name: str) -> Response:
        """Report how a use case runs: its audience, what was sent, freshness and drift."""
        defined = project.read(stores.state)
        use_case = defined.use_case(name)
        metric = defined.metric_of(use_case)
        found = reports.use_case_health(stores, use_case, metric, now=clock())
        return JSONResponse(reports.to_document(found))
