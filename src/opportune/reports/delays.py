"""How long rewards take to come: why the newest days do not count yet."""

from __future__ import annotations

from datetime import datetime, timedelta

from opportune import stats
from opportune.decisions import UseCase, reward_delays
from opportune.events import Metric
from opportune.reports.model import DelayCurve, DelayPoint, MetricOfReport
from opportune.storage import Stores

__all__ = ["delay_curve"]

MOST_POINTS = 60
DAY_HOURS = 24
# A chart has a point at each so many hours; each divides a day.
STEPS = (1, 2, 3, 6, 12)


def delay_curve(stores: Stores, use_case: UseCase, metric: Metric, *, now: datetime) -> DelayCurve:
    """Report which share of the rewards came by which age, as `stats.arrived_by` counts it.

    Over all versions of ``use_case`` and its newest mature days, two months of them at most.
    """
    known = reward_delays(stores, use_case, metric, before=now.date() + timedelta(days=1))
    delays = known.delays
    found = stats.arrived_by(delays, _ages(delays.hours))
    half, most = stats.hours_until(delays, 0.5), stats.hours_until(delays, 0.9)
    return DelayCurve(
        as_of=now,
        use_case=use_case.name,
        metric=MetricOfReport(name=metric.name, unit=metric.unit, window_days=metric.window_days),
        rewarded=delays.rewarded,
        least=stats.LEAST_REWARDS,
        since=known.since,
        until=known.until,
        half_hours=half,
        most_hours=most,
        points=tuple(
            DelayPoint(
                age_hours=int(each.age_hours), share=each.share, low=each.low, high=each.high
            )
            for each in found
        ),
        answer=_answer(delays.rewarded, half, most, metric.window_days),
    )


def _ages(hours: int) -> list[float]:
    fitting = [step for step in STEPS if hours <= step * MOST_POINTS]
    step = fitting[0] if fitting else DAY_HOURS * -(-hours // (DAY_HOURS * MOST_POINTS))
    return [*map(float, range(0, hours, step)), float(hours)]


def _answer(rewarded: int, half: int | None, most: int | None, window_days: int) -> str:
    window = "1 day" if window_days == 1 else f"{window_days} days"
    if half is None or most is None:
        return (
            f"How long rewards take is not known yet: {rewarded:,} decisions of mature days were "
            f"rewarded, {stats.LEAST_REWARDS} are needed. Each waits for the whole window, "
            f"{window}."
        )
    return (
        f"Half of the rewarded decisions were so within {_span(half)}, nine of ten within "
        f"{_span(most)}, of a window of {window} ({rewarded:,} decisions of mature days)."
    )


def _span(hours: int) -> str:
    if hours <= 2 * DAY_HOURS:
        return "1 hour" if hours == 1 else f"{hours} hours"
    return f"{-(-hours // DAY_HOURS)} days"
