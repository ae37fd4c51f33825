"""Totals by day: of campaigns, send ids, canvases and segments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta

import numpy as np
from starlette.responses import Response

from opportune.sandbox.asked import days_asked, flag_asked, number_asked, time_asked
from opportune.sandbox.campaigns import asked_campaign, asked_canvas, asked_segment
from opportune.sandbox.catalogue import Canvas
from opportune.sandbox.delivery import members
from opportune.sandbox.exchange import Exchange, answer
from opportune.sandbox.model import Refused
from opportune.sandbox.workspace import Way, Workspace

__all__ = [
    "campaign_series",
    "canvas_series",
    "canvas_summary",
    "segment_series",
    "send_series",
]

SEND_DAYS = 14  # figures of a send id are kept this long
_FIGURES: Mapping[str, tuple[str, ...]] = {  # by channel, what is told beside ``sent``
    "email": (
        *("opens", "unique_opens", "clicks", "unique_clicks", "unsubscribes", "bounces"),
        *("delivered", "reported_spam"),
    ),
    "sms": (
        *("sent_to_carrier", "delivered", "rejected", "delivery_failed", "clicks", "opt_out"),
        "help",
    ),
    "webhook": ("errors",),
    "whats_app": ("delivered", "failed", "read"),
    "content_cards": (
        *("total_clicks", "unique_clicks", "total_dismissals", "unique_dismissals"),
        *("total_impressions", "unique_impressions"),
    ),
}
_PUSH = ("direct_opens", "total_opens", "bounces", "body_clicks")
_FROM_KINDS: Mapping[str, tuple[str, ...]] = {  # which kinds of engagement a figure counts
    "opens": ("open", "machine"),
    "unique_opens": ("unique_open",),
    "clicks": ("click", "bot_click"),
    "unique_clicks": ("unique_click",),
    "unsubscribes": ("unsubscribe",),
    "direct_opens": ("open",),
    "total_opens": ("open",),
    "body_clicks": ("open",),
}
Wanted = Callable[[Way], bool]


async def campaign_series(exchange: Exchange) -> Response:
    """Daily totals of a campaign, by channel and variation."""
    exchange.draw("series")
    campaign, workspace = asked_campaign(exchange), exchange.workspace
    days = days_asked(exchange.request.query_params, workspace.now, most=100)
    return _series(workspace, days, lambda way: way.campaign_id == campaign.id)


async def send_series(exchange: Exchange) -> Response:
    """Daily totals of one send id of a campaign; nothing of days longer ago than 14."""
    exchange.draw("default")
    campaign, workspace = asked_campaign(exchange), exchange.workspace
    query = exchange.request.query_params
    send_id = query.get("send_id", "")
    if not 0 < len(send_id) <= 64:
        raise Refused("send_id is required, and has at most 64 characters")
    days = days_asked(query, workspace.now, most=100)
    oldest = workspace.now.date() - timedelta(days=SEND_DAYS)

    def wanted(way: Way) -> bool:
        return (way.campaign_id, way.send_id) == (campaign.id, send_id)

    return _series(workspace, [day for day in days if day > oldest], wanted)


async def canvas_series(exchange: Exchange) -> Response:
    """Daily totals of a canvas, on request by variant and by step."""
    exchange.draw("default")
    canvas, days = asked_canvas(exchange), _canvas_days(exchange)
    stats = [{"time": day.isoformat(), **_canvas_stats(exchange, canvas, [day])} for day in days]
    return answer(200, "success", {"data": {"name": canvas.name, "stats": stats}})


async def canvas_summary(exchange: Exchange) -> Response:
    """The same totals over all the days."""
    exchange.draw("default")
    canvas, days = asked_canvas(exchange), _canvas_days(exchange)
    stats = _canvas_stats(exchange, canvas, days)
    return answer(200, "success", {"data": {"name": canvas.name, **stats}})


async def segment_series(exchange: Exchange) -> Response:
    """The size of a segment by day: an estimate, which here is its size now."""
    exchange.draw("default")
    segment, workspace = asked_segment(exchange), exchange.workspace
    days = days_asked(exchange.request.query_params, workspace.now, most=100)
    belongs = members(workspace, segment.id)
    size = sum(map(belongs, workspace.people.everybody()))
    data = [{"time": day.isoformat(), "size": size} for day in days]
    return answer(200, "success", {"data": data})


def _series(workspace: Workspace, days: Iterable[date], wanted: Wanted) -> Response:
    data = []
    for day in days:
        sent, users = _sent(workspace, [day], wanted)
        conversions, revenue = _earned(workspace, [day], wanted)
        data.append(
            {
                "time": day.isoformat(),
                "unique_recipients": users,
                "conversions": conversions,
                "conversions_by_send_time": conversions,
                "revenue": revenue,
                "messages": _by_channel(workspace, [day], sent),
            }
        )
    return answer(200, "success", {"data": data})


def _sent(workspace: Workspace, days: Iterable[date], wanted: Wanted) -> tuple[Counter[Way], int]:
    """Messages by way, and how many users got any of them."""
    chosen = [number for number, way in enumerate(workspace.ways) if wanted(way)]
    sent: Counter[Way] = Counter()
    users: set[int] = set()
    for log in (workspace.logs[day] for day in days if day in workspace.logs):
        ways = np.array(log.ways, dtype=np.int32)
        counts = np.bincount(ways, minlength=len(workspace.ways))
        for number in chosen:
            if counts[number]:
                sent[workspace.ways[number]] += int(counts[number])
        kept = np.isin(ways, chosen)
        users.update(np.unique(np.array(log.users, dtype=np.int64)[kept]).tolist())
    return sent, len(users)


def _earned(workspace: Workspace, days: Iterable[date], wanted: Wanted) -> tuple[int, float]:
    conversions, cents = 0, 0.0
    for day in days:
        for (way, kind), count in workspace.figures.get(day, {}).items():
            conversions += count if kind == "conversion" and wanted(way) else 0
        for way, paid in workspace.revenue.get(day, {}).items():
            cents += paid if wanted(way) else 0
    return conversions, round(cents / 100, 2)


def _by_channel(
    workspace: Workspace, days: Iterable[date], sent: Counter[Way]
) -> dict[str, list[dict[str, object]]]:
    """Figures of each variation, under its channel."""
    kinds: Counter[tuple[str, str]] = Counter()
    totals: Counter[tuple[str, str]] = Counter()
    for way, count in sent.items():
        totals[way.channel, way.variation_id] += count
    for day in days:
        for (way, kind), count in workspace.figures.get(day, {}).items():
            if way in sent:
                kinds[way.variation_id, kind] += count
    shown: dict[str, list[dict[str, object]]] = {}
    for (channel, variation_id), count in sorted(totals.items()):
        bounced = kinds[variation_id, "bounce"]
        known = {"delivered": count - bounced, "sent_to_carrier": count, "bounces": bounced}
        figures: dict[str, object] = {"variation_api_id": variation_id, "sent": count}
        for name in _FIGURES.get(channel, _PUSH):
            counted = sum(kinds[variation_id, kind] for kind in _FROM_KINDS.get(name, ()))
            figures[name] = known.get(name, counted)
        shown.setdefault(channel, []).append(figures)
    return shown


def _canvas_days(exchange: Exchange) -> list[date]:
    """The days of a canvas question: it must say where they end, and how many or from where."""
    query, now = exchange.request.query_params, exchange.workspace.now
    ending = time_asked(query, "ending_at")
    if ending is None:
        raise Refused("ending_at is required")
    starting = time_asked(query, "starting_at")
    if starting is None:
        number_asked(query, "length", least=1, most=SEND_DAYS)
        return days_asked(query, now, most=SEND_DAYS)
    count = (ending.date() - starting.date()).days + 1
    if not 1 <= count <= SEND_DAYS + 1:
        raise Refused("starting_at must be before ending_at, by at most 14 days")
    return [starting.date() + timedelta(days=after) for after in range(count)]


def _canvas_stats(exchange: Exchange, canvas: Canvas, days: list[date]) -> dict[str, object]:
    query, workspace = exchange.request.query_params, exchange.workspace
    wants_steps = flag_asked(query, "include_step_breakdown")
    flag_asked(query, "include_deleted_step_data")
    conversions, revenue = _earned(workspace, days, lambda way: way.canvas_id == canvas.id)
    inside = set(days)
    entered = [
        number for number, at in workspace.entered.get(canvas.id, {}).items() if at.date() in inside
    ]
    total: dict[str, object] = {
        "revenue": revenue,
        "conversions": conversions,
        "conversions_by_entry_time": conversions,
        "entries": len(entered),
    }
    stats: dict[str, object] = {"total_stats": total}
    if flag_asked(query, "include_variant_breakdown"):
        stats["variant_stats"] = _variant_stats(workspace, canvas, days, entered)
    if wants_steps:
        stats["step_stats"] = _step_stats(workspace, canvas, days)
    return stats


def _variant_stats(
    workspace: Workspace, canvas: Canvas, days: list[date], entered: list[int]
) -> dict[str, object]:
    shown: dict[str, object] = {}
    for variant in canvas.variants:
        first = set(variant.first_step_ids)
        stepped = {
            number
            for step_id in first
            for number in workspace.stepped.get((canvas.id, step_id), {})
        }
        conversions, revenue = _earned(
            workspace,
            days,
            lambda way, first=first: way.canvas_id == canvas.id and way.step_id in first,  # type: ignore[misc]  # bound now
        )
        shown[variant.id] = {
            "name": variant.name,
            "revenue": revenue,
            "conversions": conversions,
            "conversions_by_entry_time": conversions,
            "entries": len(stepped.intersection(entered)),
        }
    return shown


def _step_stats(workspace: Workspace, canvas: Canvas, days: list[date]) -> dict[str, object]:
    shown: dict[str, object] = {}
    for step in canvas.steps:
        wanted = _of_step(canvas.id, step.id)
        sent, users = _sent(workspace, days, wanted)
        conversions, revenue = _earned(workspace, days, wanted)
        shown[step.id] = {
            "name": step.name,
            "revenue": revenue,
            "conversions": conversions,
            "conversions_by_entry_time": conversions,
            "unique_recipients": users,
            "messages": _by_channel(workspace, days, sent),
        }
    return shown


def _of_step(canvas_id: str, step_id: str) -> Wanted:
    return lambda way: (way.canvas_id, way.step_id) == (canvas_id, step_id)
