"""Rewards of days whose window is still open: what came so far, and which share that should be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np

from opportune import policies, profiles, stats
from opportune.decisions import MOST_DAYS_AHEAD, UseCase, reward_delays
from opportune.events import Metric
from opportune.learning.lessons import in_span
from opportune.learning.reward import DAY_US, EPOCH, Span, earned
from opportune.storage import Stores, load_sql

__all__ = ["MOST_WAITING", "earliest_open", "waiting"]

MOST_WAITING = 1_000_000
"""So many open decisions teach a day's policy, of whole days, the oldest first."""

HOUR_US = 3_600_000_000
LEAST_WINDOW_DAYS = 2


def waiting(
    stores: Stores,
    use_case: UseCase,
    metric: Metric,
    days: tuple[date | None, date],
    *,
    versions: Sequence[int],
    now: datetime,
) -> policies.Batch | None:
    """Return the decisions after the last day learned and before today (``days``), as of ``now``.

    Rewards are what they earned so far; ``arrived`` is the share of all rewards that decisions of
    mature days had by the age that each row has at ``now`` (`reward_delays`). A decision of which
    nothing can have come yet is left out. None where nothing waits, where the window is of one day,
    and where the curve of delays is not known: with fewer than `stats.LEAST_REWARDS`, or for a
    calculated metric.
    """
    after, day = days
    if metric.window_days < LEAST_WINDOW_DAYS:
        return None
    delays = reward_delays(stores, use_case, metric, before=day).delays
    if delays.rewarded < stats.LEAST_REWARDS:
        return None
    now_us = (now - EPOCH) // timedelta(microseconds=1)
    earliest = earliest_open(metric, day)
    since = earliest if after is None else max(earliest, after + timedelta(days=1))
    span = _open(stores, use_case, metric, (since, day, versions), now_us)
    if span is None:
        return None
    # The lake has the same columns; what these rows will come to is not known yet.
    so_far = earned(stores, use_case, metric, span, profiles.identifiers(stores.state))
    batch, began_us = in_span(
        stores, use_case, metric, (span.since, span.until), versions=versions, rewards=so_far
    )
    shares = stats.arrived_shares(delays, (now_us - began_us) / HOUR_US)
    seen = shares > 0
    return replace(batch.take(seen), arrived=shares[seen]) if seen.any() else None


def earliest_open(metric: Metric, day: date) -> date:
    """The first day of which a decision may still wait for its reward on ``day``."""
    return day - timedelta(days=metric.window_days + MOST_DAYS_AHEAD + 1)


def _open(
    stores: Stores,
    use_case: UseCase,
    metric: Metric,
    asked: tuple[date, date, Sequence[int]],
    now_us: int,
) -> Span | None:
    """The oldest days from the first asked for that do not have too many decisions together."""
    since, before, versions = asked
    days = stores.engine.query(
        load_sql("opportune.learning", "open_days"),
        {
            "use_case": use_case.name,
            "versions": list(versions),
            "since": since.isoformat(),
            "before": before.isoformat(),
        },
        tables={"decisions": ("day", since, before)},
    )
    most = int(np.searchsorted(np.cumsum(days["lessons"].to_numpy()), MOST_WAITING, side="right"))
    days = days.slice(0, max(most, 1))
    if not sum(days["lessons"].to_pylist()):
        return None
    last_us = max(days["last_us"].to_pylist()) + metric.window_days * DAY_US
    return Span(
        since=days["day"][0].as_py(),
        until=days["day"][-1].as_py(),
        from_us=min(days["first_us"].to_pylist()),
        to_us=min(last_us, now_us),
    )
