"""What a use case earned as time went on: rolling means, and the lift as of each mature day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal, get_args

from opportune import stats
from opportune.errors import InvalidInput
from opportune.reports.model import DayOfVariant, DayResult
from opportune.reports.summary import DaySummary, Totals

__all__ = [
    "NOBODY",
    "InvalidRolling",
    "LiftOfDay",
    "Rolling",
    "check_rolling",
    "lift_by_day",
    "moments_of",
    "rolled",
    "tightest_at",
]

Rolling = Literal[1, 7, 30]

# The interval is tightest at so many times the profiles of the first day: between an audience that
# stays the same and one that is new on each day of two months it is at most a tenth too wide.
TIMES_FIRST_DAY = 4
NOBODY = Totals(
    profiles=0, rewarded=0, reward_sum=0.0, reward_mean=0.0, m2=0.0, net_mean=0.0, net_m2=0.0
)


class InvalidRolling(InvalidInput):
    """A report was asked for means over a number of days that it does not have."""

    code = "invalid_rolling"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftOfDay:
    """The lift as of ``day``: over all mature days up to it.

    Its interval holds at any look, so that of all days together hold with one confidence.
    """

    day: date
    lift: stats.Lift


def check_rolling(days: int) -> Rolling:
    """Return ``days`` where a trend can be rolled over so many. Raises ``InvalidRolling``."""
    allowed: tuple[Rolling, ...] = get_args(Rolling)
    for each in allowed:
        if days == each:
            return each
    raise InvalidRolling(f"rolling is {days} days. Allowed: 1, 7 or 30.")


def rolled(
    days: Sequence[DaySummary], shown: Sequence[DayResult], *, rolling: Rolling
) -> tuple[DayResult, ...]:
    """Return ``shown`` with means over the mature days among the last ``rolling`` up to each.

    A mean is the sum of all rewards over that of all decisions; it is None on a day that is not
    mature. With one day it is that of the day itself.
    """
    if rolling == 1:
        return tuple(shown)
    return tuple(
        replace(
            each,
            treatment=_rolled(days, each, each.treatment, "treatment", rolling=rolling),
            control=_rolled(days, each, each.control, "control", rolling=rolling),
        )
        for each in shown
    )


def lift_by_day(days: Sequence[DaySummary]) -> tuple[LiftOfDay, ...]:
    """Return the lift as of each mature day of ``days``, which begin with the first of all."""
    tightest = tightest_at(days)
    return tuple(
        LiftOfDay(day=each.day, lift=_lift(each.totals, tightest))
        for each in days
        if each.totals is not None
    )


def moments_of(totals: Totals) -> stats.Moments:
    """The evidence of a variant: one value a profile."""
    return stats.Moments(count=totals.profiles, mean=totals.reward_mean, m2=totals.m2)


def tightest_at(days: Sequence[DaySummary]) -> int:
    """Chosen from what is known before any reward is: how many were decided for on the first day.

    Erasing people changes it by as little as it changes the evidence.
    """
    first = days[0].decisions if days else 0
    return TIMES_FIRST_DAY * first if first else stats.TIGHTEST_AT


def _rolled(
    days: Sequence[DaySummary],
    shown: DayResult,
    of_day: DayOfVariant,
    variant: str,
    *,
    rolling: int,
) -> DayOfVariant:
    since = shown.day - timedelta(days=rolling - 1)
    earned = [
        each.earned[variant]
        for each in days
        if since <= each.day <= shown.day and each.earned is not None and variant in each.earned
    ]
    decisions = sum(each.decisions for each in earned)
    mean = sum(each.reward_sum for each in earned) / decisions if decisions else None
    return replace(of_day, reward_mean=mean if shown.mature else None)


def _lift(totals: Mapping[str, Totals], tightest: int) -> stats.Lift:
    treated, held_out = (moments_of(totals.get(name, NOBODY)) for name in ("treatment", "control"))
    return stats.lift(treated, held_out, method="any_look", tightest_at=tightest)
