"""What the customers do on a day, as the events that their systems would post."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from hashlib import blake2b

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.sandbox.campaigns import variation_id
from opportune.sandbox.model import CAMPAIGN_ID, CAMPAIGN_NAME
from opportune.sandbox.workspace import DaySends, braze_id
from opportune.simulate import Engagement, Market, Orders

__all__ = ["CurrentsEvent", "Reaction", "TrackCall", "react"]

APP_GROUP_ID = "5f1a0c9e2b7d4e6a8c3f1b2d"
_TYPES: Mapping[str, Mapping[str, str]] = {
    "email": {
        "send": "users.messages.email.Send",
        "open": "users.messages.email.Open",
        "machine": "users.messages.email.Open",
        "click": "users.messages.email.Click",
        "unsubscribe": "users.messages.email.Unsubscribe",
    },
    "push": {
        "send": "users.messages.pushnotification.Send",
        "open": "users.messages.pushnotification.Open",
    },
    "sms": {
        "send": "users.messages.sms.Send",
        "click": "users.messages.sms.ShortLinkClick",
    },
}
_EXTRA: Mapping[str, Mapping[str, object]] = {
    "machine": {"machine_open": "true"},
    "click": {"is_suspected_bot_click": False},
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
class Reaction:
    """A day lived through. ``flags`` maps a flag to the customers (rows) who earned it."""

    orders: Sequence[TrackCall]
    engagement: Sequence[CurrentsEvent]
    flags: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """One day's columns: messages (m,), and what each customer made of their last message (n,)."""

    market: Market
    sends: DaySends
    starts_at_s: int
    engaged: Engagement
    channels: NDArray[np.str_]  # (m,)
    final: NDArray[np.bool_]  # (m,): the customer's last message of the day, the one they act on


def react(market: Market, day: date, sends: DaySends, *, report_sends: bool = True) -> Reaction:
    """Let every customer live through the day; of several messages only the last one counts.

    ``report_sends``: whether the messages themselves are among the engagement.
    """
    customers = np.arange(len(market.user_ids))
    count = len(sends.rows)
    last = np.full(len(customers), -1)
    last[sends.rows] = np.arange(count)
    reached = last >= 0
    actions = np.full((len(customers), len(market.space.sizes)), -1, dtype=np.int16)
    actions[reached] = sends.actions[last[reached]]
    orders = market.orders(day.toordinal(), customers, actions, reached)
    lived = _Day(
        market=market,
        sends=sends,
        starts_at_s=int(datetime.combine(day, time(), UTC).timestamp()),
        engaged=market.engagement(day.toordinal(), customers, actions, orders),
        channels=np.array(market.space.dimensions[1].options)[np.maximum(sends.actions[:, 1], 0)],
        final=last[sends.rows] == np.arange(count),
    )
    events, flags = _engagement(lived, report_sends=report_sends)
    return Reaction(
        orders=_orders(lived, day, orders, last),
        engagement=events,
        flags={**flags, "converted": orders.position[reached[orders.position]].tolist()},
    )


def _engagement(
    day: _Day, *, report_sends: bool
) -> tuple[list[CurrentsEvent], dict[str, list[int]]]:
    """Events in the order of their kind, and who opened or clicked what."""
    rows, engaged = day.sends.rows, day.engaged
    kinds = {
        "send": (np.full(len(rows), report_sends), _send_hours(day)),
        "machine": (engaged.machine_opened[rows] & day.final, _send_hours(day) + 30),
        "open": (engaged.opened[rows] & day.final, engaged.opened_after_s[rows]),
        "click": (engaged.clicked[rows] & day.final, engaged.clicked_after_s[rows]),
        "unsubscribe": (engaged.unsubscribed[rows] & day.final, engaged.clicked_after_s[rows] + 60),
    }
    events: list[CurrentsEvent] = []
    flags: dict[str, list[int]] = {}
    for kind, (happened, after_s) in kinds.items():
        for channel, types in _TYPES.items():
            chosen = np.flatnonzero(happened & (day.channels == channel))
            if kind in types and len(chosen):
                events.extend(_events(day, chosen, after_s[chosen], (channel, kind)))
                flag = {"open": "opened", "machine": "opened", "click": "clicked"}.get(kind)
                if flag and channel != "sms":
                    flags.setdefault(f"{flag}_{channel}", []).extend(rows[chosen].tolist())
    return events, flags


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
    event_type, variation = _TYPES[channel][kind], variation_id(channel)
    rows = day.sends.rows[chosen]
    names: list[str] = day.market.user_ids[rows].tolist()
    offers = day.market.space.dimensions[0].options
    for index, row, name, at in zip(
        chosen.tolist(), rows.tolist(), names, (day.starts_at_s + after_s).tolist(), strict=True
    ):
        dispatch_id = day.sends.dispatch_ids[index]
        properties: dict[str, object] = {
            "app_group_id": APP_GROUP_ID,
            "campaign_id": CAMPAIGN_ID,
            "campaign_name": CAMPAIGN_NAME,
            "message_variation_id": variation,
            "dispatch_id": dispatch_id,
            **_EXTRA.get(kind, {}),
        }
        if channel == "email":
            properties["email_address"] = f"{name}@customers.example"
        if kind == "click":
            offer = offers[max(int(day.sends.actions[index, 0]), 0)]
            properties["url"] = _link(offer, day.sends.decision_ids[index])
        yield CurrentsEvent(
            event_type,
            _event_id(f"{dispatch_id}:{row}:{kind}"),
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
