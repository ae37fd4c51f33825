"""Use cases in which nothing is treated, looked at every day: how often a difference is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from opportune import stats
from opportune.errors import InvalidInput

__all__ = ["BadTrial", "FalseAlarms", "Trial", "false_alarms"]

NORMAL_95 = 1.959963984540054


class BadTrial(InvalidInput):
    """A simulated use case is of a size that tells nothing."""

    code = "bad_trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What each use case is like: new people a day, the share in control, and how many convert.

    Raises ``BadTrial`` unless both groups have somebody on each day.
    """

    days: int = 60
    people_a_day: int = 2000
    control_share: float = 0.1
    rate: float = 0.03

    def __post_init__(self) -> None:
        left = round(self.people_a_day * self.control_share)
        if not 1 <= left < self.people_a_day or self.days < 1 or not 0 < self.rate < 1:
            raise BadTrial(
                f"{self.people_a_day} people a day, {self.control_share:g} of them in control, a "
                f"rate of {self.rate:g} and {self.days} days given. Allowed: at least one person "
                "of each group a day, a rate between 0 and 1, one day or more."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseAlarms:
    """``alarms`` of ``use_cases`` once showed a difference that is not there, at any daily look.

    ``low`` and ``high`` are the 95 % interval of ``share`` (Wilson, 1927). ``last_day``: how many
    showed it on the last day.
    """

    use_cases: int
    alarms: int
    last_day: int
    share: float
    low: float
    high: float


def false_alarms(trial: Trial, *, use_cases: int, seed: int) -> FalseAlarms:
    """Look at ``use_cases`` A/A use cases every day with the interval of the reports.

    >>> false_alarms(Trial(days=3, people_a_day=200), use_cases=5, seed=1).alarms
    0
    """
    left = round(trial.people_a_day * trial.control_share)
    treated = trial.people_a_day - left
    random = np.random.default_rng(seed)
    outlook = stats.Outlook.of_rate(
        trial.rate, control_share=trial.control_share, units_a_day=trial.people_a_day
    )
    tightest_at = stats.tightest_for(outlook, days=trial.days)
    shape = (use_cases, trial.days)
    ours = random.binomial(treated, trial.rate, shape).cumsum(axis=1).tolist()
    theirs = random.binomial(left, trial.rate, shape).cumsum(axis=1).tolist()
    alarms = last_day = 0
    for one, other in zip(ours, theirs, strict=True):
        looks = [
            _found(
                _moments(successes, treated * day),
                _moments(control_successes, left * day),
                tightest_at,
            )
            for day, (successes, control_successes) in enumerate(zip(one, other, strict=True), 1)
        ]
        alarms += any(looks)
        last_day += looks[-1]
    low, high = _wilson(alarms, use_cases)
    return FalseAlarms(
        use_cases=use_cases,
        alarms=alarms,
        last_day=last_day,
        share=alarms / use_cases,
        low=low,
        high=high,
    )


def _moments(successes: int, people: int) -> stats.Moments:
    return stats.Moments(
        count=people, mean=successes / people, m2=successes - successes**2 / people
    )


def _found(treated: stats.Moments, control: stats.Moments, tightest_at: int) -> bool:
    lift = stats.lift(treated, control, method="any_look", tightest_at=tightest_at)
    return lift.low is not None and lift.high is not None and (lift.low > 0 or lift.high < 0)


def _wilson(found: int, of: int) -> tuple[float, float]:
    """The interval of a share (E. B. Wilson, "Probable inference", 1927)."""
    share, square = found / of, NORMAL_95**2
    middle = (share + square / (2 * of)) / (1 + square / of)
    reach = share * (1 - share) / of + square / (4 * of * of)
    width = NORMAL_95 / (1 + square / of) * math.sqrt(reach)
    # At the ends only rounding keeps the bound from the end itself.
    return middle - width if found else 0.0, middle + width if found < of else 1.0
