"""Reads what a destination answered, where sending the same again does no harm.

Segment drops a repeat by its message id, and a receiver of webhooks by the webhook's, so nothing
has to be asked about: what was not taken is sent again. Bodies are never quoted, for a receiver may
repeat what it was told of a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

from opportune.activation.model import Answer, Delivery, Outcome, Request, Send
from opportune.events import Decoded, Reject
from opportune.storage import Frame

__all__ = ["REFUSED_WAIT_S", "Repeatable", "read_answer"]

REFUSED_WAIT_S = 300.0
"""Wait while an operator repairs a secret or an address."""

LONGEST_WAIT_S = 3600.0
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_REPAIR = {
    401: "does not know who we are (401): check the secret that the destination names.",
    403: "does not let us in (403): check the secret that the destination names and its rights.",
    404: "has nothing at this address (404): check the destination's url.",
    407: "is behind a proxy that asks for credentials (407): let this host through.",
}


class Repeatable:
    """The parts of ``activation.model.Connector`` that are the same for all such receivers."""

    __slots__ = ()

    def check_config(self, config: Mapping[str, str]) -> list[str]:
        """Find nothing wrong: a destination is checked as a whole, where it is read."""
        return []

    def enquiries(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        """Ask nothing: sending again does no harm."""
        return []

    def findings(
        self, request: Request, answer: Answer, *, since: datetime, config: Mapping[str, str]
    ) -> list[Delivery]:
        """Find nothing: nothing was asked."""
        return []

    def decode(self, frame: Frame) -> Decoded:
        """Refuse everything: a destination sends nothing back."""
        reason = "A destination sends nothing back."
        reject = Reject(index=-1, message_id=None, code="unknown_kind", reason=reason, payload="")
        return Decoded(events=[], rejects=[reject])


def read_answer(request: Request, answer: Answer) -> list[Delivery]:
    """Give each key of a call the same delivery, read from the status and ``Retry-After``."""
    outcome, reason, wait = _outcome(answer)
    return [
        Delivery(key=key, outcome=outcome, reason=reason, dispatch_id=None, retry_after_s=wait)
        for key in request.keys
    ]


def _outcome(answer: Answer) -> tuple[Outcome, str, float | None]:
    status = answer.status
    if status is None:
        trouble = answer.body.decode(errors="replace").partition(":")[0][:100]
        outcome: Outcome = "retry" if answer.processed is False else "unknown"
        return outcome, f"No answer came ({trouble}).", None
    if 200 <= status < 300:
        return "sent", "", None
    if status in (401, 403, 407) or 300 <= status < 400:
        words = _REPAIR.get(status, f"sends us elsewhere ({status}): set the url to that address.")
        return "retry", f"The receiver {words}", REFUSED_WAIT_S
    if status == 404:
        return "retry", f"The receiver {_REPAIR[404]}", None
    if status in (408, 425, 429) or status >= 500:
        reason = f"The receiver cannot take it now ({status}{_said(answer)})."
        return "retry", reason, _asked_wait_s(answer.headers)
    return "failed", f"The receiver refused it ({status}{_said(answer)}).", None


def _said(answer: Answer) -> str:
    """The code that came with a refusal, if it looks like one and not like a person's value."""
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    code = body.get("code") if isinstance(body, dict) else None
    return f", {code}" if isinstance(code, str) and _CODE.fullmatch(code) else ""


def _asked_wait_s(headers: Mapping[str, str]) -> float | None:
    values = {name.lower(): text.strip() for name, text in headers.items()}
    asked = values.get("retry-after", "")
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return min(max(float(asked), 1.0), LONGEST_WAIT_S)
    until, told_at = _http_date(asked), _http_date(values.get("date", ""))
    if until is None or told_at is None:
        return None
    return min(max((until - told_at).total_seconds(), 1.0), LONGEST_WAIT_S)


def _http_date(text: str) -> datetime | None:
    try:
        time = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
