"""Proves that a connector keeps its promises, with no network: for authors of plugins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from opportune.activation.model import Answer, Connector, Delivery, Request, Send
from opportune.storage import Frame

__all__ = ["check_connector"]

_OUTCOMES = ("sent", "failed", "retry", "unknown")
_STATUSES = (200, 201, 202, 204, 301, 400, 401, 403, 404, 408, 413, 415, 429, 500, 502, 503, 504)
_BODIES = (b"", b"{}", b"[]", b"null", b'{"message":"success"}', b"<html>", b"\xff\x00", b'{"a":')
_HEADERS: tuple[Mapping[str, str], ...] = (
    {},
    {"Retry-After": "7", "X-RateLimit-Reset": ""},
    {"retry-after": "soon", "x-ratelimit-reset": "-1"},
)
_NO_ANSWERS = (
    Answer(status=None, headers={}, body=b"refused", processed=False),
    Answer(status=None, headers={}, body=b"timed out", processed=None),
)


def check_connector(connector: Connector, *, config: Mapping[str, str]) -> None:
    """Raise ``AssertionError``, in words, at the first promise that ``connector`` breaks.

    ``config`` is any activation settings that the connector accepts; nothing is called with them.

    >>> from opportune.activation.connectors import connector
    >>> check_connector(connector("braze"), config={
    ...     "campaign_id": "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10",
    ...     "base_url": "https://rest.fra-01.braze.eu"})
    """
    _require(isinstance(connector, Connector), "It lacks a part of activation.model.Connector.")
    _require(bool(connector.name), "name is empty: use cases choose a connector by its name.")
    _require(connector.batch_size >= 1, "batch_size must be 1 or more.")
    _require(connector.calls_per_hour >= 1, "calls_per_hour must be 1 or more.")
    sends = _sends(2 * connector.batch_size + 3)
    calls = connector.requests(sends, config)
    _check_requests("requests", connector, calls, sends)
    _require(connector.requests(sends, config) == calls, "requests differs when asked again.")
    _require(connector.requests([], config) == [], "requests makes a call for no sends.")
    for answer in _answers():
        for call in calls:
            _check_deliveries("deliveries", call, answer, connector.deliveries(call, answer))
    enquiries = connector.enquiries(sends, config)
    if enquiries:
        _check_requests("enquiries", connector, enquiries, sends)
    for answer in _answers():
        for call in enquiries:
            _check_findings(connector, call, answer, config)
    for body in _BODIES:
        connector.decode(Frame(received_at_us=1, source_id="check", kind="engagement", body=body))


def _sends(count: int) -> list[Send]:
    """Sends to ``count`` users, the first of whom comes a second time."""
    return [
        Send(
            key=f"key-{index}",
            decision_id=f"decision-{index}",
            user_id=f"user-{index % count}",
            properties={"offer": "süß", "channel": "email"},
        )
        for index in range(count + 1)
    ]


def _answers() -> Iterator[Answer]:
    yield from _NO_ANSWERS
    for status in _STATUSES:
        for body in _BODIES:
            for headers in _HEADERS:
                yield Answer(status=status, headers=headers, body=body, processed=True)


def _check_requests(
    verb: str, connector: Connector, calls: Sequence[Request], sends: Sequence[Send]
) -> None:
    times = Counter(key for call in calls for key in call.keys)
    for send in sends:
        _require(times[send.key] == 1, f"{verb} puts {send.key} into {times[send.key]} calls.")
    _require(len(times) == len(sends), f"{verb} invents keys that were in no send.")
    most = connector.batch_size
    for call in calls:
        _require(
            1 <= len(call.keys) <= most,
            f"{verb} makes a call with {len(call.keys)} keys: batch_size is {most}.",
        )
        _require(call.path.startswith("/"), f"{verb} makes the path {call.path!r}: start with '/'.")


def _check_findings(
    connector: Connector, call: Request, answer: Answer, config: Mapping[str, str]
) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    found = connector.findings(call, answer, since=since, config=config)
    _check_each("findings", call, answer, found)
    if answer.status is None or answer.status >= 300:
        _require(
            all(each.outcome == "unknown" for each in found),
            f"findings must say 'unknown' for {_name(answer)}: a failed enquiry settles nothing.",
        )


def _check_deliveries(
    verb: str, call: Request, answer: Answer, deliveries: Sequence[Delivery]
) -> None:
    _check_each(verb, call, answer, deliveries)
    outcomes = {each.outcome for each in deliveries}
    if answer.status is None:
        right = "retry" if answer.processed is False else "unknown"
        _require(outcomes == {right}, f"{verb} must say {right!r} for {_name(answer)}.")
    if answer.status is not None and answer.status >= 300:
        _require("sent" not in outcomes, f"{verb} says 'sent' for {_name(answer)}.")
    if answer.status == 429:
        _require(outcomes == {"retry"}, f"{verb} must say 'retry' for {_name(answer)}.")


def _check_each(verb: str, call: Request, answer: Answer, deliveries: Sequence[Delivery]) -> None:
    _require(
        tuple(each.key for each in deliveries) == call.keys,
        f"{verb} must give one delivery per key, in the call's order, for {_name(answer)}.",
    )
    for each in deliveries:
        _require(each.outcome in _OUTCOMES, f"{verb} says {each.outcome!r}: not an outcome.")
        wait = each.retry_after_s
        _require(wait is None or 0 <= wait < 1e6, f"{verb} asks to wait {wait} seconds.")
        _require(
            each.outcome == "sent" or bool(each.reason),
            f"{verb} says {each.outcome!r} for {_name(answer)} without a reason.",
        )


def _name(answer: Answer) -> str:
    if answer.status is not None:
        return f"status {answer.status} with body {answer.body!r}"
    return "no answer, surely not processed" if answer.processed is False else "no answer"


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
