"""Braze holds what is handed over ahead until its time: its schedules of a campaign or canvas.

A schedule has one time and up to 50 recipients, and is given back as a whole. The id that we keep
names the campaign or canvas as well, as a use case may take another one meanwhile. Braze's
``update`` would only give a schedule another time, and a decided time never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec

from opportune.activation.connectors.braze_answers import (
    answered_object,
    read_deliveries,
    refusal,
)
from opportune.activation.connectors.braze_ways import DIRECT, WAYS
from opportune.activation.model import Answer, Delivery, Recall, Request

__all__ = ["read_recall", "read_scheduled", "schedule_of", "write_recall"]

# Under which setting the campaign or canvas of a schedule is named; messages of ours need none.
_SETTINGS = {**{way.schedules: way.setting for way in WAYS}, DIRECT.schedules: ""}


def schedule_of(at: datetime) -> dict[str, str]:
    """Return how Braze is told a time.

    >>> schedule_of(datetime(2026, 3, 1, 18, tzinfo=UTC))
    {'time': '2026-03-01T18:00:00Z'}
    """
    return {"time": at.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"}


def read_scheduled(request: Request, answer: Answer) -> list[Delivery]:
    """Give one delivery per key of a call that schedules, in the request's order.

    Accepted without a ``schedule_id``, or with a ``notice`` (a paused canvas may run again by
    then), it is not known whether anything will be sent.
    """
    deliveries = read_deliveries(request, answer)
    if answer.status is None or not 200 <= answer.status < 300:
        return deliveries
    body = answered_object(answer)
    schedule_id = body.get("schedule_id")
    if body.get("notice"):
        return [replace(each, outcome="unknown") for each in deliveries]
    if not isinstance(schedule_id, str) or not schedule_id:
        reason = "Braze took the schedule and did not name it: its time shows what became of it."
        return [
            replace(each, outcome="unknown", reason=each.reason or reason) for each in deliveries
        ]
    path = request.path.removesuffix("/create")
    own = msgspec.json.decode(request.body).get(_SETTINGS[path], "")
    named = f"{path}:{own}:{schedule_id}"
    return [
        replace(each, schedule_id=named) if each.outcome == "sent" else each for each in deliveries
    ]


def write_recall(schedule_id: str, keys: Sequence[str]) -> Request:
    """Write the call that deletes a schedule, named as ``read_scheduled`` names it.

    >>> call = write_recall("/campaigns/trigger/schedule:8f0f0b8e:886a0a5a", ["k"])
    >>> call.path, call.body
    ('/campaigns/trigger/schedule/delete', b'{"campaign_id":"8f0f0b8e","schedule_id":"886a0a5a"}')
    """
    path, own, named = schedule_id.split(":", 2)
    of = {_SETTINGS[path]: own} if own else {}
    return Request(
        method="POST",
        path=f"{path}/delete",
        body=msgspec.json.encode({**of, "schedule_id": named}),
        keys=tuple(keys),
    )


def read_recall(request: Request, answer: Answer) -> Recall:
    """Say what became of a call that deletes a schedule.

    Braze refuses what it has sent already in the same words as what it never knew.
    """
    if answer.status is None or not 200 <= answer.status < 300:
        outcome, reason, wait = refusal(request, answer)
        if outcome == "failed":
            return Recall(outcome="refused", reason=reason, retry_after_s=None)
        if outcome == "retry":
            return Recall(outcome="retry", reason=reason, retry_after_s=wait)
        return Recall(outcome="unknown", reason=reason, retry_after_s=wait)
    if not isinstance(answered_object(answer).get("message"), str):
        reason = f"The answer {answer.status} cannot be read as Braze's; check base_url."
        return Recall(outcome="unknown", reason=reason, retry_after_s=None)
    return Recall(outcome="taken_back", reason="", retry_after_s=None)
