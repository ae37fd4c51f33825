"""Over HTTP: how much the audience of a use case is that of others, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.responses import Response

from opportune import project, reports
from opportune.storage import Stores

__all__ = ["overlap_routes"]


def overlap_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the route that counts; ``missing`` answers a name that is none."""

    @application.get(
        "/use-cases/{name}/overlap", response_model=reports.Overlap, responses=dict(missing)
    )
    def overlap(name: str) -> Response:
        """Say in which groups of other use cases its audience is, and how much it is sent."""
        defined = project.read(stores.state)
        chosen = defined.use_case(name)
        found = reports.overlap(stores, chosen, defined.use_cases.values(), now=clock())
        return JSONResponse(reports.to_document(found))
