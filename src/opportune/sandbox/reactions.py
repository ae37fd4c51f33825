"""What the customers do on a day, as the events that their systems would post."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.sandbox.people import braze_id
from opportune.sandbox.workspace import DaySends, Way
from opportune.simulate import Engagement, Market, Orders

__all__ = ["CurrentsEvent", "Habits", "Reaction", "TrackCall", "react"]

APP_GROUP_ID = "5f1a0c9e2b7d4e6a8c3f1b2d"
_TYPES: Mapping[str, Mapping[str, str]] = {
    "email": {
        "send": "users.messages.email.Send",
        "open": "users.messages.email.Open",
        "machine": "users.messages.email.Open",
        "click": "users.messages.email.Click",
        "bot_click": "users.messages.email.Click",
        "delivery": "users.messages.email.Delivery",
        "bounce": "users.messages.email.Bounce",
        "unsubscribe": "users.messages.email.Unsubscribe",
    },
    "push": {
        "send": "users.messages.pushnotification.Send",
        "open": "users.messages.pushnotification.Open",
    },
    "sms": {
        "send": "users.messages.sms.Send",
        "delivery": "users.messages.sms.Delivery",
        "click": "users.messages.sms.ShortLinkClick",
    },
}
_CHANNELS = {"email": "email", "sms": "sms"} | dict.fromkeys(
    ("ios_push", "android_push", "web_push", "kindle_push"), "push"
)
_FLAGS = {"open": "opened", "machine": "opened", "click": "clicked"}
_EXTRA: Mapping[str, Mapping[str, object]] = {
    "machine": {"machine_open": "true"},
    "click": {"is_suspected_bot_click": False},
    "bot_click": {
        "is_suspected_bot_click": True,
        "suspected_bot_click_reason": ["user_agent"],
    },
    "bounce": {"bounce_reason": "550 5.1.1 mailbox unavailable", "is_drop": False},
}


class CurrentsEvent(msgspec.Struct, frozen=True):
    """One event as Braze Currents posts it."""

    event_type: str
    id: str
    time: int
    user: dict[str, str]
    properties: dict[str, object]


class TrackCall(msgspec.Struct, frozen=True, rename="camel"):
    """One Segment track call as the shop posts it."""

    message_id: str
    user_id: str
    timestamp: str
    properties: dict[str, object]
    event: str = "Order Completed"
    type: str = "track"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What is reported of a day, and how much of it no person did.

    ``bounce_share`` of the emails never arrive; ``bot_click_share`` of those that do are clicked by
    a scanner. ``names`` maps ids of campaigns, canvases and steps to their names.
    """

    report_sends: bool = True
    report_deliveries: bool = False
    report_purchases: bool = False
    bounce_share: float = 0.0
    bot_click_share: float = 0.0
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """A day lived through.

    ``flags`` maps (campaign, flag) to the customers (rows) who earned it; ``figures`` counts kinds
    of engagement by way, ``revenue_cents`` what was paid; ``unsubscribed`` are rows.
    """

    orders: Sequence[TrackCall]
    engagement: Sequence[CurrentsEvent]
    flags: Mapping[tuple[str, str], Sequence[int]]
    figures: Counter[tuple[Way, str]]
    revenue_cents: Counter[Way]
    unsubscribed: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """One day's columns: messages (m,), and what each customer made of their last message (n,)."""

    market: Market
    habits: Habits
    sends: DaySends
    starts_at_s: int
    engaged: Engagement
    channels: NDArray[np.str_]  # (m,)
    final: NDArray[np.bool_]  # (m,): the customer's last message of the day, the one they act on
    bounced: NDArray[np.bool_]  # (m,)
    bots: NDArray[np.bool_]  # (m,): clicked by a scanner


def react(market: Market, day: date, sends: DaySends, habits: Habits | None = None) -> Reaction:
    """Let every customer live through the day; of several messages only the last one counts."""
    lived, orders, last = _lived(market, day, sends, habits or Habits())
    reached = last >= 0
    reached[reached] = ~lived.bounced[last[reached]]
    happened = _happened(lived)
    calls = _orders(lived, day, orders, last)
    events = _engagement(lived, happened)
    if lived.habits.report_purchases:
        events.extend(_purchases(lived, calls, last))
    bought = reached[orders.position]
    figures, flags, revenue = _figures(lived, happened), _flags(lived, happened), Counter[Way]()
    for row, cents in zip(
        orders.position[bought].tolist(), orders.revenue_cents[bought].tolist(), strict=True
    ):
        way = sends.known_ways[int(sends.ways[last[row]])]
        figures[way, "conversion"] += 1
        revenue[way] += cents
        flags.setdefault((way.campaign_id, "converted"), []).append(row)
    return Reaction(
        orders=calls,
        engagement=events,
        flags=flags,
        figures=figures,
        revenue_cents=revenue,
        unsubscribed=sends.rows[happened["unsubscribe"][0]].tolist(),
    )


