"""What a receiver holds until its time: put down as sent when that comes, or taken back before.

Asking for it back does no harm twice and is repeated until its time. What was not surely given back
is never called so: it is ambiguous, and asked about like a call without an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

from opportune.activation.channel import CALLS_A_BATCH, Channel
from opportune.activation.claims import LEASE_S, Claim, read_claims
from opportune.activation.end import recall_left
from opportune.activation.model import Delivery, Outcome, Recall, Scheduling
from opportune.activation.rates import calls_left, keep_window, take
from opportune.activation.settle import FORGOTTEN, Result, kept, settle
from opportune.activation.withdraw import recall_refused
from opportune.storage import Connection, SegmentLog, State, fetch, load_sql

__all__ = ["CLOSE", "follow_held"]

ROOM = "opportune.activation"
CLOSE = timedelta(minutes=5)
"""Given back later than this before its time, it may have gone; longer than a lease."""
LOOK_EVERY_S = 60.0
RETRY_S = 30.0
MOST_AT_ONCE = 10_000


def follow_held(
    state: State, channel: Channel, log: SegmentLog, *, now: datetime, pool: Executor
) -> int:
    """Put down what a receiver held and whose time has come, and take back what is to come back.

    Also of a use case that lets nothing be held any more. Returns how many rows it was about.
    """
    facts = {"use_case": channel.name, "now": now, "lease_s": LEASE_S, "limit": MOST_AT_ONCE}
    if not state.rows(load_sql(ROOM, "any_held"), facts)[0]["is_any"]:
        return 0
    arrived = read_claims(state.rows(load_sql(ROOM, "arrive"), facts))
    results = [Result(delivery=_arrived(each), first_key=each.key) for each in arrived.values()]
    settle(state, channel, log, results, arrived, now=now)
    if not isinstance(channel.connector, Scheduling):
        return len(arrived)
    with state.transaction() as connection:
        _look_again(connection, channel, facts)
    return len(arrived) + _take_back(state, channel, channel.connector, now=now, pool=pool)


def _arrived(claim: Claim) -> Delivery:
    """Say what became of what was held, now that its time has come or engagement has told."""
    outcome: Outcome = "sent"
    reason = ""
    if claim.evidence == "aborted":
        outcome, reason = "failed", "Braze reports that it aborted the message."
    elif claim.recall is not None and (claim.evidence is not None or claim.recalled_at is None):
        reason = f"It was too late to take it back{_why(claim)}."
    elif claim.recall is not None:
        outcome = "failed" if claim.recall == FORGOTTEN else "unknown"
        reason = f"Its time came while it was taken back{_why(claim)}: it went out, or not."
    return Delivery(
        key=claim.key, outcome=outcome, reason=reason, dispatch_id=None, retry_after_s=None
    )


def _why(claim: Claim) -> str:
    return f" ({claim.recall})" if claim.recall else ""


def _look_again(connection: Connection, channel: Channel, facts: Mapping[str, object]) -> None:
    """Once a minute, recall what is of people who left or do not allow it any more.

    Identifiers that are joined or cut change what a profile allows, and no statement tells of it.
    """
    once = {
        "name": f"look:{channel.name}",
        "tokens": 1.0,
        "capacity": 1.0,
        "per_second": 1 / LOOK_EVERY_S,
    }
    if not fetch(connection, load_sql(ROOM, "take_tokens"), once):
        return
    if channel.audience is not None:
        recall_left(connection, channel.audience, facts)
    held = fetch(connection, load_sql(ROOM, "held_with_purpose"), facts)
    recall_refused(connection, [row["key"] for row in held])


def _take_back(
    state: State, channel: Channel, connector: Scheduling, *, now: datetime, pool: Executor
) -> int:
    facts = {"use_case": channel.name, "now": now, "lease_s": LEASE_S}
    with state.transaction() as connection:
        fetch(connection, load_sql(ROOM, "lock_reserving"), facts)
        facts["limit"] = min(CALLS_A_BATCH, calls_left(connection, channel))
        claims = read_claims(fetch(connection, load_sql(ROOM, "reserve_recalls"), facts))
        groups = [list(group) for _, group in groupby(sorted(claims.values(), key=_named), _named)]
        if not groups:
            return 0
        if not take(connection, channel, len(groups)):
            connection.rollback()
            return 0
    requests = [connector.recall(_named(each[0]), [row.key for row in each]) for each in groups]
    answers = list(pool.map(channel.call, requests))
    keep_window(state, channel, answers)
    rows = [
        _given_back(claim, said, now=now, settle_s=channel.settle_s)
        for group, request, answer in zip(groups, requests, answers, strict=True)
        for said in [connector.recalled(request, answer)]
        for claim in group
    ]
    state.rows(load_sql(ROOM, "recalled"), {"results": msgspec.json.encode(rows).decode()})
    return len(rows)


def _named(claim: Claim) -> str:
    return claim.schedule_id or ""


def _given_back(claim: Claim, said: Recall, *, now: datetime, settle_s: float) -> dict[str, object]:
    """Return what becomes of a row, in the shape that ``recalled.sql`` reads."""
    told, why, asked_at = kept(said.reason), _why(claim), claim.recalled_at
    wait_s = settle_s if said.retry_after_s is None else said.retry_after_s
    reason: str | None
    in_time = claim.held_until is not None and claim.held_until - now >= CLOSE
    if said.outcome == "retry":
        state, reason = "scheduled", f"It is still to be taken back{why}. {told}"
        wait_s = RETRY_S if said.retry_after_s is None else said.retry_after_s
    elif said.outcome == "unknown":
        state, asked_at = "scheduled", now
        reason = f"Taking it back{why} was not answered; it is asked again until its time. {told}"
    elif said.outcome == "refused" or not in_time:
        state, asked_at = "failed" if claim.recall == FORGOTTEN else "unknown", now
        reason = (
            f"It could not be taken back{why}. {told}"
            if said.outcome == "refused"
            else f"It was taken back{why} so close to its time that it may have gone out."
        )
    else:
        state, reason, wait_s = ("failed" if claim.recall else "pending"), claim.recall or None, 0.0
    return {
        "key": claim.key,
        "state": state,
        "reason": reason,
        "recalled_at": asked_at,
        "wait_s": wait_s,
        "leased_until": claim.leased_until,
    }
