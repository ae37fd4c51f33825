"""Over HTTP: what treatment earns beside every other group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.responses import Response

from opportune import project, reports
from opportune.storage import Stores

__all__ = ["group_routes"]


def group_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the route that compares groups; ``missing`` answers a name that is none."""

    @application.get(
        "/use-cases/{name}/groups", response_model=reports.Groups, responses=dict(missing)
    )
    def groups(name: str) -> Response:
        """Compare treatment with control, random play, the champion and the holdout."""
        defined = project.read(stores.state)
        chosen = defined.use_case(name)
        found = reports.groups(stores, chosen, defined.metric_of(chosen), now=clock())
        return JSONResponse(reports.to_document(found))
