"""Over HTTP: is a use case worth starting."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI, Query
from fastapi.responses import JSONResponse
from starlette.responses import Response

from opportune import pipeline, project
from opportune.reports import Readiness, to_document
from opportune.storage import Stores

__all__ = ["readiness_routes"]

Within = Annotated[int, Query(ge=1, le=365)]


def readiness_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the route that says whether to start; ``missing`` answers a name that is none."""

    @application.get(
        "/use-cases/{name}/readiness", response_model=Readiness, responses=dict(missing)
    )
    def readiness(name: str, within_days: Within = 90) -> Response:
        """Say who may get what, what they bring already, and when a lift would be known."""
        defined = project.read(stores.state)
        found = pipeline.readiness(
            stores, defined, defined.use_case(name), now=clock(), within_days=within_days
        )
        return JSONResponse(to_document(found))