def _lived(
    market: Market, day: date, sends: DaySends, habits: Habits
) -> tuple[_Day, Orders, NDArray[np.int64]]:
    """The day's columns, its orders, and the last message (n,) of each customer, -1 for none."""
    customers = np.arange(len(market.user_ids))
    count = len(sends.rows)
    known = np.array([_CHANNELS.get(way.channel, "") for way in sends.known_ways] or [""])
    channels = known[sends.ways]
    email = channels == "email"
    bounced = email & (_luck(market, day, 0)[sends.rows] < habits.bounce_share)
    last = np.full(len(customers), -1)
    last[sends.rows] = np.arange(count)
    reached = last >= 0
    reached[reached] = ~bounced[last[reached]]
    actions = np.full((len(customers), len(market.space.sizes)), -1, dtype=np.int16)
    actions[reached] = sends.actions[last[reached]]
    orders = market.orders(day.toordinal(), customers, actions, reached)
    lived = _Day(
        market=market,
        habits=habits,
        sends=sends,
        starts_at_s=int(datetime.combine(day, time(), UTC).timestamp()),
        engaged=market.engagement(day.toordinal(), customers, actions, orders),
        channels=channels,
        final=(last[sends.rows] == np.arange(count)) & ~bounced,
        bounced=bounced,
        bots=email & ~bounced & (_luck(market, day, 1)[sends.rows] < habits.bot_click_share),
    )
    return lived, orders, last


Happened = Mapping[str, tuple[NDArray[np.bool_], NDArray[np.int64]]]


def _luck(market: Market, day: date, stream: int) -> NDArray[np.float64]:
    """Uniform (n,), one for each customer of a day."""
    made = np.random.default_rng([market.seed, day.toordinal(), 100 + stream])
    return made.random(len(market.user_ids))


def _happened(day: _Day) -> Happened:
    """By kind: to which messages (m,) it happened, and at which second of the day (m,)."""
    rows, engaged, final, sent = day.sends.rows, day.engaged, day.final, _send_hours(day)
    arrived = ~day.bounced
    found = {
        "send": (np.full(len(rows), True), sent),
        "delivery": (arrived, sent + 2),
        "bounce": (day.bounced, sent + 2),
        "machine": (engaged.machine_opened[rows] & final, sent + 30),
        "bot_click": (day.bots, sent + 5),
        "open": (engaged.opened[rows] & final, engaged.opened_after_s[rows]),
        "click": (engaged.clicked[rows] & final, engaged.clicked_after_s[rows]),
        "unsubscribe": (engaged.unsubscribed[rows] & final, engaged.clicked_after_s[rows] + 60),
    }
    for kind, (which, after_s) in found.items():
        on = [channel for channel, types in _TYPES.items() if kind in types]
        found[kind] = (which & np.isin(day.channels, on), after_s)
    return found


def _engagement(day: _Day, happened: Happened) -> list[CurrentsEvent]:
    """Events in the order of their kind; those that are not reported are left out."""
    silent = {
        "send": not day.habits.report_sends,
        "delivery": not day.habits.report_deliveries,
    }
    events: list[CurrentsEvent] = []
    for kind, (which, after_s) in happened.items():
        for channel in _TYPES:
            chosen = np.flatnonzero(which & (day.channels == channel))
            if len(chosen) and not silent.get(kind):
                events.extend(_events(day, chosen, after_s[chosen], (channel, kind)))
    return events


def _flags(day: _Day, happened: Happened) -> dict[tuple[str, str], list[int]]:
    """Who opened or clicked what, by campaign."""
    flags: dict[tuple[str, str], list[int]] = {}
    campaigns = np.array([way.campaign_id for way in day.sends.known_ways] or [""])[day.sends.ways]
    for kind, verb in _FLAGS.items():
        for channel in ("email", "push"):
            chosen = happened[kind][0] & (day.channels == channel)
            for campaign_id in np.unique(campaigns[chosen]).tolist():
                rows = day.sends.rows[chosen & (campaigns == campaign_id)]
                flags.setdefault((campaign_id, f"{verb}_{channel}"), []).extend(rows.tolist())
    return flags


def _figures(day: _Day, happened: Happened) -> Counter[tuple[Way, str]]:
    """How often each kind of engagement happened, by way."""
    masks = {kind: which for kind, (which, _) in happened.items() if kind != "send"}
    masks["unique_open"] = masks["open"] | masks["machine"]
    masks["unique_click"] = masks["click"] | masks["bot_click"]
    figures: Counter[tuple[Way, str]] = Counter()
    for kind, which in masks.items():
        counts = np.bincount(day.sends.ways[which], minlength=1)
        for number in np.flatnonzero(counts).tolist():
            figures[day.sends.known_ways[number], kind] = int(counts[number])
    return figures


