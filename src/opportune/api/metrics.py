"""Over HTTP: which metrics there are, and what one of them comes to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.responses import Response

from opportune import project, reports
from opportune.storage import Stores

__all__ = ["metric_routes"]


def metric_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the routes of metrics; ``missing`` answers a name that is none."""

    @application.get("/metrics", response_model=list[reports.MetricDefinition])
    def metrics() -> Response:
        """List the metrics with what each counts."""
        found = reports.metric_definitions(project.read(stores.state).metrics)
        return JSONResponse([reports.to_document(each) for each in found])

    @application.get("/metrics/{name}", response_model=reports.MetricDays, responses=dict(missing))
    def metric(name: str, days: int = 30) -> Response:
        """Say what a metric came to on each of the newest 1 to 365 days, and over all of them."""
        found = project.read(stores.state).metric(name)
        told = reports.metric_days(stores, found, now=clock(), days=days)
        return JSONResponse(reports.to_document(told))
