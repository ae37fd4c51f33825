"""Reads what Braze answered: one delivery per key, whatever came back.

Braze has no idempotency key, so an outcome is "retry" only where nothing can have been accepted:

* the connection was never made, 401, 403, 407, 3xx, 425, 429;
* any 5xx, 408, a lost or late answer: "unknown". Braze may have accepted the call before the
  trouble (a proxy before it says 503 as well), and asking first is cheap while a second message is
  not;
* other 4xx: "failed", because the same call would be refused again.

A 2xx is believed only when its body reads like Braze's own (an object with ``message`` or
``dispatch_id``): a proxy's page, or a host that is not Braze, also answers 200. Any other body
makes the call "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from opportune.activation.connectors.braze_ways import Way, target_of, way_of
from opportune.activation.model import Answer, Delivery, Outcome, Request, Window

__all__ = [
    "answered_object",
    "LONGEST_WAIT_S",
    "REFUSED_WAIT_S",
    "read_deliveries",
    "read_findings",
    "read_window",
    "refusal",
    "wait_s",
]

LONGEST_WAIT_S = 3600.0
"""Braze's longest rate-limit window is one hour, so no answer can ask for more."""

REFUSED_WAIT_S = 300.0
"""Wait while an operator repairs a key or an address."""

# Whom a call names, in the order of its keys.
_RECIPIENTS = ("recipients", "external_user_ids")
_MAX_MESSAGE = 300
_NO_WORDS = "no words came with it"
_FIRST_EPOCH_S = 1_000_000_000
_MOST_CALLS = 1_000_000_000
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_EMAIL = re.compile(r"[^\s<>\"']+@[^\s<>\"']+")


def read_deliveries(request: Request, answer: Answer) -> list[Delivery]:
    """Give one delivery per key of a call that sends, in the request's order.

    A ``notice`` says that a canvas is paused or archived: the call was accepted, and nobody enters.
    """
    if answer.status is None or not 200 <= answer.status < 300:
        outcome, reason, wait = refusal(request, answer)
        return [_delivery(key, outcome, reason, wait=wait) for key in request.keys]
    body = _object(answer.body)
    dispatch_id = _text(body.get("dispatch_id"))
    if dispatch_id is None and _text(body.get("message")) is None:
        reason = f"The answer {answer.status} cannot be read as Braze's; check base_url."
        return [_delivery(key, "unknown", reason) for key in request.keys]
    if notice := _text(body.get("notice")):
        reason = f"Braze took the call and sends nothing: {_clean(notice)}"
        return [_delivery(key, "failed", reason, dispatch_id=dispatch_id) for key in request.keys]
    refused, loose = _placed_errors(body.get("errors"), len(request.keys))
    outcome = "unknown" if loose else "sent"
    reason = f"Braze named an error without saying whose it is: {loose}" if loose else ""
    return [
        _delivery(key, "failed", refused[index])
        if index in refused
        else _delivery(key, outcome, reason, dispatch_id=dispatch_id)
        for index, key in enumerate(request.keys)
    ]


def read_findings(
    request: Request, answer: Answer, *, since: datetime, config: Mapping[str, str]
) -> list[Delivery]:
    """Give one delivery per key of a ``/users/export/ids`` call: what became of an earlier send.

    ``since`` is when that send was called, compared by whole seconds because Braze cuts times.
    """
    if answer.status is None or not 200 <= answer.status < 300:
        _, reason, wait = refusal(request, answer)
        return [_delivery(key, "unknown", f"Enquiry: {reason}", wait=wait) for key in request.keys]
    users = _object(answer.body).get("users")
    if not isinstance(users, list):
        reason = f"Enquiry: the answer {answer.status} names no users; check base_url."
        return [_delivery(key, "unknown", reason) for key in request.keys]
    way, target = way_of(config), target_of(config)
    found = {
        str(user["external_id"]): user.get(way.received)
        for user in users
        if isinstance(user, dict) and user.get("external_id") is not None
    }
    asked = msgspec.json.decode(request.body)["external_ids"]
    return [
        _finding(key, target, _times(found[user_id], way, target), since.replace(microsecond=0))
        if user_id in found
        else _delivery(key, "failed", "Unknown user: Braze has no profile with this external_id.")
        for key, user_id in zip(request.keys, asked, strict=True)
    ]


