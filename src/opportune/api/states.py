"""Over HTTP: a use case starts, decides in shadow, or pauses."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from opportune import decisions, pipeline, project
from opportune.activation.braze import Asking, Patience
from opportune.api.stops import ResumeRequest
from opportune.storage import Stores

__all__ = ["ASKING", "state_routes"]

# Somebody waits for the answer: a Braze that does not come soon stops nothing.
ASKING = Asking(
    clock=time.monotonic,
    sleep=time.sleep,
    patience=Patience(tries=1, wait_s=0.0),
    read_timeout_s=5.0,
)


class StateAnswer(BaseModel):
    """What a use case may do now, and whether this call changed it.

    ``audience``: how many people it is about.
    """

    use_case: str
    state: str
    changed: bool
    audience: int


def state_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the routes that change what a use case may do; ``missing``: it is not there."""

    def answer(name: str, state: str, by: str) -> StateAnswer:
        defined = project.read(stores.state)
        use_case = defined.use_case(name)
        if state == "live":
            pipeline.check_before_start(stores.settings, defined, use_case, ASKING)
        found = decisions.audience_people(stores.state, use_case.audience, use_case.minus)
        changed = pipeline.change_state(stores, name, state, by=by, now=clock())
        return StateAnswer(use_case=name, state=state, changed=changed, audience=found.people)

    @application.post("/use-cases/{name}/start", responses=dict(missing))
    def start(name: str, said: ResumeRequest) -> StateAnswer:
        """Let a use case decide and send, from its next day on."""
        return answer(name, "live", said.by)

    @application.post("/use-cases/{name}/shadow", responses=dict(missing))
    def shadow(name: str, said: ResumeRequest) -> StateAnswer:
        """Let a use case decide every day and send nothing."""
        return answer(name, "shadow", said.by)

    @application.post("/use-cases/{name}/pause", responses=dict(missing))
    def pause(name: str, said: ResumeRequest) -> StateAnswer:
        """Let a use case decide nothing; what waits to be sent is held."""
        return answer(name, "paused", said.by)
