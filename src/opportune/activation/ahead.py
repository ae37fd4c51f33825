"""Let a receiver hold sends until their time.

Handing over ahead is a send like any other: reserved before the call, never repeated blindly. Only
what may be held shows nothing before its time, so that a call without an answer is asked about
then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from itertools import groupby

from opportune.activation.channel import CALLS_A_BATCH, Channel
from opportune.activation.claims import LEASE_S, Claim, read_claims
from opportune.activation.model import Request, Scheduling
from opportune.activation.rates import calls_left, keep_window, take
from opportune.activation.settle import Result, settle
from opportune.activation.withdraw import refused
from opportune.storage import SegmentLog, State, fetch, load_sql

__all__ = ["SOONEST", "hand_over_ahead"]

ROOM = "opportune.activation"
SOONEST = timedelta(minutes=15)
"""What is due sooner is not worth handing over: it waits here and is sent directly."""


def hand_over_ahead(
    state: State, channel: Channel, log: SegmentLog, *, now: datetime, pool: Executor
) -> Counter[str]:
    """Have one batch of what waits for its time held by its receiver; returns how many ended how.

    "sent" is what it holds now. What is due sooner than ``SOONEST`` stays here.
    """
    connector = channel.connector
    if not channel.schedules or not isinstance(connector, Scheduling):
        return Counter()
    claims, requests = _reserve(state, channel, connector, now)
    answers = list(pool.map(channel.call, requests))
    results = [
        Result(delivery=delivery, first_key=request.keys[0])
        for request, answer in zip(requests, answers, strict=True)
        for delivery in connector.scheduled(request, answer)
    ]
    keep_window(state, channel, answers)
    return settle(state, channel, log, results, claims, now=now)


def _reserve(
    state: State, channel: Channel, connector: Scheduling, now: datetime
) -> tuple[Mapping[str, Claim], Sequence[Request]]:
    """Claim a batch together with the calls it takes: both or, when it is rolled back, neither."""
    together = channel.connector.batch_size
    facts = {
        "use_case": channel.name,
        "now": now,
        "soonest": now + SOONEST,
        "lease_s": LEASE_S,
        "together": together,
        "alone": channel.alone,
    }
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_reserving"), facts)
        calls = min(CALLS_A_BATCH, calls_left(connection, channel))
        facts |= {"calls": calls, "limit": calls if channel.alone else calls * together}
        claims = read_claims(fetch(connection, load_sql(ROOM, "reserve_ahead"), facts))
        if without := refused(connection, list(claims)):
            claims = {key: claim for key, claim in claims.items() if key not in without}
        if not claims:
            return {}, []
        requests = _requests(channel, connector, claims.values())
        if not take(connection, channel, len(requests)):
            connection.rollback()
            return {}, []
    return claims, requests


def _requests(channel: Channel, connector: Scheduling, claims: Iterable[Claim]) -> list[Request]:
    """Write the calls: what has one time together, but alone what may have to come back alone."""
    requests = []
    for _, group in groupby(sorted(claims, key=_order), key=lambda each: _order(each)[:2]):
        same = list(group)
        for part in [[each] for each in same] if same[0].alone else [same]:
            sends = [claim.send for claim in part]
            requests += connector.schedules(sends, channel.config, at=same[0].due_at)
    return requests


def _order(claim: Claim) -> tuple[datetime, bool, str]:
    return claim.due_at, claim.alone, claim.key