def wait_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to leave Braze alone after a 429, from 1 to ``LONGEST_WAIT_S``; None if it is silent.

    ``X-RateLimit-Reset`` is seconds until the reset or, from 1,000,000,000 on, an epoch. An epoch
    is read against the answer's own ``Date``, so neither our clock nor its error plays a part.

    >>> wait_s({"x-ratelimit-reset": "30", "Retry-After": ""})
    30.0
    """
    values = {name.lower(): value.strip() for name, value in headers.items()}
    asked = _asked_wait_s(values)
    if asked is not None:
        return asked
    reset = _number(values.get("x-ratelimit-reset"))
    if reset is None or reset < _FIRST_EPOCH_S:
        return None if reset is None else _bounded(reset)
    answered_at = _http_date(values.get("date", ""))
    return None if answered_at is None else _bounded(reset - answered_at.timestamp())


def read_window(answer: Answer) -> Window | None:
    """Read how many calls Braze's pool still takes; None where the headers do not say all of it.

    ``X-RateLimit-Reset`` is read against the answer's own ``Date``, as in ``wait_s``.
    """
    values = {name.lower(): value.strip() for name, value in answer.headers.items()}
    calls, remaining, reset = (
        _number(values.get(f"x-ratelimit-{name}")) for name in ("limit", "remaining", "reset")
    )
    answered_at = _http_date(values.get("date", ""))
    if calls is None or remaining is None or reset is None or answered_at is None:
        return None
    at_s = answered_at.timestamp()
    is_epoch = reset >= _FIRST_EPOCH_S
    return Window(
        calls=min(int(calls), _MOST_CALLS),
        remaining=min(int(remaining), _MOST_CALLS),
        resets_at_s=reset if is_epoch else at_s + reset,
        resets_in_s=_bounded(reset - at_s if is_epoch else reset),
    )


def refusal(request: Request, answer: Answer) -> tuple[Outcome, str, float | None]:
    """Say what an answer that is no 2xx means for the call, why, and how long it asks to wait."""
    status = answer.status
    if status is None:
        outcome: Outcome = "retry" if answer.processed is False else "unknown"
        return outcome, f"No answer from Braze: {_message(answer.body)}", None
    if status in (401, 403, 407) or 300 <= status < 400:
        return "retry", _repair(request, status), REFUSED_WAIT_S
    values = {name.lower(): value.strip() for name, value in answer.headers.items()}
    if status == 429:
        return "retry", "Braze's rate limit is reached (429).", wait_s(values)
    if status == 425:
        return "retry", "Braze does not take the call yet (425).", _asked_wait_s(values)
    if status == 503:
        # It also carries the hourly window's reset, which says nothing about the outage.
        return "unknown", "Braze is not available (503).", _asked_wait_s(values)
    if status == 413:
        reason = "Braze takes no more than 4 MB a call (413): shorten the options' texts."
        return "failed", reason, None
    if status == 404:
        reason = "Braze knows no such campaign or path (404): check campaign_id and base_url."
        return "failed", f"{reason} It says: {_message(answer.body)}", None
    if 400 <= status < 500 and status != 408:
        return "failed", f"Braze refused the call ({status}): {_message(answer.body)}", None
    return "unknown", f"Braze failed while it had the call ({status}).", None


def _repair(request: Request, status: int) -> str:
    # Never quote these bodies: a 401 repeats the key as it was sent.
    permission = request.path.strip("/").replace("/", ".")
    return {
        401: "Braze does not know the API key (401): set OPPORTUNE_BRAZE_API_KEY to a REST API key"
        " of this workspace, and base_url to its own instance.",
        403: f"The API key may not do this (403): give it the permission {permission}, and check"
        " its IP allowlist and the account's plan.",
        407: "A proxy on the way asks for credentials (407): let this host through to Braze.",
    }.get(status, f"base_url sends us elsewhere ({status}): set it to the instance's REST host.")


def _placed_errors(errors: object, size: int) -> tuple[dict[int, str], str]:
    """Return the refusals by recipient index, and the words of what could not be placed."""
    entries = errors if isinstance(errors, list) else [errors] if errors else []
    placed, loose = {}, []
    for entry in entries:
        index = _recipient_index(entry, size)
        text = entry.get("type") if isinstance(entry, dict) else entry
        if index is None:
            loose.append(str(text))
        else:
            placed[index] = f"Braze refused this recipient: {_clean(str(text))}"
    return placed, (_clean("; ".join(loose)) or _NO_WORDS) if loose else ""


def _recipient_index(entry: object, size: int) -> int | None:
    if not isinstance(entry, dict) or entry.get("input_array") not in _RECIPIENTS:
        return None
    index = entry.get("index")
    return index if type(index) is int and 0 <= index < size else None


def _times(received: object, way: Way, name: str) -> list[datetime | None]:
    """When each entry of this campaign or canvas is from, the latest; None: not readable."""
    entries = received if isinstance(received, list) else []
    ours = [
        entry
        for entry in entries
        if isinstance(entry, dict) and str(entry.get(way.named)).lower() == name.lower()
    ]
    return [
        max((time for each in way.times if (time := _time(entry.get(each)))), default=None)
        for entry in ours
    ]


def _finding(key: str, target: str, times: Sequence[datetime | None], since: datetime) -> Delivery:
    if not target:
        reason = "Braze keeps no receipt of a message without a campaign: engagement tells, or you."
        return _delivery(key, "unknown", reason)
    if any(time is not None and time >= since for time in times):
        return _delivery(key, "sent", "Braze shows that the message was received.")
    if None in times:
        return _delivery(key, "unknown", "Braze shows our campaign without a readable time.")
    return _delivery(key, "retry", "Braze shows no message since: safe to send again.")


def _delivery(
    key: str,
    outcome: Outcome,
    reason: str,
    *,
    dispatch_id: str | None = None,
    wait: float | None = None,
) -> Delivery:
    return Delivery(
        key=key, outcome=outcome, reason=reason, dispatch_id=dispatch_id, retry_after_s=wait
    )


def answered_object(answer: Answer) -> dict[str, object]:
    """Return the JSON object that an answer is; empty where it is none."""
    return _object(answer.body)


def _object(body: bytes) -> dict[str, object]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _message(body: bytes) -> str:
    text = _text(_object(body).get("message"))
    return _clean(text or body.decode(errors="replace")) or _NO_WORDS


def _clean(text: str) -> str:
    # An answer may repeat what was sent; addresses must reach no log line.
    short = " ".join(text[: 2 * _MAX_MESSAGE].split())
    return _EMAIL.sub("[address]", short)[:_MAX_MESSAGE]


def _asked_wait_s(values: Mapping[str, str]) -> float | None:
    for name in ("x-ratelimit-retry-after", "retry-after"):
        asked = _number(values.get(name))
        if asked is not None:
            return _bounded(asked)
    return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 1.0), LONGEST_WAIT_S)


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and _NUMBER.fullmatch(text) else None


def _http_date(text: str) -> datetime | None:
    try:
        return _aware(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None


def _time(value: object) -> datetime | None:
    try:
        return _aware(datetime.fromisoformat(str(value).strip().replace(" UTC", "+00:00")))
    except ValueError:
        return None


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)
