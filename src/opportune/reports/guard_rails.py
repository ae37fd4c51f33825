"""What must not happen, and how far it is from happening: the newest look at each guard rail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

from opportune import stats
from opportune.decisions import FEWEST_AFFECTED, GuardLook, UseCase, confidence_at, guard_looks
from opportune.events import Metric
from opportune.storage import State

__all__ = ["GuardRailResult", "guard_rails"]

# Found by chance among those that are found, on average.
FALSE_SHARE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRailResult:
    """A guard rail as it was looked at before ``day`` was decided; all None: not looked at yet.

    ``value`` is the mean per recipient of the last ``days`` days, in ``unit``; ``low`` and ``high``
    hold at every look with 95 % confidence. ``p_value`` is the chance to see such a mean, or one
    farther beyond the limit, at any look where the limit is kept; ``adjusted`` is that with all
    guard rails judged together (Benjamini and Hochberg). ``verdict`` "broken": the interval is
    beyond the limit, and the use case stops; "doubtful": the value is, and it may be chance.
    """

    metric: str
    unit: str
    direction: str
    limit: float
    days: int
    day: date | None
    recipients: int
    value: float | None
    low: float | None
    high: float | None
    p_value: float
    adjusted: float
    found: bool
    verdict: Literal["broken", "doubtful", "kept", "too_early"]


def guard_rails(
    state: State, use_case: UseCase, metrics: Mapping[str, Metric]
) -> tuple[GuardRailResult, ...]:
    """Return the guard rails of ``use_case`` in their order, as they were seen last."""
    seen = {(each.metric, each.direction): each for each in guard_looks(state, use_case)}
    looks = [seen.get((rail.metric, rail.direction)) for rail in use_case.guard_rails]
    chances = {str(place): _chance(each) for place, each in enumerate(looks)}
    judged = stats.discoveries(chances, false_share=FALSE_SHARE)
    found = []
    for place, (rail, look) in enumerate(zip(use_case.guard_rails, looks, strict=True)):
        interval = None if look is None else _interval(look)
        together = judged[str(place)]
        metric = metrics.get(rail.metric)
        found.append(
            GuardRailResult(
                metric=rail.metric,
                unit=metric.unit if metric is not None else rail.metric,
                direction=rail.direction,
                limit=rail.limit,
                days=rail.days,
                day=None if look is None else look.day,
                recipients=0 if look is None else look.recipients,
                value=None if interval is None else interval.value,
                low=None if interval is None else interval.low,
                high=None if interval is None else interval.high,
                p_value=together.p_value,
                adjusted=together.adjusted,
                found=together.found,
                verdict=_verdict(look, interval),
            )
        )
    return tuple(found)


def _evidence(look: GuardLook) -> stats.Moments:
    return stats.Moments(count=look.recipients, mean=look.mean, m2=look.m2)


def _interval(look: GuardLook) -> stats.Interval:
    return stats.mean_interval(_evidence(look), confidence=confidence_at(look.look), method="fixed")


def _chance(look: GuardLook | None) -> float:
    """Of a mean so far beyond the limit at any look: that of this one, times what it may spend."""
    if look is None or look.affected < FEWEST_AFFECTED or not _is_beyond(look):
        return 1.0
    spent = 1.0 - confidence_at(look.look)
    chance = stats.chance_beyond(_evidence(look), look.limit)
    return min(1.0, chance * FALSE_SHARE / spent)


def _is_beyond(look: GuardLook) -> bool:
    over = look.mean > look.limit
    return over if look.direction == "at_most" else look.mean < look.limit


def _verdict(
    look: GuardLook | None, interval: stats.Interval | None
) -> Literal["broken", "doubtful", "kept", "too_early"]:
    if look is None or interval is None or look.affected < FEWEST_AFFECTED:
        return "too_early"
    if interval.low is None or interval.high is None:
        return "too_early"
    harm = interval.low > look.limit or interval.high < look.limit
    if _is_beyond(look):
        return "broken" if harm else "doubtful"
    return "kept"
