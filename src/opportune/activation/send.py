"""Hand over what is due, so that no recommendation is lost and none is sent twice.

A row is reserved in its own transaction before anybody is called. An answer settles it. Where no
answer came, the row is *unknown*: it is not sent again before the receiver was asked what became of
it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import groupby

import msgspec

from opportune.activation.model import Answer, Connector, Delivery, Request, Send
from opportune.activation.withdraw import refused
from opportune.decisions import UseCase
from opportune.events import LIMITS
from opportune.storage import Frame, SegmentLog, State, fetch, load_sql

__all__ = ["Channel", "abandon", "enquire", "send_due"]

# Longer than any batch of calls takes: a row whose lease has ended has lost its sender.
LEASE_S = 180.0
LONGEST_WAIT_S = 3600.0
# The receiver's clock may be behind ours by this much without a send being taken for unsent.
CLOCK_SKEW = timedelta(minutes=1)
CALLS_AT_ONCE = 8
# Three calls one after the other on each connection: time enough for the next round to be worth it.
CALLS_A_BATCH = 3 * CALLS_AT_ONCE
STATES = {"sent": "sent", "failed": "failed", "retry": "pending", "unknown": "unknown"}
EVENTS = {"sent": "Message Sent", "failed": "Message Failed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """How one use case reaches its receiver: ``call`` makes a request and never raises.

    ``settle_s``: seconds after which the receiver can say what became of a call that it did not
    answer. Longer than any call may take, or a call still under way is taken for one never made.
    """

    use_case: UseCase
    connector: Connector
    call: Callable[[Request], Answer]
    settle_s: float

    @property
    def batch(self) -> int:
        """How many rows are reserved at once: enough to keep every connection busy for a while."""
        allowed = int(self.connector.calls_per_hour / 2)
        return self.connector.batch_size * max(1, min(CALLS_A_BATCH, allowed))


class _Claim(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row of the outbox that is this call's own as long as ``leased_until`` stays what it is."""

    key: str
    user_id: str
    properties: dict[str, str]
    attempts: int
    attempted_at: datetime
    leased_until: datetime

    @property
    def send(self) -> Send:
        """What the connector hands over; a row's key is the id of its decision."""
        return Send(
            key=self.key,
            decision_id=self.key,
            user_id=self.user_id,
            properties=self.properties,
        )


_CLAIMS = msgspec.json.Decoder(list[_Claim])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Result:
    """A delivery, and the first key of its call: what was called together waits together."""

    delivery: Delivery
    first_key: str


def abandon(state: State, *, settle_s: float, takeover: bool) -> int:
    """Mark rows whose sender stopped as unknown and return how many.

    ``takeover``: also those whose lease still runs, for the one worker that knows that no other
    lives.
    """
    facts = {"settle_s": settle_s, "takeover": takeover}
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
    results = [
        _Result(delivery=delivery, first_key=request.keys[0])
        for request, answer in zip(requests, pool.map(channel.call, requests), strict=True)
        for delivery in channel.connector.deliveries(request, answer)
    ]
    return _settle(state, channel, log, results, claims, now=now)


def enquire(
    state: State, channel: Channel, log: SegmentLog, *, now: datetime, pool: Executor
) -> Counter[str]:
    """Ask what became of one batch of unanswered sends; returns how many ended in each outcome."""
    facts = {"use_case": channel.use_case.name, "limit": channel.batch, "lease_s": LEASE_S}
    claims = _claims(state.rows(load_sql("opportune.activation", "enquire"), facts))
    results: list[_Result] = []
    # Asked per attempt, so that a receipt of one day cannot settle another day's send.
    by_attempt = sorted(claims.values(), key=lambda claim: (claim.attempted_at, claim.key))
    for attempted_at, group in groupby(by_attempt, key=lambda claim: claim.attempted_at):
        sends = [claim.send for claim in group]
        results += _findings(channel, sends, attempted_at - CLOCK_SKEW, pool)
    return _settle(state, channel, log, results, claims, now=now)


