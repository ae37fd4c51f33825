"""Who was sent what: every message with its content, as data and as a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import jinja2
import numpy as np
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from opportune.sandbox.asked import number_asked
from opportune.sandbox.control import guarded
from opportune.sandbox.delivery import rendered
from opportune.sandbox.exchange import json_answer
from opportune.sandbox.model import Message, Refused, SendCall, braze_time
from opportune.sandbox.rendering import Aborted, BadTemplate
from opportune.sandbox.workspace import Way, Workspace

__all__ = ["inspection_routes"]

MAX_SHOWN = 1000
PAGES = Path(__file__).parent / "pages"
_SECURE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(PAGES), autoescape=True, undefined=jinja2.StrictUndefined
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which messages are asked for; empty: any. Newest first, ``limit`` from ``offset`` on."""

    user: str
    sender_id: str
    dispatch_id: str
    day: date | None
    limit: int
    offset: int


def inspection_routes(workspace: Workspace) -> list[Route]:
    """The page and the data behind it."""

    async def messages(request: Request) -> Response:
        wanted = _wanted(request.query_params)
        shown, count = _messages(workspace, wanted)
        return json_answer(200, {"count": count, "messages": shown})

    async def requests(request: Request) -> Response:
        limit = number_asked(request.query_params, "limit", least=1, most=MAX_SHOWN, default=100)
        return json_answer(200, {"requests": list(workspace.seen)[-limit:]})

    async def schedules(_: Request) -> Response:
        waiting = [
            {
                "schedule_id": one.schedule_id,
                "sender_id": one.sender_id,
                "dispatch_id": one.dispatch_id,
                "schedule": one.when,
            }
            for one in workspace.schedules.values()
        ]
        return json_answer(200, {"schedules": waiting, "steps_due": len(workspace.diary)})

    return [
        Route("/_sandbox/messages", guarded(messages), methods=["GET"]),
        Route("/_sandbox/requests", guarded(requests), methods=["GET"]),
        Route("/_sandbox/schedules", guarded(schedules), methods=["GET"]),
        *_page_routes(workspace),
    ]


def _page_routes(workspace: Workspace) -> list[Route]:
    async def page(request: Request) -> Response:
        wanted = _wanted(request.query_params)
        shown, count = _messages(workspace, wanted)
        html = _ENVIRONMENT.get_template("messages.html").render(
            messages=shown,
            count=count,
            wanted=wanted,
            names=_names(workspace),
            now=braze_time(workspace.now),
            requests=list(workspace.seen)[:-21:-1],
        )
        return Response(html, media_type="text/html; charset=utf-8", headers=_SECURE)

    async def style(_: Request) -> Response:
        return FileResponse(PAGES / "sandbox.css", media_type="text/css", headers=_SECURE)

    return [
        Route("/_sandbox/", guarded(page), methods=["GET"]),
        Route("/_sandbox/sandbox.css", guarded(style), methods=["GET"]),
    ]


def _wanted(query: QueryParams) -> Wanted:
    text = query.get("day", "")
    try:
        day = date.fromisoformat(text) if text else None
    except ValueError as error:
        raise Refused(f"day is {text!r}; give a date like 2026-01-31") from error
    return Wanted(
        user=query.get("user", "").strip(),
        sender_id=query.get("campaign_id", "") or query.get("canvas_id", ""),
        dispatch_id=query.get("dispatch_id", "").strip(),
        day=day,
        limit=number_asked(query, "limit", least=1, most=MAX_SHOWN, default=100),
        offset=number_asked(query, "offset", least=0, default=0),
    )


def _messages(workspace: Workspace, wanted: Wanted) -> tuple[list[dict[str, object]], int]:
    """The messages asked for, and how many there are in all."""
    shown: list[dict[str, object]] = []
    calls: dict[int, SendCall] = {}
    count = 0
    for day, places in _found(workspace, wanted):
        log = workspace.logs[day]
        skipped = max(wanted.offset - count, 0)
        count += len(places)
        for place in places[skipped : skipped + wanted.limit - len(shown)]:
            number = log.calls[place]
            call = calls.setdefault(number, workspace.journal.read(number))
            way = workspace.ways[log.ways[place]]
            shown.append(_shown(workspace, call, call.messages[log.places[place]], way))
    return shown, count


def _found(workspace: Workspace, wanted: Wanted) -> Iterator[tuple[date, list[int]]]:
    """By day, where in its log the messages stand; the newest first."""
    people = workspace.people
    user = people.numbers.get(wanted.user, people.by_braze_id.get(wanted.user, -1))
    ways = [
        number
        for number, way in enumerate(workspace.ways)
        if wanted.sender_id in (way.campaign_id, way.canvas_id)
    ]
    for day in reversed(workspace.days() if wanted.day is None else [wanted.day]):
        log = workspace.logs.get(day)
        if log is None:
            continue
        kept = np.full(len(log.users), True)
        if wanted.user:
            kept &= np.array(log.users, dtype=np.int64) == user
        if wanted.sender_id:
            kept &= np.isin(np.array(log.ways, dtype=np.int32), ways)
        if wanted.dispatch_id:
            kept &= np.array(log.dispatch_ids) == wanted.dispatch_id
        yield day, np.flatnonzero(kept)[::-1].tolist()


def _shown(workspace: Workspace, call: SendCall, message: Message, way: Way) -> dict[str, object]:
    return {
        "at": braze_time(call.at),
        "external_user_id": message.external_user_id,
        "braze_id": message.braze_id or _braze_id(workspace, message),
        "campaign_id": way.campaign_id,
        "canvas_id": way.canvas_id,
        "step_id": way.step_id,
        "variation_id": way.variation_id,
        "channel": way.channel,
        "dispatch_id": call.dispatch_id,
        "send_id": call.send_id,
        "schedule_id": call.schedule_id,
        "request_id": call.request_id,
        "trigger_properties": message.trigger_properties,
        "content": _content(workspace, call, message),
    }


def _braze_id(workspace: Workspace, message: Message) -> str:
    number = workspace.people.numbers.get(message.external_user_id)
    return "" if number is None else workspace.people.braze_id_of(number)


def _content(workspace: Workspace, call: SendCall, message: Message) -> object:
    """What was rendered at the time; else what follows from the call, when that is known."""
    if message.content is not None:
        return message.content
    if not workspace.variations_of(call):
        return None
    place = workspace.place_of(call, message)
    try:
        return rendered(workspace, call, place, number=None, properties=message.trigger_properties)
    except (Aborted, BadTemplate):
        return None


def _names(workspace: Workspace) -> dict[str, str]:
    catalogue = workspace.catalogue
    named = {one.id: one.name for one in catalogue.campaigns.values()}
    return {"": "everything", **named, **{c.id: c.name for c in catalogue.canvases.values()}}
