"""The control side, ``/_sandbox/...``: never part of Braze, and without a key."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from opportune.errors import OpportuneError
from opportune.sandbox.exchange import answer, decoded, json_answer
from opportune.sandbox.faults import FAULTS
from opportune.sandbox.limits import Limiter
from opportune.sandbox.model import Refused, SandboxConfig, braze_time
from opportune.sandbox.posting import post_reaction
from opportune.sandbox.reactions import CurrentsEvent, Habits, Reaction, react
from opportune.sandbox.workspace import JOURNAL_LINES, Workspace

__all__ = ["Endpoint", "control_routes", "guarded"]

Endpoint = Callable[[Request], Awaitable[Response]]

MAX_FAULTS = 10_000


class _Clock(msgspec.Struct, frozen=True):
    now: datetime | None = None
    advance_s: float | None = None


class _Day(msgspec.Struct, frozen=True):
    day: date
    report_deliveries: bool = False
    report_purchases: bool = False
    bounce_share: float = 0.0
    bot_click_share: float = 0.0
    duplicate_share: float = 0.0
    late_share: float = 0.0


class _Faults(msgspec.Struct, frozen=True):
    faults: list[str]
    path: str = ""


class _Limits(msgspec.Struct, frozen=True):
    pools: dict[str, tuple[int, int]]


_CLOCK = msgspec.json.Decoder(_Clock)
_DAY = msgspec.json.Decoder(_Day)
_FAULTS = msgspec.json.Decoder(_Faults)
_LIMITS = msgspec.json.Decoder(_Limits)


def control_routes(config: SandboxConfig, workspace: Workspace, limiter: Limiter) -> list[Route]:
    """The routes of the control side: time, what customers do, trouble and limits."""
    return [
        *_time_routes(config, workspace),
        *_record_routes(workspace),
        *_trouble_routes(workspace, limiter),
    ]


def _time_routes(config: SandboxConfig, workspace: Workspace) -> list[Route]:
    living = asyncio.Lock()

    async def clock(request: Request) -> Response:
        if request.method == "POST":
            _tell_time(decoded(await request.body(), _CLOCK), workspace)
        return json_answer(200, {"now": braze_time(workspace.now)})

    async def live(request: Request) -> Response:
        asked = decoded(await request.body(), _DAY)
        async with living:
            return await _live(asked, config, workspace)

    async def late(_: Request) -> Response:
        async with living:
            held, workspace.late = workspace.late, []
            await run_in_threadpool(post_reaction, held, [], config)
        return json_answer(200, {"engagement": len(held)})

    return [
        Route("/_sandbox/clock", guarded(clock), methods=["GET", "POST"]),
        Route("/_sandbox/react", guarded(live), methods=["POST"]),
        Route("/_sandbox/late", guarded(late), methods=["POST"]),
    ]


def _record_routes(workspace: Workspace) -> list[Route]:
    async def sends(request: Request) -> Response:
        return json_answer(200, _sends(request.query_params.get("day"), workspace))

    async def journal(request: Request) -> Response:
        lines = list(workspace.lines)[-_limit(request.query_params.get("limit")) :]
        return json_answer(200, {"calls": [msgspec.Raw(line) for line in lines]})

    return [
        Route("/_sandbox/sends", guarded(sends), methods=["GET"]),
        Route("/_sandbox/journal", guarded(journal), methods=["GET"]),
    ]


def _trouble_routes(workspace: Workspace, limiter: Limiter) -> list[Route]:
    async def faults(request: Request) -> Response:
        path = request.query_params.get("path", "")
        if request.method == "POST":
            asked = decoded(await request.body(), _FAULTS)
            path = asked.path
            _replace_faults(asked.faults, workspace.faults.setdefault(path, deque()))
        return json_answer(200, {"faults": list(workspace.faults.get(path, ()))})

    async def limits(request: Request) -> Response:
        if request.method == "POST":
            _resize(decoded(await request.body(), _LIMITS).pools, limiter)
        used = limiter.used()
        shown = {
            name: {"requests": size[0], "window_s": size[1], "used": used[name]}
            for name, size in limiter.sizes.items()
        }
        return json_answer(200, {"pools": shown})

    return [
        Route("/_sandbox/faults", guarded(faults), methods=["GET", "POST"]),
        Route("/_sandbox/limits", guarded(limits), methods=["GET", "POST"]),
    ]


def guarded(run: Endpoint) -> Endpoint:
    """An endpoint whose refusals are answered with their code."""

    async def serve(request: Request) -> Response:
        try:
            return await run(request)
        except Refused as refusal:
            return answer(refusal.status, refusal.message, {"code": refusal.code})
        except OpportuneError as error:
            return answer(503, error.message, {"code": error.code})

    return serve


def _tell_time(asked: _Clock, workspace: Workspace) -> None:
    """Put the clock; what was scheduled until then goes out."""
    if (asked.now is None) == (asked.advance_s is None):
        raise Refused("give now, or advance_s: by how many seconds the clock goes on")
    try:
        now = asked.now or workspace.now + timedelta(seconds=asked.advance_s or 0.0)
        workspace.move(now.astimezone(UTC) if now.tzinfo else now.replace(tzinfo=UTC))
    except OverflowError as error:
        raise Refused("the clock cannot go that far") from error


async def _live(asked: _Day, config: SandboxConfig, workspace: Workspace) -> Response:
    """The customers live through the day in a thread; only what they did touches the workspace."""
    snapshot, catalogue = workspace.sends_of(asked.day), workspace.catalogue
    named: dict[str, str] = {one.id: one.name for one in catalogue.campaigns.values()}
    for canvas in catalogue.canvases.values():
        named |= {canvas.id: canvas.name, **{step.id: step.name for step in canvas.steps}}
    habits = Habits(
        report_sends=config.report_sends,
        report_deliveries=asked.report_deliveries,
        report_purchases=asked.report_purchases,
        bounce_share=asked.bounce_share,
        bot_click_share=asked.bot_click_share,
        names=named,
    )
    earlier = workspace.late

    def work() -> tuple[Reaction, list[CurrentsEvent]]:
        reaction = react(workspace.market, asked.day, snapshot, habits)
        told, held = _troubled(reaction.engagement, asked)
        post_reaction([*earlier, *told], reaction.orders, config)
        return reaction, held

    reaction, workspace.late = await run_in_threadpool(work)
    for key, rows in reaction.flags.items():
        workspace.flag(key, rows)
    workspace.figures[asked.day] = reaction.figures
    workspace.revenue[asked.day] = reaction.revenue_cents
    if config.unsubscribes_stick:
        for row in reaction.unsubscribed:
            workspace.people.write(row, {"email_subscribe": "unsubscribed"})
    counts = {"orders": len(reaction.orders), "engagement": len(reaction.engagement)}
    return json_answer(200, counts)


def _troubled(
    events: Sequence[CurrentsEvent], asked: _Day
) -> tuple[list[CurrentsEvent], list[CurrentsEvent]]:
    """What is told now, some of it twice, and what is told late; an event's id decides."""
    if not asked.late_share and not asked.duplicate_share:
        return list(events), []
    lucky = [int(event.id[:8], 16) / 2**32 for event in events]
    twice = [int(event.id[9:13], 16) / 2**16 for event in events]
    told = [event for event, luck in zip(events, lucky, strict=True) if luck >= asked.late_share]
    held = [event for event, luck in zip(events, lucky, strict=True) if luck < asked.late_share]
    again = [e for e, luck in zip(events, twice, strict=True) if luck < asked.duplicate_share]
    return [*told, *again], held


