"""Write down what became of calls: in the outbox, and in the log what is settled by them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b

import msgspec

from opportune.activation.channel import Channel
from opportune.activation.claims import Claim
from opportune.activation.model import Delivery
from opportune.events import LIMITS, OURS
from opportune.storage import Frame, SegmentLog, State, fetch, load_sql

__all__ = ["FORGOTTEN", "LONGEST_WAIT_S", "Result", "kept", "settle"]

LONGEST_WAIT_S = 3600.0
# Why what is of a forgotten person is taken back (`settle_outbox.sql`): no event names it.
FORGOTTEN = "the person was forgotten"
# A delivery that is "sent" for later is "scheduled" until then.
SCHEDULED = "scheduled"
STATES = {"sent": "sent", "failed": "failed", "retry": "pending", "unknown": "unknown"}
EVENTS = {"sent": "Message Sent", "failed": "Message Failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A delivery, and the first key of its call: what was called together waits together."""

    delivery: Delivery
    first_key: str


def settle(
    state: State,
    channel: Channel,
    log: SegmentLog,
    results: Sequence[Result],
    claims: Mapping[str, Claim],
    *,
    now: datetime,
) -> Counter[str]:
    """Write the outcomes to the outbox, and what is settled by them to the log before the commit.

    Killed in between, the row is asked about, and settled again under the same message id.
    """
    if not results:
        return Counter()
    results = [_patient(channel, each, claims[each.delivery.key], now) for each in results]
    with state.transaction() as connection:
        facts = {"deliveries": _settlement(channel, results, claims)}
        rows = fetch(connection, load_sql("opportune.activation", "settle"), facts)
        changed = {row["key"] for row in rows}
        for body in _events(channel, results, claims, changed, now=now):
            frame = Frame(
                received_at_us=int(now.timestamp() * 1_000_000),
                source_id=OURS,
                kind="batch",
                body=body,
            )
            log.append(frame).result()
    return Counter(result.delivery.outcome for result in results)


def _patient(channel: Channel, result: Result, claim: Claim, now: datetime) -> Result:
    """Give up what is to be sent again, but was tried too often or for too long."""
    delivery = result.delivery
    if delivery.outcome != "retry" or channel.patience is None:
        return result
    attempts = claim.attempts - int(_is_uncounted(delivery))
    if not channel.patience.is_over(attempts=attempts, due_at=claim.due_at, now=now):
        return result
    reason = f"Given up at try {claim.attempts}. {delivery.reason}"
    return replace(result, delivery=replace(delivery, outcome="failed", reason=reason))


def _settlement(channel: Channel, results: Sequence[Result], claims: Mapping[str, Claim]) -> str:
    """Write what became of each row as one JSON text, the shape that ``settle.sql`` reads."""
    rows = [
        {
            "key": result.delivery.key,
            "state": SCHEDULED if _is_held(result.delivery) else STATES[result.delivery.outcome],
            "reason": kept(result.delivery.reason),
            "dispatch_id": kept(result.delivery.dispatch_id),
            "schedule_id": kept(result.delivery.schedule_id),
            "wait_s": _wait_s(channel, result, claims[result.delivery.key]),
            "uncounted": int(_is_uncounted(result.delivery)),
            "leased_until": claims[result.delivery.key].leased_until,
        }
        for result in results
    ]
    return msgspec.json.encode(rows).decode()


def kept(text: str | None) -> str | None:
    """A receiver's words, without what no database holds: NUL, and halves of a character."""
    if text is None:
        return None
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _is_held(delivery: Delivery) -> bool:
    return delivery.outcome == "sent" and delivery.schedule_id is not None


def _is_uncounted(delivery: Delivery) -> bool:
    """A refusal that says when to come back (a bad key, a rate limit) is no failed try."""
    return delivery.outcome == "retry" and delivery.retry_after_s is not None


def _wait_s(channel: Channel, result: Result, claim: Claim) -> float:
    delivery = result.delivery
    asked = delivery.retry_after_s
    if delivery.outcome == "unknown":
        return min(max(channel.settle_s, asked or 0.0), LONGEST_WAIT_S)
    if delivery.outcome != "retry":
        return 0.0
    chance = _chance(f"{result.first_key}:{claim.attempts}")
    if asked is not None:
        return min(asked * (1 + chance / 10), LONGEST_WAIT_S)
    longest = channel.settle_s / 10 * 2.0 ** min(claim.attempts - 1, 30)
    return min(longest, LONGEST_WAIT_S) * (1 + chance) / 2


def _chance(key: str) -> float:
    """Return a number from 0 to 1 that looks random and is the same in every run."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) / 2.0**64


def _events(
    channel: Channel,
    results: Sequence[Result],
    claims: Mapping[str, Claim],
    changed: set[str],
    *,
    now: datetime,
) -> list[bytes]:
    """Return bodies of as many messages as one may have: an event for each row settled just now.

    None for a destination: told of what it was told of, nobody would ever come to an end.
    """
    if channel.is_destination:
        return []
    shared = {"use_case": channel.name, "connector": channel.connector.name}
    messages = [
        {
            "type": "track",
            "event": EVENTS[delivery.outcome],
            "messageId": _message_id(claims[delivery.key]),
            "userId": claims[delivery.key].user_id,
            # What its receiver held went at its time, whenever that is put down.
            "timestamp": (claims[delivery.key].held_until or now).isoformat(),
            "properties": {
                "decision_id": delivery.key,
                **shared,
                "dispatch_id": delivery.dispatch_id,
                "reason": delivery.reason or None,
            },
        }
        for delivery in (result.delivery for result in results)
        if delivery.outcome in EVENTS
        and delivery.key in changed
        and not _is_held(delivery)
        and claims[delivery.key].recall != FORGOTTEN
    ]
    return [
        msgspec.json.encode({"batch": messages[start : start + LIMITS.messages]})
        for start in range(0, len(messages), LIMITS.messages)
    ]


def _message_id(claim: Claim) -> str:
    """The same at each attempt, so that a row comes back as one event each time it was opened."""
    again = f":{claim.reopened}" if claim.reopened else ""
    name = f"delivery:{claim.key}{again}"
    if len(name) <= LIMITS.message_id:
        return name
    return f"delivery:{blake2b(claim.key.encode(), digest_size=16).hexdigest()}{again}"
