"""Over HTTP: what a use case would have earned with other options, limits or another policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from opportune import pipeline, project
from opportune.documents import InvalidDefinition
from opportune.learning import WhatIf
from opportune.pipeline import Otherwise
from opportune.reports import to_document
from opportune.storage import Stores

__all__ = ["what_if_routes"]

MOST = 64
Name = Annotated[str, Field(max_length=200)]


class OptionAsked(BaseModel):
    """One option of a dimension."""

    model_config = ConfigDict(extra="forbid")
    dimension: Name
    option: Name


class WhatIfRequest(BaseModel):
    """What is asked about; all of it may be left out, and then it is what was lived through.

    ``forbid``: combinations, an option for each of two dimensions or more. ``policy``: learned,
    uniform or fixed, which always plays ``action``. ``definition``: another use case as its file
    says it, which need not be applied.
    """

    model_config = ConfigDict(extra="forbid")
    without: Annotated[list[OptionAsked], Field(max_length=MOST)] = []
    forbid: Annotated[list[dict[Name, Name]], Field(max_length=MOST)] = []
    policy: Name = "learned"
    action: dict[Name, Name] = {}
    definition: dict[str, Any] | None = None


def what_if_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the route that asks the decision log; ``missing`` answers a name that is none."""

    @application.post("/use-cases/{name}/what-if", response_model=WhatIf, responses=dict(missing))
    def what_if(name: str, said: WhatIfRequest) -> Response:
        """Estimate from the decision log what another choice would have earned; writes nothing."""
        defined = project.read(stores.state)
        chosen = defined.use_case(name)
        if said.definition is not None:
            found, problems = project.judge_use_case(stores.state, name, said.definition)
            if found is None:
                raise InvalidDefinition(list(problems))
            chosen = found
        asked = Otherwise(
            without=[(each.dimension, each.option) for each in said.without],
            forbid=said.forbid,
            plays=said.policy,
            action=said.action,
        )
        told = pipeline.what_if(stores, defined, chosen, asked=asked, log_name=name, now=clock())
        return JSONResponse(to_document(told))
