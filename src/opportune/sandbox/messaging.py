"""Trigger calls, now: ``/campaigns/trigger/send`` and ``/canvas/trigger/send``."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
from starlette.responses import Response

from opportune.sandbox.catalogue import Campaign, Canvas
from opportune.sandbox.delivery import deliver, of_campaign
from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.filters import Filter
from opportune.sandbox.journeys import enter
from opportune.sandbox.model import Refused
from opportune.sandbox.targeting import (
    Targeting,
    check_targeting,
    properties_of,
    targets_of,
    write_recipients,
)
from opportune.sandbox.workspace import Workspace

__all__ = [
    "CampaignTrigger",
    "CanvasTrigger",
    "CheckedTrigger",
    "canvas_send",
    "checked_campaign",
    "checked_canvas",
    "check_send_id",
    "draw_send",
    "named_campaign",
    "notice_of",
    "trigger_send",
]

NO_CAMPAIGN = "campaign_id must be a string of the campaign api identifier"
NO_CANVAS = "canvas_id must be a string of the Canvas api identifier"


class CampaignTrigger(Targeting, frozen=True, kw_only=True):
    """The body of a campaign trigger, as sent."""

    campaign_id: object = None
    trigger_properties: msgspec.Raw = msgspec.Raw()
    send_id: str | None = None


class CanvasTrigger(Targeting, frozen=True, kw_only=True):
    """The body of a canvas trigger, as sent."""

    canvas_id: object = None
    context: msgspec.Raw = msgspec.Raw()
    canvas_entry_properties: msgspec.Raw = msgspec.Raw()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTrigger:
    """A trigger that is well-formed: whom it means, and the properties of each."""

    sent: Targeting
    own: Sequence[Mapping[str, object]]
    common: Mapping[str, object]
    audience: Filter | None


_CAMPAIGN_TRIGGER = msgspec.json.Decoder(CampaignTrigger)
_CANVAS_TRIGGER = msgspec.json.Decoder(CanvasTrigger)


async def trigger_send(exchange: Exchange) -> Response:
    """Accept messages for up to 50 users, or with ``broadcast`` for all; 201 means accepted."""
    sent = decoded(exchange.body, _CAMPAIGN_TRIGGER)
    campaign, trigger = checked_campaign(sent, exchange.workspace)
    draw_send(exchange, sent, campaign.id)
    workspace, dispatch_id = exchange.workspace, uuid.uuid4().hex
    send_id = sent.send_id or (uuid.uuid4().hex if sent.recipients is None else "")
    sent, own, errors = _refused(exchange, sent, trigger.own)
    write_recipients(workspace, sent.recipients or ())
    if campaign.enabled and not campaign.archived and not campaign.draft:
        deliver(
            workspace,
            of_campaign(campaign, send_id=send_id),
            targets_of(workspace, sent, own, trigger.common, trigger.audience),
            at=workspace.now,
            request_id=exchange.request_id,
            dispatch_id=dispatch_id,
        )
    extra: dict[str, object] = {"dispatch_id": dispatch_id, **errors}
    if send_id:
        extra["send_id"] = send_id
    return answer(201, "success", extra)


def _refused(
    exchange: Exchange, sent: CampaignTrigger, own: Sequence[Mapping[str, object]]
) -> tuple[CampaignTrigger, Sequence[Mapping[str, object]], dict[str, object]]:
    """With the fault ``partial``, the first recipient is refused by its place and the others go on.

    How Braze would say so is not documented: it is said as ``/users/track`` says it.
    """
    if not exchange.partial or not sent.recipients:
        return sent, own, {}
    entry = {
        "type": "the recipient could not be processed",
        "input_array": "recipients",
        "index": 0,
    }
    left = msgspec.structs.replace(sent, recipients=sent.recipients[1:])
    return left, own[1:], {"errors": [entry]}


async def canvas_send(exchange: Exchange) -> Response:
    """Enter users into a canvas; a ``notice`` says that it is paused or archived: nobody enters."""
    sent = decoded(exchange.body, _CANVAS_TRIGGER)
    canvas, trigger = checked_canvas(sent, exchange.workspace)
    draw_send(exchange, sent, canvas.id)
    extra = {"dispatch_id": uuid.uuid4().hex}
    notice = notice_of(canvas)
    if notice is not None:
        return answer(201, "success", {"notice": notice, **extra})
    workspace = exchange.workspace
    write_recipients(workspace, sent.recipients or ())
    enter(
        workspace,
        canvas,
        targets_of(workspace, sent, trigger.own, trigger.common, trigger.audience),
        at=workspace.now,
        request_id=exchange.request_id,
        dispatch_id=extra["dispatch_id"],
    )
    return answer(201, "success", extra)


def notice_of(canvas: Canvas) -> str | None:
    """What a trigger is told about a canvas that lets nobody in."""
    if canvas.archived:
        return (
            "The Canvas is archived. Unarchive the Canvas to ensure trigger requests will take "
            "effect."
        )
    if canvas.enabled and not canvas.draft:
        return None
    return "The Canvas is paused. Resume the Canvas to ensure trigger requests will take effect."


def checked_campaign(
    sent: CampaignTrigger, workspace: Workspace
) -> tuple[Campaign, CheckedTrigger]:
    """Everything that is wrong with the call as a whole, or with any recipient, is a 400."""
    campaign = named_campaign(sent.campaign_id, workspace)
    if campaign.kind != "triggered" or not campaign.variations:
        raise Refused(f"Invalid Campaign ID: {campaign.id} is no API-triggered campaign")
    audience = check_targeting(sent)
    check_send_id(sent.send_id)
    own = [
        properties_of(one.trigger_properties, "trigger_properties", index)
        for index, one in enumerate(sent.recipients or ())
    ]
    common = properties_of(sent.trigger_properties, "trigger_properties")
    return campaign, CheckedTrigger(sent=sent, own=own, common=common, audience=audience)


def checked_canvas(sent: CanvasTrigger, workspace: Workspace) -> tuple[Canvas, CheckedTrigger]:
    """As :func:`checked_campaign`; what the former name of ``context`` holds counts as well."""
    canvas = workspace.catalogue.canvases.get(str(sent.canvas_id))
    if not isinstance(sent.canvas_id, str) or canvas is None:
        raise Refused(NO_CANVAS)
    audience = check_targeting(sent)
    own = [
        properties_of(one.canvas_entry_properties, "canvas_entry_properties", index)
        | properties_of(one.context, "context", index)
        for index, one in enumerate(sent.recipients or ())
    ]
    old = properties_of(sent.canvas_entry_properties, "canvas_entry_properties")
    common = old | properties_of(sent.context, "context")
    return canvas, CheckedTrigger(sent=sent, own=own, common=common, audience=audience)


def named_campaign(campaign_id: object, workspace: Workspace) -> Campaign:
    """The campaign of this id."""
    if not isinstance(campaign_id, str):
        raise Refused(NO_CAMPAIGN)
    campaign = workspace.catalogue.campaigns.get(campaign_id)
    if campaign is None:
        raise Refused(f"Invalid Campaign ID: {campaign_id}")
    return campaign


def check_send_id(send_id: str | None) -> None:
    """A send id is short and printable."""
    if send_id is None:
        return
    if not (0 < len(send_id) <= 64 and send_id.isascii() and send_id.isprintable()):
        raise Refused("send_id must be at most 64 ASCII characters")


def draw_send(exchange: Exchange, sent: Targeting, sender_id: str) -> None:
    """Count a send against its pool: broadcast calls have two of their own."""
    if sent.recipients is not None:
        exchange.draw("default")
        return
    audience = msgspec.json.encode(sent.audience).decode()
    exchange.draw("broadcast")
    exchange.draw("broadcast audience", of=f"{sender_id} {audience}")
