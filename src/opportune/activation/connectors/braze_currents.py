"""Reads the engagement that Braze Currents posts to us, event by event.

Braze delivers at least once: the message id is made of Braze's own event id, so that repeats fall
away. Fields are taken from a list of known harmless ones. Everything else, addresses, IPs, user
agents, free texts and what Braze may add tomorrow, is left out here and reaches neither events nor
rejects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import parse_qs, urlsplit, urlunsplit

import msgspec

from opportune.activation.connectors.braze_ways import TEST_PROFILE
from opportune.events.model import Decoded, Event, Reject

if TYPE_CHECKING:
    from opportune.storage import Frame

__all__ = ["decode_currents"]

_CHANNELS = {
    "pushnotification": "push",
    "inappmessage": "in_app",
    "contentcard": "content_card",
}

_MESSAGE_EVENTS = {
    "Send": "Message Sent By Braze",
    "Open": "Message Opened",
    "Click": "Message Clicked",
    "ShortLinkClick": "Message Clicked",
    "Unsubscribe": "Message Unsubscribed",
    "Bounce": "Message Bounced",
}

_KEPT = (
    "campaign_id",
    "canvas_id",
    "canvas_step_id",
    "canvas_variation_id",
    "message_variation_id",
    "dispatch_id",
    "send_id",
    "link_id",
    "link_alias",
    "is_drop",
    "abort_type",
    "conversion_behavior",
    "conversion_behavior_index",
    "product_id",
    "currency",
    "name",
)

_LONGEST_TEXT = 1024
_LONGEST_ID = 94
_LARGEST_NUMBER = 2.0**63
_YEAR_2100_S = 4_102_444_800
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class _Malformed(Exception):
    """One event cannot be used; ends in a reject, never leaves this file."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def decode_currents(frame: Frame) -> Decoded:
    """Turn one body ``{"events": [...]}`` into track events, refusing bad ones one by one.

    Names follow what happened to a message ("Message Opened", with ``channel`` as a property); a
    type without a name of ours keeps Braze's. ``machine_open`` and ``suspected_bot`` tell people
    from machines, and ``decision_id`` is read back from a clicked link's ``d`` parameter. What
    temporary profiles of test sends do is neither event nor reject. A body that cannot be read as a
    whole is one reject with index -1, never an exception.
    """
    events: list[Event] = []
    rejects: list[Reject] = []
    try:
        entries = _entries(frame.body)
    except _Malformed as problem:
        rejects.append(_reject(-1, {}, problem))
        return Decoded(events=events, rejects=rejects)
    for index, entry in enumerate(entries):
        if _is_of_test(entry):
            continue
        try:
            events.append(_event(entry))
        except _Malformed as problem:
            rejects.append(_reject(index, _mapping(entry), problem))
    return Decoded(events=events, rejects=rejects)


def _entries(body: bytes) -> list[object]:
    try:
        # The standard reader takes NaN and half surrogates too: they then cost one event, not all.
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _Malformed("invalid_json", "The body is not JSON; Braze posts an object.") from None
    entries = _mapping(document).get("events")
    if not isinstance(entries, list):
        raise _Malformed("invalid_batch", 'The body must be an object with a list "events".')
    return entries


def _is_of_test(entry: object) -> bool:
    user_id = _mapping(_mapping(entry).get("user")).get("external_user_id")
    return isinstance(user_id, str) and user_id.startswith(TEST_PROFILE)


def _event(entry: object) -> Event:
    if not isinstance(entry, dict):
        raise _Malformed("invalid_event", "An event must be an object.")
    # With its prefix, an id then has the 100 characters that every message id may have.
    identity = _name(entry, "id", _LONGEST_ID)
    event_type = _name(entry, "event_type", 255)
    user_id = _mapping(entry.get("user")).get("external_user_id")
    if not isinstance(user_id, str) or not user_id or _UNSTORABLE.search(user_id):
        raise _Malformed("missing_user", "The event has no user.external_user_id: whose is it?")
    properties = _properties(event_type, _mapping(entry.get("properties")))
    return Event(
        message_id=f"braze:{identity}",
        type="track",
        event=_event_name(event_type),
        user_id=user_id,
        anonymous_id=None,
        occurred_at_us=_at_us(entry.get("time")),
        properties=msgspec.json.encode(properties).decode(),
        traits=None,
        context=None,
    )


def _name(entry: Mapping[str, object], field: str, longest: int) -> str:
    value = entry.get(field)
    if isinstance(value, str) and 0 < len(value) <= longest and not _UNSTORABLE.search(value):
        return value
    raise _Malformed(f"invalid_{field}", f"{field} must be a text of 1 to {longest} characters.")


def _event_name(event_type: str) -> str:
    if event_type == "users.behaviors.Purchase":
        return "Order Completed"
    channel, happening = _message_parts(event_type)
    return _MESSAGE_EVENTS.get(happening, event_type) if channel else event_type


def _message_parts(event_type: str) -> tuple[str, str]:
    match event_type.split("."):
        case ["users", "messages", channel, happening]:
            return _CHANNELS.get(channel, channel), happening
    return "", ""


def _at_us(value: object) -> int:
    if not _is_number(value):
        raise _Malformed("invalid_time", "time must be seconds since 1970, in UTC.")
    if not 0 < value < _YEAR_2100_S:
        raise _Malformed("invalid_time", "time must lie between 1970 and the year 2100.")
    return round(value * 1_000_000)


def _properties(event_type: str, given: Mapping[str, object]) -> dict[str, object]:
    kept = {name: given[name] for name in _KEPT if _is_plain(given.get(name))}
    channel, happening = _message_parts(event_type)
    if channel:
        kept |= {"channel": channel, "braze_event_type": event_type}
    if happening == "Open":
        kept["machine_open"] = _is_true(given.get("machine_open"))
    if happening in ("Click", "ShortLinkClick"):
        kept["suspected_bot"] = _is_true(given.get("is_suspected_bot_click"))
        kept |= _link(given.get("url"))
    if event_type == "users.behaviors.Purchase":
        kept["revenue"] = _price(given.get("price"))
    return kept


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        # An address can hide in any text, an alias or a name: then the text is not carried.
        return len(value) <= _LONGEST_TEXT and "@" not in value and not _UNSTORABLE.search(value)
    return isinstance(value, bool) or _is_number(value)


def _is_number(value: object) -> TypeGuard[float]:
    """Tell a number that JSON and every engine can hold from all else; NaN is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -_LARGEST_NUMBER < value < _LARGEST_NUMBER


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _link(url: object) -> dict[str, object]:
    """Keep the place a link leads to and our decision; the rest of its query may name a person."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        decision_ids = parse_qs(parts.query, max_num_fields=100).get("d", [])
    except ValueError:
        return {}
    address = urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))
    found = {"url": address, "decision_id": decision_ids[0] if decision_ids else ""}
    return {name: text for name, text in found.items() if text and _is_plain(text)}


def _price(value: object) -> float:
    if not _is_number(value):
        raise _Malformed("invalid_price", "A purchase needs properties.price, a number.")
    return float(value)


def _reject(index: int, entry: Mapping[str, object], problem: _Malformed) -> Reject:
    harmless = ("event_type", "id", "time")
    plain = {name: entry[name] for name in harmless if _is_plain(entry.get(name))}
    identity = plain.get("id")
    return Reject(
        index=index,
        message_id=f"braze:{identity}" if isinstance(identity, str) and identity else None,
        code=problem.code,
        reason=problem.reason,
        payload=msgspec.json.encode(plain).decode(),
    )


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