def _findings(
    channel: Channel, sends: Sequence[Send], since: datetime, pool: Executor
) -> list[_Result]:
    config = channel.use_case.activation.config
    requests = channel.connector.enquiries(sends, config)
    return [
        _Result(delivery=finding, first_key=request.keys[0])
        for request, answer in zip(requests, pool.map(channel.call, requests), strict=True)
        for finding in channel.connector.findings(request, answer, since=since, config=config)
    ]


def _reserve(
    state: State, channel: Channel, now: datetime
) -> tuple[Mapping[str, _Claim], Sequence[Request]]:
    """Claim a batch together with the calls it takes: both or, when it is rolled back, neither."""
    facts = {
        "use_case": channel.use_case.name,
        "now": now,
        "lease_s": LEASE_S,
        "limit": channel.batch,
    }
    with state.transaction() as connection:
        fetch(connection, load_sql("opportune.activation", "lock_reserving"), facts)
        claims = _claims(fetch(connection, load_sql("opportune.activation", "reserve"), facts))
        if without := refused(connection, list(claims)):
            claims = {key: claim for key, claim in claims.items() if key not in without}
        if not claims:
            return {}, []
        sends = [claim.send for claim in claims.values()]
        requests = channel.connector.requests(sends, channel.use_case.activation.config)
        tokens = _tokens(channel.connector, len(requests))
        if not fetch(connection, load_sql("opportune.activation", "take_tokens"), tokens):
            connection.rollback()
            return {}, []
    return claims, requests


def _tokens(connector: Connector, calls: int) -> dict[str, object]:
    # Half an hour's allowance at once and half spread over it can never exceed a clock hour's.
    half = connector.calls_per_hour / 2
    capacity = max(1.0, half)
    return {
        "name": f"send:{connector.name}",
        "tokens": min(calls, capacity),
        "capacity": capacity,
        "per_second": half / 3600,
    }


def _claims(rows: Sequence[Mapping[str, str]]) -> dict[str, _Claim]:
    """Read rows that come as one JSON text: a thousand of them one by one would take ten times."""
    claims = _CLAIMS.decode(rows[0]["claims"])
    return {claim.key: claim for claim in sorted(claims, key=lambda claim: claim.key)}


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
    with state.transaction() as connection:
        facts = {"deliveries": _settlement(channel, results, claims)}
        rows = fetch(connection, load_sql("opportune.activation", "settle"), facts)
        changed = {row["key"] for row in rows}
        for body in _events(channel, results, claims, changed, now=now):
            frame = Frame(
                received_at_us=int(now.timestamp() * 1_000_000),
                source_id="opportune",
                kind="batch",
                body=body,
            )
            log.append(frame).result()
    return Counter(result.delivery.outcome for result in results)


def _settlement(channel: Channel, results: Sequence[_Result], claims: Mapping[str, _Claim]) -> str:
    """Write what became of each row as one JSON text, the shape that ``settle.sql`` reads."""
    rows = [
        {
            "key": result.delivery.key,
            "state": STATES[result.delivery.outcome],
            "reason": result.delivery.reason,
            "dispatch_id": result.delivery.dispatch_id,
            "wait_s": _wait_s(channel, result, claims[result.delivery.key]),
            "uncounted": int(_is_uncounted(result.delivery)),
            "leased_until": claims[result.delivery.key].leased_until,
        }
        for result in results
    ]
    return msgspec.json.encode(rows).decode()


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
    """Return bodies of as many messages as one may have: an event for each row settled just now."""
    timestamp = now.isoformat()
    shared = {"use_case": channel.use_case.name, "connector": channel.connector.name}
    messages = [
        {
            "type": "track",
            "event": EVENTS[delivery.outcome],
            "messageId": _message_id(delivery.key),
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


def _message_id(key: str) -> str:
    """The same at each attempt, so that a row comes back as one event."""
    name = f"delivery:{key}"
    if len(name) <= LIMITS.message_id:
        return name
    return f"delivery:{blake2b(key.encode(), digest_size=16).hexdigest()}"
