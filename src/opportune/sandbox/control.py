"""The control side, ``/_sandbox/...``: never part of Braze, and without a key."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

import msgspec
import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from opportune.errors import OpportuneError
from opportune.sandbox.exchange import answer, decoded, json_answer
from opportune.sandbox.faults import FAULTS
from opportune.sandbox.model import Refused, SandboxConfig, braze_time
from opportune.sandbox.posting import post_reaction
from opportune.sandbox.reactions import Reaction, react
from opportune.sandbox.workspace import JOURNAL_LINES, Workspace

__all__ = ["control_routes"]

MAX_FAULTS = 10_000


class _Clock(msgspec.Struct, frozen=True):
    now: datetime


class _Day(msgspec.Struct, frozen=True):
    day: date


class _Faults(msgspec.Struct, frozen=True):
    faults: list[str]


_CLOCK = msgspec.json.Decoder(_Clock)
_DAY = msgspec.json.Decoder(_Day)
_FAULTS = msgspec.json.Decoder(_Faults)

Endpoint = Callable[[Request], Awaitable[Response]]


def control_routes(config: SandboxConfig, workspace: Workspace) -> list[Route]:
    """The routes of the control side."""
    living = asyncio.Lock()

    async def clock(request: Request) -> Response:
        if request.method == "POST":
            now = decoded(await request.body(), _CLOCK).now
            workspace.now = now.astimezone(UTC) if now.tzinfo else now.replace(tzinfo=UTC)
        return json_answer(200, {"now": braze_time(workspace.now)})

    async def live(request: Request) -> Response:
        day = decoded(await request.body(), _DAY).day
        async with living:
            return await _live(day, config, workspace)

    async def sends(request: Request) -> Response:
        return json_answer(200, _sends(request.query_params.get("day"), workspace))

    async def journal(request: Request) -> Response:
        lines = list(workspace.lines)[-_limit(request.query_params.get("limit")) :]
        return json_answer(200, {"calls": [msgspec.Raw(line) for line in lines]})

    async def faults(request: Request) -> Response:
        if request.method == "POST":
            _replace_faults(decoded(await request.body(), _FAULTS).faults, workspace)
        return json_answer(200, {"faults": list(workspace.faults)})

    return [
        Route("/_sandbox/clock", _guarded(clock), methods=["GET", "POST"]),
        Route("/_sandbox/react", _guarded(live), methods=["POST"]),
        Route("/_sandbox/sends", _guarded(sends), methods=["GET"]),
        Route("/_sandbox/journal", _guarded(journal), methods=["GET"]),
        Route("/_sandbox/faults", _guarded(faults), methods=["GET", "POST"]),
    ]


def _guarded(run: Endpoint) -> Endpoint:
    async def serve(request: Request) -> Response:
        try:
            return await run(request)
        except Refused as refusal:
            return answer(refusal.status, refusal.message, {"code": refusal.code})
        except OpportuneError as error:
            return answer(503, error.message, {"code": error.code})

    return serve


async def _live(day: date, config: SandboxConfig, workspace: Workspace) -> Response:
    """The customers live through the day in a thread; only their flags touch the workspace."""
    snapshot = workspace.sends_of(day)

    def work() -> Reaction:
        reaction = react(workspace.market, day, snapshot, report_sends=config.report_sends)
        post_reaction(reaction, config)
        return reaction

    reaction = await run_in_threadpool(work)
    for name, rows in reaction.flags.items():
        workspace.flag(name, rows)
    counts = {"orders": len(reaction.orders), "engagement": len(reaction.engagement)}
    return json_answer(200, counts)


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


def _replace_faults(faults: list[str], workspace: Workspace) -> None:
    unknown = sorted(set(faults) - FAULTS)
    if unknown or len(faults) > MAX_FAULTS:
        problem = f"unknown faults {unknown[:5]}" if unknown else f"{len(faults)} faults"
        allowed = ", ".join(sorted(FAULTS))
        raise Refused(f"{problem}; give at most {MAX_FAULTS} of: {allowed}")
    workspace.faults.clear()
    workspace.faults.extend(faults)