def _sends(day: str | None, workspace: Workspace) -> dict[str, object]:
    """How many messages were accepted, for how many users, and the most one user got in a day."""
    chosen = workspace.days() if day is None else [_parsed_day(day)]
    users = [workspace.users_of(one) for one in chosen]
    everyone = np.concatenate(users) if users else np.empty(0, dtype=np.int64)
    most = [int(np.unique(one, return_counts=True)[1].max()) for one in users if len(one)]
    return {
        "sends": len(everyone),
        "customers": len(np.unique(everyone)),
        "most_per_customer_and_day": max(most, default=0),
        "by_day": {one.isoformat(): len(of) for one, of in zip(chosen, users, strict=True)},
    }


def _parsed_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Refused(f"day is {text!r}; give a date like 2026-01-31") from error


def _limit(text: str | None) -> int:
    if text is None:
        return 100
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= JOURNAL_LINES):
        raise Refused(f"limit is {text!r}; give a number from 1 to {JOURNAL_LINES}")
    return int(text)


def _replace_faults(faults: list[str], queue: deque[str]) -> None:
    unknown = sorted(set(faults) - FAULTS)
    if unknown or len(faults) > MAX_FAULTS:
        problem = f"unknown faults {unknown[:5]}" if unknown else f"{len(faults)} faults"
        allowed = ", ".join(sorted(FAULTS))
        raise Refused(f"{problem}; give at most {MAX_FAULTS} of: {allowed}")
    queue.clear()
    queue.extend(faults)


def _resize(pools: dict[str, tuple[int, int]], limiter: Limiter) -> None:
    unknown = sorted(set(pools) - set(limiter.sizes))
    if unknown:
        raise Refused(f"unknown pools {unknown[:5]}; there are {', '.join(limiter.sizes)}")
    if any(requests < 0 or window_s < 1 for requests, window_s in pools.values()):
        raise Refused("a pool is requests from 0, and a window of 1 second or more")
    limiter.resize(pools)
