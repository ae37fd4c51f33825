"""Hand over what is due, so that no recommendation is lost and none is sent twice.

A row is reserved in its own transaction before anybody is called. An answer settles it. Where no
answer came, the row is *unknown*: it is not sent again before the receiver was asked what became of
it. What is known otherwise, from engagement or because somebody decided, comes before asking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import groupby

import msgspec

from opportune.activation.channel import Channel
from opportune.activation.end import end_left
from opportune.activation.model import Delivery, Request, Send
from opportune.activation.rates import calls_left, keep_window, take
from opportune.activation.resolve import resolved
from opportune.activation.withdraw import refused
from opportune.events import LIMITS, OURS
from opportune.storage import Frame, SegmentLog, State, fetch, load_sql

__all__ = ["abandon", "enquire", "send_due"]

# Longer than any batch of calls takes: a row whose lease has ended has lost its sender.
LEASE_S = 180.0
LONGEST_WAIT_S = 3600.0
# The receiver's clock may be behind ours by this much without a send being taken for unsent.
CLOCK_SKEW = timedelta(minutes=1)
# Messages reserved at once for a destination, all together.
MOST_BYTES = 64_000_000
# Looked through for quiet hours before each batch.
MOST_POSTPONED = 10_000
STATES = {"sent": "sent", "failed": "failed", "retry": "pending", "unknown": "unknown"}
EVENTS = {"sent": "Message Sent", "failed": "Message Failed"}


class _Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of the outbox that is this call's own as long as ``leased_until`` stays what it is."""

    key: str
    user_id: str
    properties: dict[str, str | int | float | bool]
    attempts: int
    attempted_at: datetime
    leased_until: datetime
    due_at: datetime
    profile_id: int = 0
    sequence: int = 0
    message: str = ""
    reopened: int = 0
    dispatch_id: str | None = None
    evidence: str | None = None
    choice: str | None = None
    chosen_by: str | None = None

    @property
    def send(self) -> Send:
        """What the connector hands over; a recommendation's key is the id of its decision."""
        return Send(
            key=self.key,
            decision_id=self.key,
            user_id=self.user_id,
            properties=self.properties,
            profile_id=self.profile_id,
            message=self.message,
        )


_CLAIMS = msgspec.json.Decoder(list[_Claim])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """A delivery, and the first key of its call: what was called together waits together."""

    delivery: Delivery
    first_key: str


def abandon(state: State, *, settle_s: float, takeover: bool) -> int:
    """Mark rows whose sender stopped as unknown and return how many changed.

    ``takeover``: also those whose lease still runs, and those that were just being asked about, for
    the one worker that knows that no other lives.
    """
    facts = {"settle_s": settle_s, "takeover": takeover, "lease_s": LEASE_S}
    if takeover:
        state.rows(load_sql("opportune.activation", "reopen_windows"))
    count: int = state.rows(load_sql("opportune.activation", "abandon"), facts)[0]["count"]
    return count


def send_due(
    state: State, channel: Channel, log: SegmentLog, *, now: datetime, pool: Executor
) -> Counter[str]:
    """Reserve and send one batch of what is due; returns how many ended how (none: idle).

    Where the connector cannot make requests, or the hour's calls are used up, nothing is reserved.
    When anything else raises, the rows stay reserved, and are asked about once their lease ended.
    """
    claims, requests = _reserve(state, channel, now)
    answers = list(pool.map(channel.call, requests))
    results = [
        _Result(delivery=delivery, first_key=request.keys[0])
        for request, answer in zip(requests, answers, strict=True)
        for delivery in channel.connector.deliveries(request, answer)
    ]
    keep_window(state, channel, answers)
    outcomes = _settle(state, channel, log, results, claims, now=now)
    channel.settled(requests)
    return outcomes


def enquire(
    state: State, channel: Channel, log: SegmentLog, *, now: datetime, pool: Executor
) -> Counter[str]:
    """Ask what became of one batch of unanswered sends; returns how many ended in each outcome."""
    facts = {"use_case": channel.name, "limit": channel.batch, "lease_s": LEASE_S}
    claims = _claims(state.rows(load_sql("opportune.activation", "enquire"), facts))
    known = [found for claim in claims.values() if (found := _known(claim)) is not None]
    results = [_Result(delivery=delivery, first_key=delivery.key) for delivery in known]
    settled = {delivery.key for delivery in known}
    open_claims = [claim for key, claim in claims.items() if key not in settled]
    # Asked per attempt, so that a receipt of one day cannot settle another day's send.
    by_attempt = sorted(open_claims, key=lambda claim: (claim.attempted_at, claim.key))
    for attempted_at, group in groupby(by_attempt, key=lambda claim: claim.attempted_at):
        sends = [claim.send for claim in group]
        results += _findings(channel, sends, attempted_at - CLOCK_SKEW, pool)
    return _settle(state, channel, log, results, claims, now=now)


def _known(claim: _Claim) -> Delivery | None:
    return resolved(
        claim.key,
        evidence=claim.evidence,
        choice=claim.choice,
        by=claim.chosen_by,
        dispatch_id=claim.dispatch_id,
    )


def _findings(
    channel: Channel, sends: Sequence[Send], since: datetime, pool: Executor
) -> list[_Result]:
    config = channel.config
    requests = channel.connector.enquiries(sends, config)
    if not requests:
        return [_Result(delivery=_harmless(send.key), first_key=sends[0].key) for send in sends]
    return [
        _Result(delivery=finding, first_key=request.keys[0])
        for request, answer in zip(requests, pool.map(channel.call, requests), strict=True)
        for finding in channel.connector.findings(request, answer, since=since, config=config)
    ]