def _purchases(
    day: _Day, calls: Sequence[TrackCall], last: NDArray[np.int64]
) -> Iterator[CurrentsEvent]:
    """Orders as Currents tells them: a purchase, and a conversion of who had got a message."""
    rows = {str(name): row for row, name in enumerate(day.market.user_ids.tolist())}
    for call in calls:
        at = int(datetime.fromisoformat(call.timestamp).timestamp())
        user = {"user_id": braze_id(call.user_id), "external_user_id": call.user_id}
        paid = {
            "product_id": "order",
            "price": call.properties["revenue"],
            "currency": call.properties["currency"],
            "purchase_properties": {"order_id": call.properties["order_id"]},
        }
        key = f"{call.message_id}:purchase"
        yield CurrentsEvent("users.behaviors.Purchase", _event_id(key), at, user, paid)
        message = int(last[rows[call.user_id]])
        if message < 0 or day.bounced[message]:
            continue
        sender = _sender(day, message)
        kind = "users.canvas.Conversion" if "canvas_id" in sender else "users.campaigns.Conversion"
        converted = {**sender, "conversion_behavior_index": 0}
        yield CurrentsEvent(kind, _event_id(f"{key}:conversion"), at, user, converted)


def _sender(day: _Day, message: int) -> dict[str, object]:
    """What every event says of the campaign or canvas a message belongs to."""
    way, names = day.sends.known_ways[int(day.sends.ways[message])], day.habits.names
    said: dict[str, object] = {"app_group_id": APP_GROUP_ID}
    if way.canvas_id:
        said |= {
            "canvas_id": way.canvas_id,
            "canvas_name": names.get(way.canvas_id, ""),
            "canvas_step_id": way.step_id,
            "canvas_step_name": names.get(way.step_id, ""),
        }
    elif way.campaign_id:
        said |= {
            "campaign_id": way.campaign_id,
            "campaign_name": names.get(way.campaign_id, ""),
            "message_variation_id": way.variation_id,
        }
    if way.send_id:
        said["send_id"] = way.send_id
    return {**said, "dispatch_id": day.sends.dispatch_ids[message]}


def _send_hours(day: _Day) -> NDArray[np.int64]:
    """Second of the day (m,) at which each message goes out; the customer's where it names none."""
    hours = np.array([int(name) for name in day.market.space.dimensions[2].options])
    named = day.sends.actions[:, 2]
    own = day.engaged.sent_after_s[day.sends.rows]
    return np.where(named >= 0, hours[np.maximum(named, 0)] * 3600, own)


def _events(
    day: _Day, chosen: NDArray[np.int64], after_s: NDArray[np.int64], what: tuple[str, str]
) -> Iterator[CurrentsEvent]:
    """One event for each chosen message of one (channel, kind)."""
    channel, kind = what
    event_type = _TYPES[channel][kind]
    rows = day.sends.rows[chosen]
    names: list[str] = day.market.user_ids[rows].tolist()
    offers = day.market.space.dimensions[0].options
    for index, row, name, at in zip(
        chosen.tolist(), rows.tolist(), names, (day.starts_at_s + after_s).tolist(), strict=True
    ):
        properties = {**_sender(day, index), **_EXTRA.get(kind, {})}
        if channel == "email":
            properties["email_address"] = f"{name}@customers.example"
        if kind in ("click", "bot_click"):
            offer = offers[max(int(day.sends.actions[index, 0]), 0)]
            properties["url"] = _link(offer, day.sends.decision_ids[index])
        yield CurrentsEvent(
            event_type,
            _event_id(f"{properties['dispatch_id']}:{row}:{kind}"),
            at,
            {"user_id": braze_id(name), "external_user_id": name},
            properties,
        )


def _link(offer: str, decision_id: str | None) -> str:
    target = f"https://shop.example/{offer}"
    return f"{target}?d={decision_id}" if decision_id else target


def _event_id(key: str) -> str:
    """A UUID that is the same for the same event on every call."""
    text = blake2b(key.encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _orders(day: _Day, date_: date, orders: Orders, last: NDArray[np.int64]) -> list[TrackCall]:
    """One track call an order; with the decision id when it came through a message's link."""
    started = np.datetime64(date_, "s")
    stamps: Iterable[str] = np.datetime_as_string(started + orders.after_s, unit="ms").tolist()
    columns = zip(
        orders.position.tolist(),
        stamps,
        orders.revenue_cents.tolist(),
        orders.through_link.tolist(),
        strict=True,
    )
    calls = []
    for row, stamp, cents, through in columns:
        name = str(day.market.user_ids[row])
        order_id = f"o-{date_:%Y%m%d}-{name}"
        properties: dict[str, object] = {
            "order_id": order_id,
            "revenue": cents / 100,
            "currency": "EUR",
        }
        decision_id = day.sends.decision_ids[int(last[row])] if through else None
        if decision_id is not None:
            properties["decision_id"] = decision_id
        calls.append(TrackCall(f"order-{order_id}", name, f"{stamp}Z", properties))
    return calls
