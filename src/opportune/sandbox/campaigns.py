"""Reading the catalogue: campaigns, canvases and segments, listed and in detail; send ids."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec
from starlette.responses import Response

from opportune.sandbox.asked import flag_asked, page_of, time_asked
from opportune.sandbox.catalogue import Campaign, Canvas, Segment, Variation
from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.filters import in_words
from opportune.sandbox.messaging import NO_CAMPAIGN, NO_CANVAS, check_send_id
from opportune.sandbox.model import Refused
from opportune.sandbox.workspace import Workspace

__all__ = [
    "asked_campaign",
    "asked_canvas",
    "asked_segment",
    "campaign_details",
    "campaigns_list",
    "canvas_details",
    "canvas_list",
    "segment_details",
    "segments_list",
    "send_id_create",
]


class _SendId(msgspec.Struct, frozen=True):
    campaign_id: object = None
    send_id: str | None = None


_SEND_ID = msgspec.json.Decoder(_SendId)
Dated = TypeVar("Dated", Campaign, Canvas)
Named = TypeVar("Named", Campaign, Canvas, Segment)
NO_SEGMENT = "segment_id must be a string of the segment api identifier"


async def campaigns_list(exchange: Exchange) -> Response:
    """One page of campaigns; empty beyond the last."""
    exchange.draw("default")
    shown = [
        {**_row(one), "is_api_campaign": one.kind == "api"}
        for one in _listed(exchange, exchange.workspace.catalogue.campaigns.values())
    ]
    return answer(200, "success", {"campaigns": shown})


async def canvas_list(exchange: Exchange) -> Response:
    """One page of canvases; empty beyond the last."""
    exchange.draw("default")
    shown = [_row(one) for one in _listed(exchange, exchange.workspace.catalogue.canvases.values())]
    return answer(200, "success", {"canvases": shown})


async def segments_list(exchange: Exchange) -> Response:
    """One page of segments; empty beyond the last."""
    exchange.draw("default")
    segments = list(exchange.workspace.catalogue.segments.values())
    shown = [
        {
            "id": one.id,
            "name": one.name,
            "analytics_tracking_enabled": True,
            "tags": one.tags,
        }
        for one in page_of(exchange.request.query_params, segments)
    ]
    return answer(200, "success", {"segments": shown})


async def campaign_details(exchange: Exchange) -> Response:
    """A campaign with the content of its variations."""
    exchange.draw("default")
    _detail_flags(exchange)
    campaign = asked_campaign(exchange)
    first, last = _first_and_last(exchange.workspace, campaign.id)
    return answer(
        200,
        "success",
        {
            **_dated(campaign),
            "archived": campaign.archived,
            "draft": campaign.draft,
            "enabled": campaign.enabled,
            "has_post_launch_draft": False,
            "name": campaign.name,
            "description": campaign.description,
            "schedule_type": "api_triggered" if campaign.kind == "triggered" else "api",
            "channels": _channels(campaign.variations),
            "first_sent": first,
            "last_sent": last,
            "tags": campaign.tags,
            "teams": [],
            "messages": _messages(campaign.variations),
            "conversion_behaviors": [
                {"type": "Makes Any Purchase", "window": campaign.conversion_window_s}
            ],
        },
    )


async def canvas_details(exchange: Exchange) -> Response:
    """A canvas with its variants, its steps and their content."""
    exchange.draw("default")
    _detail_flags(exchange)
    canvas = asked_canvas(exchange)
    entries = sorted(exchange.workspace.entered.get(canvas.id, {}).values())
    every = [one for step in canvas.steps for one in step.variations]
    return answer(
        200,
        "success",
        {
            **_dated(canvas),
            "name": canvas.name,
            "description": canvas.description,
            "archived": canvas.archived,
            "draft": canvas.draft,
            "enabled": canvas.enabled,
            "has_post_launch_draft": False,
            "schedule_type": "api_triggered",
            "first_entry": _iso(entries[0]) if entries else None,
            "last_entry": _iso(entries[-1]) if entries else None,
            "channels": _channels(every),
            "variants": [_variant(canvas, index) for index in range(len(canvas.variants))],
            "tags": canvas.tags,
            "teams": [],
            "steps": [_step(canvas, index) for index in range(len(canvas.steps))],
        },
    )


async def segment_details(exchange: Exchange) -> Response:
    """A segment, its filters in words."""
    exchange.draw("default")
    segment = asked_segment(exchange)
    described = in_words(segment.filter) if segment.filter is not None else segment.description
    return answer(
        200,
        "success",
        {
            **_dated(segment),
            "name": segment.name,
            "description": described,
            "text_description": segment.text_description,
            "tags": segment.tags,
            "teams": [],
        },
    )


async def send_id_create(exchange: Exchange) -> Response:
    """Create a send id; 100 a day."""
    exchange.draw("send ids")
    asked, catalogue = decoded(exchange.body, _SEND_ID), exchange.workspace.catalogue
    if not isinstance(asked.campaign_id, str) or asked.campaign_id not in catalogue.campaigns:
        raise Refused(NO_CAMPAIGN)
    check_send_id(asked.send_id)
    send_id = asked.send_id or str(uuid.uuid4())
    catalogue.send_ids.add((asked.campaign_id, send_id))
    return answer(201, "success", {"send_id": send_id})


def asked_campaign(exchange: Exchange) -> Campaign:
    """The campaign that the query names."""
    return _asked(exchange, "campaign_id", exchange.workspace.catalogue.campaigns, NO_CAMPAIGN)


def asked_canvas(exchange: Exchange) -> Canvas:
    """The canvas that the query names."""
    return _asked(exchange, "canvas_id", exchange.workspace.catalogue.canvases, NO_CANVAS)


def asked_segment(exchange: Exchange) -> Segment:
    """The segment that the query names."""
    return _asked(exchange, "segment_id", exchange.workspace.catalogue.segments, NO_SEGMENT)


def _asked(exchange: Exchange, key: str, known: Mapping[str, Named], otherwise: str) -> Named:
    found = known.get(exchange.request.query_params.get(key, ""))
    if found is None:
        raise Refused(otherwise)
    return found


def _detail_flags(exchange: Exchange) -> None:
    flag_asked(exchange.request.query_params, "post_launch_draft_version")
    flag_asked(exchange.request.query_params, "include_has_translatable_content")


def _listed(exchange: Exchange, all_of_them: Iterable[Dated]) -> list[Dated]:
    query = exchange.request.query_params
    after = time_asked(query, "last_edit.time[gt]")
    archived = flag_asked(query, "include_archived")
    shown = [
        one
        for one in all_of_them
        if (archived or not one.archived)
        and (after is None or one.updated_at is None or one.updated_at > after)
    ]
    return page_of(query, shown)


def _row(one: Campaign | Canvas) -> dict[str, object]:
    return {"id": one.id, "last_edited": _iso(one.updated_at), "name": one.name, "tags": one.tags}


def _dated(one: Campaign | Canvas | Segment) -> dict[str, object]:
    return {"created_at": _iso(one.created_at), "updated_at": _iso(one.updated_at)}


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _channels(variations: Sequence[Variation]) -> list[str]:
    return list(dict.fromkeys(one.channel for one in variations))


def _messages(variations: Sequence[Variation]) -> dict[str, object]:
    return {
        one.id: {"channel": one.channel, "type": "control"}
        if one.control
        else {**one.content, "channel": one.channel, "name": one.name or one.id}
        for one in variations
    }


def _first_and_last(workspace: Workspace, campaign_id: str) -> tuple[str | None, str | None]:
    """When the campaign was first and last sent, to the day."""
    wanted = {n for n, way in enumerate(workspace.ways) if way.campaign_id == campaign_id}
    days = [day for day in workspace.days() if wanted.intersection(workspace.logs[day].ways)]
    stamps = [f"{day.isoformat()}T00:00:00+00:00" for day in days]
    return (stamps[0], stamps[-1]) if stamps else (None, None)


def _variant(canvas: Canvas, index: int) -> dict[str, object]:
    variant = canvas.variants[index]
    shown: dict[str, object] = {
        "name": variant.name,
        "id": variant.id,
        "first_step_ids": variant.first_step_ids,
    }
    if variant.first_step_ids:
        shown["first_step_id"] = variant.first_step_ids[0]
    return shown


def _step(canvas: Canvas, index: int) -> dict[str, object]:
    step, names = canvas.steps[index], {one.id: one.name for one in canvas.steps}
    return {
        "name": step.name,
        "type": "message",
        "id": step.id,
        "next_step_ids": step.next_step_ids,
        "next_paths": [
            {"name": names.get(after), "next_step_id": after} for after in step.next_step_ids
        ],
        "channels": _channels(step.variations),
        "messages": _messages(step.variations),
    }
