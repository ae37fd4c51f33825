"""Canvases: users enter a variant, its first step is sent, the next ones follow in time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import blake2b

from opportune.sandbox.catalogue import Canvas, Step, Variant
from opportune.sandbox.delivery import deliver, of_step
from opportune.sandbox.diary import Target
from opportune.sandbox.model import SendCall
from opportune.sandbox.workspace import Workspace

__all__ = ["enter", "go_on"]

MAX_STEPS = 50


def enter(
    workspace: Workspace,
    canvas: Canvas,
    targets: Iterable[Target],
    *,
    at: datetime,
    request_id: str,
    dispatch_id: str,
) -> None:
    """Let users in; each goes the way of one variant, chosen by their hash."""
    by_variant: dict[str, list[Target]] = {}
    for target in targets:
        variant = _variant(canvas, workspace, target[0])
        by_variant.setdefault(variant.id, []).append(target)
    steps = {one.id: one for one in canvas.steps}
    for variant in canvas.variants:
        for step_id in variant.first_step_ids:
            if variant.id in by_variant and step_id in steps:
                call = deliver(
                    workspace,
                    of_step(canvas, steps[step_id], first=True),
                    by_variant[variant.id],
                    at=at,
                    request_id=request_id,
                    dispatch_id=dispatch_id,
                )
                _look_ahead(workspace, canvas, steps[step_id], call, depth=1)


def go_on(
    workspace: Workspace, canvas_id: str, step_id: str, call: SendCall, depth: int = 1
) -> None:
    """Send the step to those who got the one before; nothing when the canvas has stopped."""
    canvas = workspace.catalogue.canvases.get(canvas_id)
    steps = {} if canvas is None else {one.id: one for one in canvas.steps}
    if canvas is None or step_id not in steps or canvas.archived or not canvas.enabled:
        return
    people = workspace.people
    targets: list[Target] = [
        (
            people.numbers.get(one.external_user_id, people.by_braze_id.get(one.braze_id)),
            one.external_user_id or one.braze_id,
            one.trigger_properties,
        )
        for one in call.messages
    ]
    step = steps[step_id]
    sent = deliver(
        workspace,
        of_step(canvas, step, first=False),
        targets,
        at=call.at + timedelta(seconds=step.delay_s),
        request_id=call.request_id,
    )
    _look_ahead(workspace, canvas, step, sent, depth=depth + 1)


def _look_ahead(
    workspace: Workspace, canvas: Canvas, step: Step, call: SendCall, *, depth: int
) -> None:
    """Note when the next steps are due."""
    delays = {one.id: one.delay_s for one in canvas.steps}
    for after in step.next_step_ids:
        if after in delays and call.messages and depth < MAX_STEPS:
            due = call.at + timedelta(seconds=delays[after])
            workspace.diary.note(
                due,
                lambda after=after: go_on(workspace, canvas.id, after, call, depth),  # type: ignore[misc]  # bound now
            )


def _variant(canvas: Canvas, workspace: Workspace, number: int | None) -> Variant:
    key = "" if number is None else workspace.people.braze_id_of(number)
    drawn = int.from_bytes(blake2b(f"{canvas.id}:{key}".encode(), digest_size=4).digest())
    return canvas.variants[drawn % len(canvas.variants)]
