"""Over HTTP: a use case that a guard rail has stopped goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, StringConstraints

from opportune import decisions, project
from opportune.storage import Stores

__all__ = ["ResumeRequest", "stop_routes"]

By = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class ResumeRequest(BaseModel):
    """Who says so."""

    model_config = ConfigDict(extra="forbid")
    by: By


class StopAnswer(BaseModel):
    """Why a use case was stopped, and the first day that it did not decide."""

    use_case: str
    day: date
    stopped_at: datetime
    reason: str


def stop_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the route that resumes; ``missing`` is how a name that is none is answered."""
    refused = dict(missing)
    refused[409] = {"model": missing[404]["model"], "description": "It is not stopped."}

    @application.post("/use-cases/{name}/resume", responses=refused)
    def resume(name: str, said: ResumeRequest) -> StopAnswer:
        """Let a use case decide again that broke a guard rail, and tell why it was stopped."""
        use_case = project.read(stores.state).use_case(name)
        stop = decisions.resume(stores.state, use_case.name, by=said.by, now=clock())
        return StopAnswer(
            use_case=name, day=stop.day, stopped_at=stop.stopped_at, reason=stop.reason
        )
