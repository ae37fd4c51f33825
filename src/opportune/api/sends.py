"""Over HTTP: sends whose answer never came or that failed, and what somebody decides about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field

from opportune import activation, project
from opportune.activation import OpenSend
from opportune.storage import Stores

__all__ = ["send_routes"]

Before = Annotated[int | None, Query(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Query(ge=1, le=1_000)]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
State = Literal["unknown", "failed"]


class SendAnswer(BaseModel):
    """One send; ``profile_id`` is a text, as everywhere.

    ``choice``: what somebody decided and the worker has yet to carry out.
    """

    sequence: int
    decision_id: str
    use_case: str
    day: date
    profile_id: str
    state: State
    reason: str
    attempts: int
    attempted_at: datetime | None
    due_at: datetime
    choice: str | None
    chosen_by: str | None


class SendsAnswer(BaseModel):
    """A page of sends, the newest first; ``next_before`` is None where nothing is behind it."""

    sends: list[SendAnswer]
    next_before: int | None


class ResolveBody(BaseModel):
    """What is decided about which sends, and by whom."""

    model_config = ConfigDict(extra="forbid")
    decision_ids: Annotated[list[Text], Field(min_length=1, max_length=1_000)]
    choice: Text
    by: Text = "api"


class ResolveAnswer(BaseModel):
    """The sends that it goes for; the worker carries it out."""

    decision_ids: list[str]


def send_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the routes below ``/sends``."""

    @application.get("/sends", responses=dict(missing))
    def sends(
        use_case: Annotated[str | None, Query(max_length=200)] = None,
        state: State | None = None,
        before: Before = None,
        limit: Limit = activation.SENDS_PAGE,
    ) -> SendsAnswer:
        """List the ambiguous and failed sends, the newest first, each with its reason."""
        defined = project.read(stores.state)
        names = [defined.use_case(use_case).name] if use_case else list(defined.use_cases)
        states = (state,) if state else activation.OPEN_STATES
        found = activation.open_sends(
            stores.state, names, states=states, before=before, limit=limit
        )
        return SendsAnswer(
            sends=[_answer(each) for each in found],
            next_before=found[-1].sequence if len(found) == limit else None,
        )

    @application.post("/sends/resolve", responses=dict(missing))
    def resolve(body: ResolveBody) -> ResolveAnswer:
        """Decide about ambiguous sends: went_out, send_again or give_up; failed ones: send_again.

        Engagement that shows that a send went out counts more.
        """
        found = activation.choose(
            stores.state, body.decision_ids, body.choice, by=body.by, now=clock()
        )
        return ResolveAnswer(decision_ids=found)


def _answer(send: OpenSend) -> SendAnswer:
    return SendAnswer(
        sequence=send.sequence,
        decision_id=send.key,
        use_case=send.use_case,
        day=send.day,
        profile_id=str(send.profile_id),
        state="failed" if send.state == "failed" else "unknown",
        reason=send.reason,
        attempts=send.attempts,
        attempted_at=send.attempted_at,
        due_at=send.due_at,
        choice=send.choice,
        chosen_by=send.chosen_by,
    )
