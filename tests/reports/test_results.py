"""The views of a report: rolling means, the lift as of each day, its factors, and what changed."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest

from opportune import stats
from opportune.reports import InvalidRolling, check_rolling
from opportune.reports.drivers import drivers
from opportune.reports.marks import marks
from opportune.reports.model import DayOfVariant, DayResult, VariantResult
from opportune.reports.over_time import lift_by_day, rolled
from opportune.reports.summary import DaySummary, Decided, Earned, Totals
from opportune.reports.use_case_timeline import Incident

FIRST = date(2026, 1, 1)
RATES = {"treatment": 0.2, "control": 0.1}
PEOPLE = {"treatment": 90, "control": 10}


def day_of(place: int, *, mature: bool = True) -> DaySummary:
    """On day k each variant earns k more than on day 0, every rewarded decision 2."""
    decided = {
        name: Decided(decisions=count, explored=0, sends=count - 5)
        for name, count in PEOPLE.items()
    }
    earned = {
        name: Earned(
            decisions=count, rewarded=5 + place, reward_sum=2.0 * (5 + place), reward_square=1
        )
        for name, count in PEOPLE.items()
    }
    brought = sum(2.0 * (5 + each) for each in range(place + 1))
    totals = {
        name: Totals(
            profiles=count,
            rewarded=count,
            reward_sum=brought,
            reward_mean=brought / count,
            m2=1.0 + place,
            net_mean=0.0,
            net_m2=0.0,
        )
        for name, count in PEOPLE.items()
    }
    return DaySummary(
        day=FIRST + timedelta(days=place),
        decisions=100,
        variants=decided,
        choices={},
        earned=earned if mature else None,
        totals=totals if mature else None,
    )


DAYS = [*map(day_of, range(8)), day_of(8, mature=False)]


def shown(days: list[DaySummary]) -> list[DayResult]:
    return [
        DayResult(
            day=each.day,
            mature=each.mature,
            treatment=DayOfVariant(decisions=90, reward_mean=1.0 if each.mature else None),
            control=DayOfVariant(decisions=10, reward_mean=2.0 if each.mature else None),
            exploration_share=0.0,
        )
        for each in days
    ]


def test_a_rolling_mean_is_that_of_all_decisions_of_its_days() -> None:
    found = rolled(DAYS, shown(DAYS), rolling=7)
    assert [each.day for each in found] == [each.day for each in DAYS]
    assert found[0].treatment.reward_mean == 10 / 90
    # Days 1 to 7: 2 (6 + ... + 12) of 7 x 90 decisions, whatever day 0 and the open day have.
    assert found[7].treatment.reward_mean == pytest.approx(126 / 630, rel=1e-12)
    assert found[7].control.reward_mean == pytest.approx(126 / 70, rel=1e-12)
    assert found[7].treatment.decisions == 90
    assert found[8].treatment.reward_mean is None
    assert rolled(DAYS, shown(DAYS), rolling=1) == tuple(shown(DAYS))


def test_a_trend_rolls_over_1_7_or_30_days() -> None:
    assert [check_rolling(each) for each in (1, 7, 30)] == [1, 7, 30]
    with pytest.raises(InvalidRolling, match=r"^rolling is 2 days\. Allowed: 1, 7 or 30\.$"):
        check_rolling(2)


def test_the_lift_as_of_a_day_is_over_all_mature_days_up_to_it() -> None:
    found = lift_by_day(DAYS)
    assert [each.day for each in found] == [each.day for each in DAYS[:8]]
    totals = DAYS[3].totals
    assert totals is not None
    treated, held_out = (
        stats.Moments(count=each.profiles, mean=each.reward_mean, m2=each.m2)
        for each in (totals["treatment"], totals["control"])
    )
    # 100 profiles on the first day.
    expected = stats.lift(treated, held_out, method="any_look", tightest_at=400)
    assert found[3].lift == expected
    assert lift_by_day(DAYS[8:]) == ()


def test_factors_multiply_to_the_value_and_their_parts_add_up_to_the_difference() -> None:
    treated, held_out = (
        VariantResult(
            variant=name, profiles=count, rewarded=1, reward_sum=136.0, reward_mean=136.0 / count
        )
        for name, count in PEOPLE.items()
    )
    found = drivers(DAYS, treated, held_out, unit="orders")
    assert found.difference == pytest.approx(136 / 90 - 136 / 10, rel=1e-12)
    assert math.fsum(each.contribution for each in found.factors) == pytest.approx(found.difference)
    for group, value in (("treatment", found.treatment), ("control", found.control)):
        product = math.prod(getattr(each, group) for each in found.factors)
        assert product == pytest.approx(value, rel=1e-12)
    sends, rate, value_ = found.factors
    # 8 mature days of 85 sends each, 68 rewarded decisions of 2 each.
    assert (sends.treatment, sends.control) == (680 / 90, 40 / 10)
    assert (rate.treatment, rate.control) == (68 / 680, 68 / 40)
    assert (value_.treatment, value_.contribution) == (2.0, 0.0)
    assert found.answer == (
        "Treatment's profiles brought -12.09 orders each beside control's; most of it comes from "
        f"the rewarded share ({rate.contribution:+.4g})."
    )


def test_without_a_rewarded_decision_nothing_is_taken_apart() -> None:
    nobody = VariantResult(
        variant="random", profiles=0, rewarded=0, reward_sum=0.0, reward_mean=0.0
    )
    found = drivers(DAYS, nobody, nobody, unit="orders")
    assert (found.factors, found.answer) == ((), found.reason)
    assert found.reason.startswith("What made the difference cannot be said")


def test_changes_within_the_days_are_marked_and_training_is_none() -> None:
    def incident(day: int, kind: str, details: tuple[str, ...] = ()) -> Incident:
        at = datetime(2026, 1, day, 23, 30, tzinfo=UTC)
        return Incident(at=at, kind=kind, title=f"{kind} {day}", by="ann", details=details)  # type: ignore[arg-type]  # made up

    champion = ('groups.champion.offer: "a" → "b"',)
    found = marks(
        [
            incident(9, "stopped"),
            incident(5, "version", champion),
            incident(4, "trained"),
            incident(3, "state"),
            incident(1, "version"),
        ],
        [date(2026, 1, 2), date(2026, 1, 8)],
    )
    assert [(each.day.day, each.kind, each.title) for each in found] == [
        (3, "state", "state 3"),
        (5, "champion", "version 5, with another champion"),
    ]
    assert marks([incident(3, "state")], []) == ()
    assert [each.by for each in found] == ["ann", "ann"]
