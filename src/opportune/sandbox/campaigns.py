"""The campaign catalogue: one API-triggered campaign, a variation per channel."""

from __future__ import annotations

from datetime import UTC, datetime, time

from starlette.responses import Response

from opportune.sandbox.exchange import Exchange, answer
from opportune.sandbox.model import CAMPAIGN_ID, CAMPAIGN_NAME, Refused

__all__ = ["details", "listed", "variation_id"]

TAGS = ["opportune"]


def variation_id(channel: str) -> str:
    """The id of the message variation that goes out on this channel."""
    return f"{channel}-offer-of-the-day"


async def listed(exchange: Exchange) -> Response:
    """One page of campaigns; empty beyond the last."""
    exchange.draw("default")
    query = exchange.request.query_params
    page = query.get("page", "0")
    if not (page.isascii() and page.isdigit()):
        raise Refused("page must be a number from 0")
    if query.get("sort_direction", "asc") not in ("asc", "desc"):
        raise Refused("sort_direction must be asc or desc")
    campaign = {
        "id": CAMPAIGN_ID,
        "last_edited": _made_at(exchange),
        "name": CAMPAIGN_NAME,
        "is_api_campaign": False,
        "tags": TAGS,
    }
    shown = [campaign] if int(page) == 0 else []
    edited_after = query.get("last_edit.time[gt]")
    if edited_after is not None:
        shown = [one for one in shown if _parsed(one["last_edited"]) > _parsed(edited_after)]
    return answer(200, "success", {"campaigns": shown})


async def details(exchange: Exchange) -> Response:
    """The campaign with the content of its variations."""
    exchange.draw("default")
    if exchange.request.query_params.get("campaign_id") != CAMPAIGN_ID:
        raise Refused("campaign_id must be a string of the campaign api identifier")
    workspace = exchange.workspace
    space = workspace.market.space
    channels = list(space.dimensions[1].options)
    content = " ".join(f"{{{{api_trigger_properties.${{{d.name}}}}}}}" for d in space.dimensions)
    days = [datetime.combine(day, time(), UTC).isoformat() for day in workspace.days()]
    return answer(
        200,
        "success",
        {
            "created_at": _made_at(exchange),
            "updated_at": _made_at(exchange),
            "archived": False,
            "draft": False,
            "enabled": True,
            "has_post_launch_draft": False,
            "name": CAMPAIGN_NAME,
            "description": f"Trigger properties: {', '.join(d.name for d in space.dimensions)}",
            "schedule_type": "api_triggered",
            "channels": channels,
            "first_sent": days[0] if days else None,
            "last_sent": days[-1] if days else None,
            "tags": TAGS,
            "teams": [],
            "messages": {
                variation_id(channel): {"channel": channel, "name": channel, "body": content}
                for channel in channels
            },
            "conversion_behaviors": [{"type": "Makes Any Purchase", "window": 172_800}],
        },
    )


def _made_at(exchange: Exchange) -> str:
    return datetime.combine(exchange.config.start, time(), UTC).isoformat()


def _parsed(text: object) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise Refused("last_edit.time[gt] must be an ISO 8601 time") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
