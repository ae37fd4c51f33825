"""Braze: one API-triggered campaign or canvas per use case, one property per dimension.

Or messages of ours, which ``braze_direct`` reads and fills: then everybody of one call gets the
same, so there is a call for each combination that was chosen.

This file writes the calls, ``braze_answers`` reads what comes back, ``braze_schedules`` does both
for what Braze holds until its time, ``braze_currents`` reads the engagement that Braze Currents
pushes to us. ``broadcast`` is deliberately never sent: it
would message a whole segment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from urllib.parse import urlsplit

import msgspec

from opportune.activation.connectors.braze_answers import (
    read_deliveries,
    read_findings,
    read_window,
)
from opportune.activation.connectors.braze_currents import decode_currents
from opportune.activation.connectors.braze_direct import by_content, check_messages, held_content
from opportune.activation.connectors.braze_schedules import (
    read_recall,
    read_scheduled,
    schedule_of,
    write_recall,
)
from opportune.activation.connectors.braze_ways import (
    CANVAS,
    DIRECT,
    MESSAGES,
    SEND_ID,
    WAYS,
    Way,
    target_of,
    way_of,
)
from opportune.activation.model import Connector, Request, Send
from opportune.errors import nearest

__all__ = [
    "BATCH_SIZE",
    "CALLS_PER_HOUR",
    "CONNECTOR",
    "MAX_BODY_BYTES",
    "Braze",
    "check_config",
    "decode_currents",
    "write_enquiries",
    "write_requests",
    "write_schedules",
]

BATCH_SIZE = 50
"""Most users Braze takes in one call, for sends and for exports alike."""

CALLS_PER_HOUR = 250_000
"""Braze's limit on all ordinary calls of a workspace together."""

MAX_BODY_BYTES = 4_000_000
"""Braze's limit on every body, read as the smaller meaning of 4 MB."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CONFIG_KEYS = ("base_url", *(way.setting for way in WAYS), MESSAGES)


def write_requests(sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
    """Write the calls that hand ``sends`` to the campaign or canvas of ``config``, or as messages.

    Braze collapses a user named twice in one call into the last entry, so a user's second send goes
    into a later call. A send too large for any call still gets one of its own, which Braze refuses.
    """
    return _write(sends, config, _apart(config), path=way_of(config).path)


def write_schedules(
    sends: Sequence[Send], config: Mapping[str, str], *, at: datetime
) -> list[Request]:
    """Write the calls that have Braze hold ``sends`` until ``at``, packed like ``write_requests``.

    The time is absolute: when that is where somebody lives was decided with the rest. The id of a
    day's sends is left out, as that is of the day on which they are handed over.
    """
    path = f"{way_of(config).schedules}/create"
    return _write(sends, config, {"schedule": schedule_of(at)}, path=path)


def write_enquiries(sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
    """Write the exports that show what the users of ``sends`` have received."""
    return _pack(
        sends,
        lambda send: msgspec.json.encode(send.user_id),
        path="/users/export/ids",
        head=b'{"external_ids":[',
        tail=b'],"fields_to_export":["external_id","' + way_of(config).received.encode() + b'"]}',
    )


def check_config(config: Mapping[str, str]) -> list[str]:
    """List what is wrong with a use case's Braze settings; an empty list means they can be used.

    >>> check_config({"campaign_id": "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10",
    ...               "base_url": "https://rest.fra-01.braze.eu/"})
    []
    """
    problems = [] if config.get("base_url") else ["base_url is missing: Braze needs it."]
    chosen = [way.setting for way in WAYS if config.get(way.setting)]
    if config.get(MESSAGES):
        problems += check_messages(config)
        if CANVAS.setting in chosen:
            problems.append("canvas_id and messages are both given: take one of them.")
    elif len(chosen) != 1:
        problems.append(
            f"{' and '.join(chosen)} are both given: take one of them."
            if chosen
            else "campaign_id is missing: Braze needs it, or canvas_id, or messages of yours."
        )
    problems += [
        f"{key} is no Braze setting. {nearest(key, _CONFIG_KEYS)}"
        for key in config
        if key not in _CONFIG_KEYS
    ]
    base_url = config.get("base_url")
    problems += [
        f"{key} is {config[key]!r}, but must be the {key[:-3]}'s API identifier, such as"
        " '8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10'."
        for key in chosen
        if not _UUID.fullmatch(config[key])
    ]
    if base_url and not _is_base_url(base_url):
        problems.append(
            "base_url must be the REST host of your Braze instance, such as"
            " 'https://rest.fra-01.braze.eu': http or https, with no user, query or fragment."
        )
    return problems


class Braze:
    """The connector: see ``activation.model.Connector`` for what each method promises."""

    name = "braze"
    batch_size = BATCH_SIZE
    calls_per_hour = CALLS_PER_HOUR
    requests = staticmethod(write_requests)
    enquiries = staticmethod(write_enquiries)
    deliveries = staticmethod(read_deliveries)
    findings = staticmethod(read_findings)
    decode = staticmethod(decode_currents)
    check_config = staticmethod(check_config)
    window = staticmethod(read_window)
    schedules = staticmethod(write_schedules)
    scheduled = staticmethod(read_scheduled)
    recall = staticmethod(write_recall)
    recalled = staticmethod(read_recall)


CONNECTOR: Connector = Braze()


def _apart(config: Mapping[str, str]) -> dict[str, str]:
    """The id of the day's sends, of a campaign that has one; Braze knows none of a canvas."""
    has_one = SEND_ID in config and way_of(config) is not CANVAS
    return {SEND_ID: config[SEND_ID]} if has_one else {}