def _harmless(key: str) -> Delivery:
    return Delivery(
        key=key,
        outcome="retry",
        reason="No answer came; it is sent again under the same id, by which a repeat is known.",
        dispatch_id=None,
        retry_after_s=None,
    )


def _reserve(
    state: State, channel: Channel, now: datetime
) -> tuple[Mapping[str, _Claim], Sequence[Request]]:
    """Claim a batch together with the calls it takes: both or, when it is rolled back, neither."""
    facts = {
        "use_case": channel.name,
        "now": now,
        "lease_s": LEASE_S,
        "limit": channel.batch,
        "together": channel.connector.batch_size,
        "most_bytes": MOST_BYTES,
        "postponed": MOST_POSTPONED,
    }
    reserve = "reserve_in_order" if channel.is_destination else "reserve"
    with state.transaction() as connection:
        fetch(connection, load_sql("opportune.activation", "lock_reserving"), facts)
        left = calls_left(connection, channel) * channel.connector.batch_size
        if not left:
            return {}, []
        facts["limit"] = min(channel.batch, left)
        if not channel.is_destination:
            fetch(connection, load_sql("opportune.activation", "postpone"), facts)
        if channel.audience is not None:
            end_left(connection, channel.name, channel.audience, now=now)
        claims = _claims(fetch(connection, load_sql("opportune.activation", reserve), facts))
        if without := refused(connection, list(claims)):
            claims = {key: claim for key, claim in claims.items() if key not in without}
        if not claims:
            return {}, []
        sends = [claim.send for claim in claims.values()]
        requests = channel.connector.requests(sends, channel.config)
        if not take(connection, channel, len(requests)):
            connection.rollback()
            return {}, []
    return claims, requests


def _claims(rows: Sequence[Mapping[str, str]]) -> dict[str, _Claim]:
    """Read rows that come as one JSON text: a thousand of them one by one would take ten times."""
    claims = _CLAIMS.decode(rows[0]["claims"])
    return {claim.key: claim for claim in sorted(claims, key=_place)}


def _place(claim: _Claim) -> tuple[int, str]:
    return claim.sequence, claim.key


def _settle(
    state: State,
    channel: Channel,
    log: SegmentLog,
    results: Sequence[_Result],
    claims: Mapping[str, _Claim],
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


def _patient(channel: Channel, result: _Result, claim: _Claim, now: datetime) -> _Result:
    """Give up what is to be sent again, but was tried too often or for too long."""
    delivery = result.delivery
    if delivery.outcome != "retry" or channel.patience is None:
        return result
    attempts = claim.attempts - int(_is_uncounted(delivery))
    if not channel.patience.is_over(attempts=attempts, due_at=claim.due_at, now=now):
        return result
    reason = f"Given up at try {claim.attempts}. {delivery.reason}"
    return replace(result, delivery=replace(delivery, outcome="failed", reason=reason))


def _settlement(channel: Channel, results: Sequence[_Result], claims: Mapping[str, _Claim]) -> str:
    """Write what became of each row as one JSON text, the shape that ``settle.sql`` reads."""
    rows = [
        {
            "key": result.delivery.key,
            "state": STATES[result.delivery.outcome],
            "reason": _kept(result.delivery.reason),
            "dispatch_id": _kept(result.delivery.dispatch_id),
            "wait_s": _wait_s(channel, result, claims[result.delivery.key]),
            "uncounted": int(_is_uncounted(result.delivery)),
            "leased_until": claims[result.delivery.key].leased_until,
        }
        for result in results
    ]
    return msgspec.json.encode(rows).decode()


def _kept(text: str | None) -> str | None:
    """A receiver's words, without what no database holds: NUL, and halves of a character."""
    if text is None:
        return None
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _is_uncounted(delivery: Delivery) -> bool:
    """A refusal that says when to come back (a bad key, a rate limit) is no failed try."""
    return delivery.outcome == "retry" and delivery.retry_after_s is not None


def _wait_s(channel: Channel, result: _Result, claim: _Claim) -> float:
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
    results: Sequence[_Result],
    claims: Mapping[str, _Claim],
    changed: set[str],
    *,
    now: datetime,
) -> list[bytes]:
    """Return bodies of as many messages as one may have: an event for each row settled just now.

    None for a destination: told of what it was told of, nobody would ever come to an end.
    """
    if channel.is_destination:
        return []
    timestamp = now.isoformat()
    shared = {"use_case": channel.name, "connector": channel.connector.name}
    messages = [
        {
            "type": "track",
            "event": EVENTS[delivery.outcome],
            "messageId": _message_id(claims[delivery.key]),
            "userId": claims[delivery.key].user_id,
            "timestamp": timestamp,
            "properties": {
                "decision_id": delivery.key,
                **shared,
                "dispatch_id": delivery.dispatch_id,
                "reason": delivery.reason or None,
            },
        }
        for delivery in (result.delivery for result in results)
        if delivery.outcome in EVENTS and delivery.key in changed
    ]
    return [
        msgspec.json.encode({"batch": messages[start : start + LIMITS.messages]})
        for start in range(0, len(messages), LIMITS.messages)
    ]


def _message_id(claim: _Claim) -> str:
    """The same at each attempt, so that a row comes back as one event each time it was opened."""
    again = f":{claim.reopened}" if claim.reopened else ""
    name = f"delivery:{claim.key}{again}"
    if len(name) <= LIMITS.message_id:
        return name
    return f"delivery:{blake2b(claim.key.encode(), digest_size=16).hexdigest()}{again}"
