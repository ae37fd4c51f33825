"""Whether what a policy expects comes: expected and earned side by side, by tenths."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from opportune.decisions import UseCase
from opportune.events import Metric
from opportune.reports.summary import ROOM, DaySummary, Tenth
from opportune.storage import State, load_sql

__all__ = ["Calibration", "CalibrationTenth", "calibration", "calibration_of", "taught_days"]

# Kept policies are pruned after 35 days; of the newest two weeks the policy is about the same.
MOST_DAYS = 14
# 95 of 100 intervals hold what is true; ten of them are looked at, so one may well be off.
TIMES = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationTenth:
    """Decisions of which about as much was expected: means per decision, in the report's unit.

    ``low`` and ``high`` bound what came, 95 % by the normal approximation at this one look.
    """

    tenth: int
    decisions: int
    expected: float
    came: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What the policy expected of treatment's decisions, and what came, on the mature days
    ``since`` to ``until``: in all, and by ``tenths``, the least expected first.

    ``unit`` is what both are in, per decision. ``answer`` says it in one sentence; ``tenths`` are
    empty where nothing is known.
    """

    unit: str
    since: date | None
    until: date | None
    decisions: int
    expected: float
    came: float
    low: float
    high: float
    tenths: tuple[CalibrationTenth, ...]
    answer: str


def calibration(
    days: Sequence[DaySummary], metric: Metric, *, taught: Collection[date]
) -> Calibration:
    """Add up the tenths of the newest 14 mature days among ``taught``, whose policy had learned.

    A tenth of each day, not of all together: so its decisions are those of the same rank. Of a
    metric that counts, the policy foresees whether anything comes, so the share of rewarded
    decisions stands beside it, else the mean reward.
    """
    known = [each for each in days if each.calibration and each.day in taught][-MOST_DAYS:]
    unit = f"share of decisions with {metric.unit}" if metric.is_count else metric.unit
    if not known:
        return _nothing(unit)
    parts = [tenth for each in known for tenth in each.calibration or ()]
    tenths = tuple(
        _tenth(place, [each for each in parts if each.tenth == place], counts=metric.is_count)
        for place in sorted({each.tenth for each in parts})
    )
    whole = _tenth(0, parts, counts=metric.is_count)
    return Calibration(
        unit=unit,
        since=known[0].day,
        until=known[-1].day,
        decisions=whole.decisions,
        expected=whole.expected,
        came=whole.came,
        low=whole.low,
        high=whole.high,
        tenths=tenths,
        answer=_answer(whole, len(known), unit),
    )


def calibration_of(
    state: State, use_case: UseCase, days: Sequence[DaySummary], metric: Metric
) -> Calibration:
    """The same, of what State knows of the policies of ``use_case``."""
    return calibration(days, metric, taught=taught_days(state, use_case))


def taught_days(state: State, use_case: UseCase) -> frozenset[date]:
    """Return the days of this version that a policy decided which had learned something."""
    facts = {"use_case": use_case.name, "version": use_case.version}
    return frozenset(row["day"] for row in state.rows(load_sql(ROOM, "taught_days"), facts))


def _nothing(unit: str) -> Calibration:
    return Calibration(
        unit=unit,
        since=None,
        until=None,
        decisions=0,
        expected=0.0,
        came=0.0,
        low=0.0,
        high=0.0,
        tenths=(),
        answer="No mature day was decided yet by a policy that had learned and says what it "
        "expects.",
    )


def _tenth(place: int, parts: Sequence[Tenth], *, counts: bool) -> CalibrationTenth:
    decisions = sum(each.decisions for each in parts)
    came = sum(each.rewarded if counts else each.reward for each in parts) / decisions
    squares = sum(each.rewarded if counts else each.square for each in parts) / decisions
    error = TIMES * math.sqrt(max(0.0, squares - came * came) / decisions)
    return CalibrationTenth(
        tenth=place,
        decisions=decisions,
        expected=sum(each.expected for each in parts) / decisions,
        came=came,
        low=came - error,
        high=came + error,
    )


def _answer(whole: CalibrationTenth, days: int, unit: str) -> str:
    verdict = "as much as expected"
    if not whole.low <= whole.expected <= whole.high:
        verdict = f"{'less' if whole.expected > whole.high else 'more'} than expected"
    return (
        f"Over {days} mature day{'' if days == 1 else 's'} came {verdict}: {whole.came:.4g} "
        f"(between {whole.low:.4g} and {whole.high:.4g}) per decision of treatment, where the "
        f"policy expected {whole.expected:.4g} ({unit})."
    )
