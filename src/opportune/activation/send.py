"""Hand over what is due, so that no recommendation is lost and none is sent twice.

A row is reserved in its own transaction before anybody is called. An answer settles it. Where no
answer came, the row is *unknown*: it is not sent again before the receiver was asked what became of
it. What is known otherwise, from engagement or because somebody decided, comes before asking.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from itertools import groupby

from opportune.activation.channel import Channel
from opportune.activation.claims import LEASE_S, Claim, read_claims
from opportune.activation.end import end_left
from opportune.activation.model import Delivery, Request, Send
from opportune.activation.rates import calls_left, keep_window, take
from opportune.activation.resolve import resolved
from opportune.activation.settle import Result, settle
from opportune.activation.withdraw import refused
from opportune.storage import SegmentLog, State, fetch, load_sql

__all__ = ["abandon", "enquire", "send_due"]

# The receiver's clock may be behind ours by this much without a send being taken for unsent.
CLOCK_SKEW = timedelta(minutes=1)
# Messages reserved at once for a destination, all together.
MOST_BYTES = 64_000_000
# Looked through for quiet hours before each batch.
MOST_POSTPONED = 10_000


def abandon(state: State, *, settle_s: float, takeover: bool) -> int:
    """Mark rows whose sender stopped as unknown and return how many changed.

    ``takeover``: also those whose lease still runs, and those that were just being asked about, for
    the one worker that knows that no other lives.
    """
    facts = {"settle_s": settle_s, "takeover": takeover, "lease_s": LEASE_S}
    if takeover:
        state.rows(load_sql("opportune.activation", "reopen_windows"))
        state.rows(load_sql("opportune.activation", "release_recalls"))
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
        Result(delivery=delivery, first_key=request.keys[0])
        for request, answer in zip(requests, answers, strict=True)
        for delivery in channel.connector.deliveries(request, answer)
    ]
    keep_window(state, channel, answers)
    outcomes = settle(state, channel, log, results, claims, now=now)
    channel.settled(requests)
    return outcomes


def enquire(
    state: State, channel: Channel, log: SegmentLog, *, now: datetime, pool: Executor
) -> Counter[str]:
    """Ask what became of one batch of unanswered sends; returns how many ended in each outcome."""
    facts = {
        "use_case": channel.name,
        "now": now,
        "limit": channel.batch,
        "lease_s": LEASE_S,
        "settle_s": channel.settle_s,
        "skew_s": CLOCK_SKEW.total_seconds(),
    }
    claims = read_claims(state.rows(load_sql("opportune.activation", "enquire"), facts))
    known = [found for claim in claims.values() if (found := _known(claim)) is not None]
    results = [Result(delivery=delivery, first_key=delivery.key) for delivery in known]
    settled = {delivery.key for delivery in known}
    open_claims = [claim for key, claim in claims.items() if key not in settled]
    # Asked per attempt, so that a receipt of one day cannot settle another day's send.
    by_attempt = sorted(open_claims, key=lambda claim: (claim.since, claim.key))
    for since, group in groupby(by_attempt, key=lambda claim: claim.since):
        sends = [claim.send for claim in group]
        results += _findings(channel, sends, since - CLOCK_SKEW, pool)
    return settle(state, channel, log, results, claims, now=now)


def _known(claim: Claim) -> Delivery | None:
    return resolved(
        claim.key,
        evidence=claim.evidence,
        choice=claim.choice,
        by=claim.chosen_by,
        dispatch_id=claim.dispatch_id,
    )


def _findings(
    channel: Channel, sends: Sequence[Send], since: datetime, pool: Executor
) -> list[Result]:
    config = channel.config
    requests = channel.connector.enquiries(sends, config)
    if not requests:
        return [Result(delivery=_harmless(send.key), first_key=sends[0].key) for send in sends]
    return [
        Result(delivery=finding, first_key=request.keys[0])
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
) -> tuple[Mapping[str, Claim], Sequence[Request]]:
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
        claims = read_claims(fetch(connection, load_sql("opportune.activation", reserve), facts))
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
