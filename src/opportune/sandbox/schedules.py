"""Sends for later: they go out when the sandbox's clock comes to their time."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import blake2b
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from starlette.responses import Response

from opportune.sandbox.delivery import deliver, of_campaign
from opportune.sandbox.diary import Schedule, Target, When
from opportune.sandbox.direct import MessagesSend, checked_messages, direct_targets, draw_direct
from opportune.sandbox.exchange import Exchange, answer, decoded
from opportune.sandbox.journeys import enter
from opportune.sandbox.messaging import (
    CampaignTrigger,
    CanvasTrigger,
    CheckedTrigger,
    checked_campaign,
    checked_canvas,
    draw_send,
    notice_of,
)
from opportune.sandbox.model import Refused
from opportune.sandbox.targeting import targets_of, write_recipients
from opportune.sandbox.workspace import Workspace

__all__ = [
    "campaign_create",
    "canvas_create",
    "messages_create",
    "schedule_delete",
    "schedule_update",
]

EARLIEST = timedelta(hours=14)  # a local time begins this long before the same time in UTC
LATEST = timedelta(hours=12)  # and ends this long after it
OPTIMAL_HOURS = (9, 21)


class CampaignSchedule(CampaignTrigger, frozen=True, kw_only=True):
    """A campaign trigger with a time, as sent."""

    schedule: When


class CanvasSchedule(CanvasTrigger, frozen=True, kw_only=True):
    """A canvas trigger with a time, as sent."""

    schedule: When


class MessagesSchedule(MessagesSend, frozen=True, kw_only=True):
    """Messages with a time, as sent."""

    schedule: When
    override_messaging_limits: bool = False


class Change(msgspec.Struct, frozen=True):
    """The body of an update or a deletion, as sent."""

    schedule_id: str
    campaign_id: str = ""
    canvas_id: str = ""
    schedule: When | None = None


_CAMPAIGN = msgspec.json.Decoder(CampaignSchedule)
_CANVAS = msgspec.json.Decoder(CanvasSchedule)
_MESSAGES = msgspec.json.Decoder(MessagesSchedule)
_CHANGE = msgspec.json.Decoder(Change)


async def campaign_create(exchange: Exchange) -> Response:
    """Trigger a campaign at a later time."""
    sent, workspace = decoded(exchange.body, _CAMPAIGN), exchange.workspace
    campaign, trigger = checked_campaign(sent, workspace)
    draw_send(exchange, sent, campaign.id)
    schedule_id = str(uuid.uuid4())

    def send(targets: list[Target], *, at: datetime, request_id: str, dispatch_id: str) -> None:
        current = workspace.catalogue.campaigns.get(campaign.id)
        if current is not None and current.enabled and not current.archived:
            sending = of_campaign(current, send_id=sent.send_id or "", schedule_id=schedule_id)
            call = {"request_id": request_id, "dispatch_id": dispatch_id}
            deliver(workspace, sending, targets, at=at, **call)

    return _create(
        exchange,
        sent.schedule,
        schedule_id=schedule_id,
        sender_id=campaign.id,
        resolve=partial(_targets, workspace, sent, trigger),
        send=send,
    )


async def canvas_create(exchange: Exchange) -> Response:
    """Enter users into a canvas at a later time."""
    sent, workspace = decoded(exchange.body, _CANVAS), exchange.workspace
    canvas, trigger = checked_canvas(sent, workspace)
    draw_send(exchange, sent, canvas.id)

    def send(targets: list[Target], *, at: datetime, request_id: str, dispatch_id: str) -> None:
        current = workspace.catalogue.canvases.get(canvas.id)
        if current is not None and notice_of(current) is None:
            call = {"request_id": request_id, "dispatch_id": dispatch_id}
            enter(workspace, current, targets, at=at, **call)

    return _create(
        exchange,
        sent.schedule,
        schedule_id=str(uuid.uuid4()),
        sender_id=canvas.id,
        resolve=partial(_targets, workspace, sent, trigger),
        send=send,
    )


async def messages_create(exchange: Exchange) -> Response:
    """Send content carried in the request at a later time."""
    sent, workspace = decoded(exchange.body, _MESSAGES), exchange.workspace
    schedule_id = str(uuid.uuid4())
    sending, audience = checked_messages(
        sent, workspace, schedule_id=schedule_id, uncapped=sent.override_messaging_limits
    )
    draw_direct(exchange, sent, scheduled=True)
    return _create(
        exchange,
        sent.schedule,
        schedule_id=schedule_id,
        sender_id="",
        resolve=partial(direct_targets, sent, workspace, audience),
        send=partial(deliver, workspace, sending),
    )


async def schedule_delete(exchange: Exchange) -> Response:
    """Cancel what was scheduled."""
    exchange.draw("default")
    named = _named(exchange, decoded(exchange.body, _CHANGE))
    named.version += 1
    del exchange.workspace.schedules[named.schedule_id]
    return answer(201, "success")


async def schedule_update(exchange: Exchange) -> Response:
    """Give what was scheduled another time."""
    exchange.draw("default")
    change = decoded(exchange.body, _CHANGE)
    named = _named(exchange, change)
    if change.schedule is None:
        raise Refused("schedule is required")
    _check_time(exchange.workspace, change.schedule)
    named.version += 1
    named.when = change.schedule
    _note(exchange.workspace, named)
    return answer(201, "success")


def _named(exchange: Exchange, change: Change) -> Schedule:
    """The schedule that is meant: of the campaign or canvas that is named beside it."""
    kind = exchange.request.url.path.split("/")[1]
    sender_id = {"campaigns": change.campaign_id, "canvas": change.canvas_id}.get(kind, "")
    found = exchange.workspace.schedules.get(change.schedule_id)
    if found is None or found.sender_id != sender_id:
        raise Refused("schedule_id is not the id of a schedule that is still to be sent")
    return found


def _targets(
    workspace: Workspace, sent: CampaignTrigger | CanvasTrigger, trigger: CheckedTrigger
) -> Iterable[Target]:
    write_recipients(workspace, sent.recipients or ())
    return targets_of(workspace, sent, trigger.own, trigger.common, trigger.audience)


def _create(
    exchange: Exchange,
    when: When,
    *,
    schedule_id: str,
    sender_id: str,
    resolve: Callable[[], Iterable[Target]],
    send: Callable[..., object],
) -> Response:
    """Keep it. ``send`` is told of targets, ``at``, and the ids of the request and dispatch."""
    workspace, dispatch_id = exchange.workspace, uuid.uuid4().hex
    _check_time(workspace, when)
    schedule = Schedule(
        schedule_id=schedule_id,
        sender_id=sender_id,
        dispatch_id=dispatch_id,
        resolve=resolve,
        send=partial(send, request_id=exchange.request_id, dispatch_id=dispatch_id),
        when=when,
    )
    workspace.schedules[schedule_id] = schedule
    _note(workspace, schedule)
    workspace.move(workspace.now)
    return answer(201, "success", {"dispatch_id": dispatch_id, "schedule_id": schedule_id})


def _check_time(workspace: Workspace, when: When) -> None:
    local = when.in_local_time or when.at_optimal_time
    if local and _moment(when) + LATEST < workspace.now:
        raise Refused("schedule.time is over in every time zone")


def _moment(when: When) -> datetime:
    """The time as it is in UTC; a local time as if everybody lived there."""
    try:
        at = datetime.fromisoformat(when.time)
        naive = at.replace(tzinfo=UTC)
        if when.in_local_time or when.at_optimal_time or at.tzinfo is None:
            _ = (naive - EARLIEST, naive + LATEST)
            return naive
        return at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Refused(f"schedule.time is not an ISO 8601 time: {when.time[:40]!r}") from error


def _note(workspace: Workspace, schedule: Schedule) -> None:
    """Note when the first user is due; the others are looked up then."""
    when, version = schedule.when, schedule.version
    at = _moment(when)
    if not (when.in_local_time or when.at_optimal_time):
        workspace.diary.note(at, partial(_run_once, workspace, schedule, version, at))
        return
    first = max(at.replace(hour=0) - EARLIEST if when.at_optimal_time else at - EARLIEST, _MIN)
    workspace.diary.note(first, partial(_spread, workspace, schedule, version))


_MIN = datetime(1, 1, 2, tzinfo=UTC)


def _run_once(workspace: Workspace, schedule: Schedule, version: int, at: datetime) -> None:
    if schedule.version == version:
        at = max(at, workspace.now)
        schedule.send(list(schedule.resolve()), at=at)
        workspace.schedules.pop(schedule.schedule_id, None)


def _spread(workspace: Workspace, schedule: Schedule, version: int) -> None:
    """Each user at their own time; who is past it already gets nothing."""
    if schedule.version != version:
        return
    at, due = _moment(schedule.when), workspace.now
    groups: dict[datetime, list[Target]] = {}
    for target in schedule.resolve():
        moment = _local(workspace, target[0], at, optimal=schedule.when.at_optimal_time)
        if moment >= due:
            groups.setdefault(moment, []).append(target)
    for moment, targets in groups.items():
        workspace.diary.note(
            moment, partial(_run_group, workspace, schedule, version, targets, moment)
        )
    end = max(groups, default=due) + timedelta(seconds=1)
    workspace.diary.note(end, partial(_forget, workspace, schedule, version))


def _run_group(
    workspace: Workspace,
    schedule: Schedule,
    version: int,
    targets: list[Target],
    at: datetime,
) -> None:
    if schedule.version == version:
        schedule.send(targets, at=at)


def _forget(workspace: Workspace, schedule: Schedule, version: int) -> None:
    if schedule.version == version:
        workspace.schedules.pop(schedule.schedule_id, None)


def _local(workspace: Workspace, number: int | None, at: datetime, *, optimal: bool) -> datetime:
    """When it is that time where the user lives; without a time zone, in UTC."""
    fields = {} if number is None else workspace.people.fields.get(number, {})
    named = fields.get("time_zone")
    try:
        zone = ZoneInfo(named) if isinstance(named, str) and named else ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        zone = ZoneInfo("UTC")
    if optimal and number is not None:
        key = workspace.people.braze_id_of(number)
        first, end = OPTIMAL_HOURS
        drawn = int.from_bytes(blake2b(key.encode(), digest_size=2).digest())
        at = at.replace(hour=first + drawn % (end - first), minute=0, second=0, microsecond=0)
    return at.replace(tzinfo=zone).astimezone(UTC)
