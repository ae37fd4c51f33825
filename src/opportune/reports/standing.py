"""How a use case stands, from what its days came to: read from State alone, so that many can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from opportune import stats
from opportune.decisions import SENT, UseCase, stopped
from opportune.events import Metric
from opportune.reports.answer import answer
from opportune.reports.model import MetricOfReport, Shadow, Verdict
from opportune.reports.performance import evidence, shadow_of
from opportune.reports.summarise import days_of
from opportune.reports.summary import DaySummary, kept
from opportune.storage import Stores

__all__ = ["Earned", "Standing", "standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What treatment earned beyond what it would have without, in the metric's unit, and between
    what; over all mature days. ``profiles`` of treatment it is of.
    """

    value: float
    low: float
    high: float
    profiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A use case in its newest version, as of the days that are summed up.

    ``answer`` says ``verdict`` in one sentence; ``earned`` is None where there is no interval.
    ``sends`` are messages by day. ``last_day`` was decided last, None: none was. ``stopped`` says
    which guard rail was broken. ``groups_off``: they have not the sizes they were meant to have.
    ``shadow`` is what a use case in shadow decided there so far.
    """

    as_of: datetime
    use_case: str
    title: str
    version: int
    metric: MetricOfReport
    state: str
    stopped: str
    verdict: Verdict
    answer: str
    lift: stats.Lift
    earned: Earned | None
    control_share: float
    decided_days: int
    mature_days: int
    last_day: date | None
    sends: Mapping[date, int]
    groups_off: bool
    shadow: Shadow | None = None


def standing(stores: Stores, use_case: UseCase, metric: Metric, *, now: datetime) -> Standing:
    """Say how ``use_case`` stands, in the words and numbers of `performance`.

    Days are those that the day's run summed up, so nothing of the lake is read; only where nothing
    is summed up yet are they counted. After somebody was forgotten the next run counts anew.
    """
    known: Sequence[DaySummary] = list(kept(stores.state, use_case).values())
    known = known or days_of(stores, use_case)
    found = evidence(known, use_case, metric)
    verdict, sentence = answer(found)
    stop = stopped(stores.state, use_case.name)
    return Standing(
        as_of=now,
        use_case=use_case.name,
        title=use_case.title,
        version=use_case.version,
        metric=found.metric,
        state=use_case.state,
        stopped="" if stop is None else stop.reason,
        verdict=verdict,
        answer=sentence,
        lift=found.lift,
        earned=_earned(found.lift),
        control_share=found.control_share,
        decided_days=found.decided_days,
        mature_days=found.mature_days,
        last_day=known[-1].day if known else None,
        sends={each.day: _sends(each) for each in known},
        groups_off=found.sample_ratio is not None and found.sample_ratio.suspicious,
        # Only of these, as it is asked of the lake.
        shadow=shadow_of(stores, use_case) if use_case.is_shadow else None,
    )


def _earned(lift: stats.Lift) -> Earned | None:
    """The lift as an amount: relative to what treatment would have earned as control did."""
    if lift.relative is None or lift.low is None or lift.high is None:
        return None
    without = lift.control_mean * lift.treatment_count
    return Earned(
        value=without * lift.relative,
        low=without * lift.low,
        high=without * lift.high,
        profiles=lift.treatment_count,
    )


def _sends(day: DaySummary) -> int:
    return sum(each.sends for group, each in day.variants.items() if group in SENT)