def _write(
    sends: Sequence[Send], config: Mapping[str, str], said: Mapping[str, object], *, path: str
) -> list[Request]:
    way = way_of(config)
    if way is DIRECT:
        return _write_direct(sends, config, said, path=path)
    head = msgspec.json.encode({way.setting: config[way.setting], **said})
    return _pack(
        sends,
        lambda send: _recipient(send, way),
        path=path,
        head=head[:-1] + b',"recipients":[',
        tail=b"]}",
    )


def _write_direct(
    sends: Sequence[Send], config: Mapping[str, str], said: Mapping[str, object], *, path: str
) -> list[Request]:
    """Write a call for each content, and each 50 users who get it."""
    target = target_of(config)
    named = {DIRECT.setting: target} if target else {}
    # Without a campaign Braze counts nothing, and knows no id of a day's sends.
    kept = {key: value for key, value in said.items() if target or key != SEND_ID}
    requests = []
    for content, group in by_content(sends, config):
        told = content if path == DIRECT.path else held_content(content)
        head = msgspec.json.encode({**named, **kept, **told})[:-1] + b',"external_user_ids":['
        requests += _pack(
            group,
            lambda send: msgspec.json.encode(send.user_id),
            path=path,
            head=head,
            tail=b"]}",
        )
    return requests


def _pack(
    sends: Sequence[Send], entry: Callable[[Send], bytes], *, path: str, head: bytes, tail: bytes
) -> list[Request]:
    room = MAX_BODY_BYTES - len(head) - len(tail)
    requests = []
    for layer in _one_send_per_user(sends):
        for group in _groups([(send.key, entry(send)) for send in layer], room):
            body = head + b",".join(text for _, text in group) + tail
            keys = tuple(key for key, _ in group)
            requests.append(Request(method="POST", path=path, body=body, keys=keys))
    return requests


def _one_send_per_user(sends: Sequence[Send]) -> list[list[Send]]:
    layers: list[list[Send]] = []
    times_seen: dict[str, int] = {}
    for send in sends:
        depth = times_seen.get(send.user_id, 0)
        times_seen[send.user_id] = depth + 1
        if depth == len(layers):
            layers.append([])
        layers[depth].append(send)
    return layers


def _groups(entries: list[tuple[str, bytes]], room: int) -> list[list[tuple[str, bytes]]]:
    groups: list[list[tuple[str, bytes]]] = []
    size = 0
    for key, text in entries:
        size += len(text) + 1
        # The last entry of a group needs no comma, hence one byte more than there is room.
        if not groups or len(groups[-1]) == BATCH_SIZE or size > room + 1:
            groups.append([])
            size = len(text) + 1
        groups[-1].append((key, text))
    return groups


def _recipient(send: Send, way: Way) -> bytes:
    properties = {**send.properties, "decision_id": send.decision_id}
    return msgspec.json.encode({"external_user_id": send.user_id, way.properties: properties})


def _is_base_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_port_in_range = parts.port is None or parts.port > 0
    except ValueError:
        return False
    extras = parts.query or parts.fragment or parts.username or parts.password
    plain = text.isascii() and not re.search(r"\s", text)
    known = parts.scheme in ("http", "https") and bool(parts.hostname)
    return known and plain and has_port_in_range and not extras
