"""How long the rewards of a use case took to come: counted on the days that have all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from opportune import stats
from opportune.decisions.model import UseCase
from opportune.events import Metric
from opportune.storage import Stores, load_sql

__all__ = ["RewardDelays", "reward_delays"]

# Long enough for a steady curve, short enough to follow when customers change.
DAYS = 60
HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardDelays:
    """``delays`` of the rewarded decisions from the day ``since`` to the day ``until``.

    Both None where none was rewarded.
    """

    delays: stats.Delays
    since: date | None
    until: date | None


def reward_delays(
    stores: Stores, use_case: UseCase, metric: Metric, *, before: date
) -> RewardDelays:
    """Count in which hour of their window decisions had their first reward of ``metric``.

    Over some 60 mature days before ``before``, of every variant. Rewards from before the times were
    kept do not count, nor what came before the window began.
    """
    hours = metric.window_days * 24
    none = RewardDelays(delays=stats.Delays(counts=(0,) * hours), since=None, until=None)
    if not (stores.lake.folder / "rewards").is_dir():
        return none
    if "first_at_us" not in stores.lake.schema("rewards").names:
        # No worker of this version has run on this folder yet.
        return none
    earliest = before - timedelta(days=DAYS + metric.window_days)
    found = stores.engine.query(
        load_sql("opportune.decisions", "delays"),
        {
            "use_case": use_case.name,
            "metric": metric.name,
            "since": earliest.isoformat(),
            "before": before.isoformat(),
            "window_us": hours * HOUR_US,
        },
        tables={"rewards": ("day", earliest, before)},
    )
    if not found.num_rows:
        return none
    counts = np.zeros(hours, dtype=np.int64)
    np.add.at(counts, found["hour"].to_numpy(), found["rewarded"].to_numpy())
    days = found["day"].to_pylist()
    return RewardDelays(
        delays=stats.Delays(counts=tuple(counts.tolist())), since=days[0], until=days[-1]
    )
