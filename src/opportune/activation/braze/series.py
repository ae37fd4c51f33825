"""Read what Braze itself counted of a campaign or canvas, day by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date, timedelta

from opportune.activation.braze.ask import UnreadableAnswer, Workspace

__all__ = [
    "MOST_DAYS",
    "CountedDay",
    "campaign_series",
    "canvas_series",
    "canvas_summary",
    "sends_series",
]

MOST_DAYS = 14
"""What Braze tells of a canvas in one answer; of a campaign it would be 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedDay:
    """What Braze counted on one day (of its company's time zone), over all channels and variations.

    ``opens`` and ``clicks`` are all of them, also those of machines. ``entries`` is of canvases.
    """

    day: date
    sent: int = 0
    opens: int = 0
    clicks: int = 0
    unsubscribes: int = 0
    bounces: int = 0
    conversions: int = 0
    entries: int = 0
    revenue: float = 0.0


FIGURES = tuple(each.name for each in fields(CountedDay) if each.name != "day")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Counts:
    """Of one variation; a channel has those that it can have."""

    sent: int | None = 0
    opens: int | None = 0
    direct_opens: int | None = 0
    clicks: int | None = 0
    unsubscribes: int | None = 0
    bounces: int | None = 0


_Channels = Mapping[str, tuple[_Counts, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CampaignDay:
    time: str
    conversions: int | None = 0
    revenue: float | None = 0.0
    messages: _Channels = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CampaignDays:
    data: tuple[_CampaignDay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Total:
    entries: int | None = 0
    conversions: int | None = 0
    revenue: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    messages: _Channels = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CanvasDay:
    total_stats: _Total
    time: str = ""
    step_stats: Mapping[str, _Step] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CanvasStats:
    stats: tuple[_CanvasDay, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _CanvasDays:
    data: _CanvasStats


@dataclass(frozen=True, slots=True, kw_only=True)
class _CanvasSummary:
    data: _CanvasDay


def campaign_series(
    workspace: Workspace, campaign_id: str, *, last: date, days: int
) -> list[CountedDay]:
    """Read the ``days`` (1 to 14) up to ``last``, the oldest first. Raises as ``Workspace.get``."""
    query: dict[str, str | int] = {
        "campaign_id": campaign_id,
        "length": days,
        "ending_at": _end(last),
    }
    return _campaign_days(workspace, "/campaigns/data_series", query)


def sends_series(
    workspace: Workspace, campaign_id: str, send_ids: Mapping[date, str], *, last: date
) -> list[CountedDay]:
    """As `campaign_series`, of some ids of sends together, from the first day of theirs.

    ``send_ids`` has one or more by the day on which they were sent, at most 14 days before.
    """
    first = min(send_ids)
    days = [first + timedelta(days=place) for place in range((last - first).days + 1)]
    counted = {day: CountedDay(day=day) for day in days}
    for day, send_id in send_ids.items():
        query: dict[str, str | int] = {
            "campaign_id": campaign_id,
            "send_id": send_id,
            "length": (last - day).days + 1,
            "ending_at": _end(last),
        }
        for found in _campaign_days(workspace, "/sends/data_series", query):
            if found.day in counted:
                counted[found.day] = _sum(counted[found.day], found)
    return list(counted.values())


def _sum(one: CountedDay, other: CountedDay) -> CountedDay:
    sums = {name: getattr(one, name) + getattr(other, name) for name in FIGURES}
    return CountedDay(day=one.day, **sums)


def _campaign_days(
    workspace: Workspace, path: str, query: Mapping[str, str | int]
) -> list[CountedDay]:
    counted = [
        _day(
            each.time,
            _Total(conversions=each.conversions, revenue=each.revenue),
            each.messages.values(),
        )
        for each in workspace.get(path, query, _CampaignDays).data
    ]
    return sorted(counted, key=lambda each: each.day)


def canvas_series(
    workspace: Workspace, canvas_id: str, *, last: date, days: int
) -> list[CountedDay]:
    """As `campaign_series`, of all steps of a canvas together."""
    query: dict[str, str | int] = {
        "canvas_id": canvas_id,
        "length": days,
        "ending_at": _end(last),
        "include_step_breakdown": "true",
    }
    found = workspace.get("/canvas/data_series", query, _CanvasDays).data.stats
    return sorted((_canvas_day(each, each.time) for each in found), key=lambda each: each.day)


def canvas_summary(workspace: Workspace, canvas_id: str, *, last: date, days: int) -> CountedDay:
    """Read all the days up to ``last`` as one sum, under that day. Raises as ``Workspace.get``."""
    query: dict[str, str | int] = {
        "canvas_id": canvas_id,
        "length": days,
        "ending_at": _end(last),
        "include_step_breakdown": "true",
    }
    found = workspace.get("/canvas/data_summary", query, _CanvasSummary).data
    return _canvas_day(found, last.isoformat())


def _canvas_day(found: _CanvasDay, time: str) -> CountedDay:
    channels = [each for step in found.step_stats.values() for each in step.messages.values()]
    return _day(time, found.total_stats, channels)


def _day(time: str, total: _Total, channels: Iterable[tuple[_Counts, ...]]) -> CountedDay:
    counts = [each for variations in channels for each in variations]
    return CountedDay(
        day=_date(time),
        sent=sum(each.sent or 0 for each in counts),
        opens=sum((each.opens or 0) + (each.direct_opens or 0) for each in counts),
        clicks=sum(each.clicks or 0 for each in counts),
        unsubscribes=sum(each.unsubscribes or 0 for each in counts),
        bounces=sum(each.bounces or 0 for each in counts),
        conversions=total.conversions or 0,
        entries=total.entries or 0,
        revenue=total.revenue or 0.0,
    )


def _date(time: str) -> date:
    try:
        return date.fromisoformat(time[:10])
    except ValueError as cause:
        raise UnreadableAnswer(
            f"The series of Braze has a day that is none: {time[:40]!r}. Check base_url."
        ) from cause


def _end(last: date) -> str:
    return f"{last.isoformat()}T23:59:59Z"
