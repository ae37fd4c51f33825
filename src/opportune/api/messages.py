"""Over HTTP: what a combination of a use case would say, and a test send of it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from opportune import pipeline, project
from opportune.api.states import ASKING
from opportune.api.stops import By
from opportune.storage import Stores

__all__ = ["message_routes"]

Option = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Action = Annotated[dict[Option, Option], Field(max_length=100)]


class PreviewRequest(BaseModel):
    """An option of each dimension; of one that is left out, its first."""

    model_config = ConfigDict(extra="forbid")
    action: Action = {}


class TestSendRequest(BaseModel):
    """Which combination goes to which email address or phone number, and who asks for it."""

    model_config = ConfigDict(extra="forbid")
    action: Action = {}
    to: Annotated[str, StringConstraints(max_length=320, pattern=r"^[^\x00]*$")]
    by: By


class ContentAnswer(BaseModel):
    """The texts of a message; those that its channel has not are null."""

    channel: str
    name: str | None
    subject: str | None
    preheader: str | None
    body: str | None
    title: str | None
    alert: str | None


class MessageAnswer(BaseModel):
    """One message. ``problem``: why its texts stand there as they are in Braze."""

    content: ContentAnswer
    problem: str


class PreviewAnswer(BaseModel):
    """What goes out for a combination. ``trouble``: why there is no message to show."""

    use_case: str
    action: dict[str, str]
    properties: dict[str, Any]
    sends: bool
    messages: list[MessageAnswer]
    trouble: str


class TestSendAnswer(BaseModel):
    """Whether Braze took it, to which temporary profile, and from when that is removed."""

    accepted: bool
    reason: str
    external_id: str
    dispatch_id: str | None
    removed_from: datetime


def message_routes(
    application: FastAPI,
    stores: Stores,
    *,
    clock: Callable[[], datetime],
    missing: Mapping[int | str, dict[str, Any]],
) -> None:
    """Add the routes; ``missing``: no such use case."""

    @application.post("/use-cases/{name}/preview", responses=dict(missing))
    def preview(name: str, said: PreviewRequest) -> PreviewAnswer:
        """Show what goes out for a combination of options. Nothing is sent or kept."""
        use_case = project.read(stores.state).use_case(name)
        found = pipeline.preview_message(stores.settings, use_case, said.action, ASKING)
        return PreviewAnswer(**asdict(found))

    @application.post("/use-cases/{name}/test-sends", responses=dict(missing))
    def test_send(name: str, said: TestSendRequest) -> TestSendAnswer:
        """Send a combination to a temporary profile in Braze; nothing counts it."""
        use_case = project.read(stores.state).use_case(name)
        tester = pipeline.Tester(to=said.to, by=said.by, number=secrets.token_hex(8))
        found = pipeline.send_test(
            stores, use_case, said.action, tester=tester, asking=ASKING, now=clock()
        )
        return TestSendAnswer(**asdict(found))
