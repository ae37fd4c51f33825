"""How use cases stand, read from the sums of their days: the same numbers as the report."""

from __future__ import annotations

from types import ModuleType

import pytest

from opportune import reports
from opportune.events import Metric
from opportune.storage import Stores

ORDERS = Metric(
    name="orders", title="Orders", event="Order", property=None, unit="orders", window_days=3
)


def test_a_standing_is_what_the_report_says_before_and_after_days_are_summed_up(
    stores: Stores, history: ModuleType
) -> None:
    use_case = history.use_case()
    told = reports.standing(stores, use_case, ORDERS, now=history.NOW)
    assert (told.verdict, told.earned, told.last_day, dict(told.sends)) == (
        "too_early",
        None,
        None,
        {},
    )
    history.write(stores, history.past(profiles=1000))
    report = reports.performance(stores, use_case, ORDERS, now=history.NOW)
    counted = reports.standing(stores, use_case, ORDERS, now=history.NOW)
    reports.summarise(stores, use_case)
    kept = reports.standing(stores, use_case, ORDERS, now=history.NOW)
    assert kept == counted
    assert (kept.lift, kept.answer) == (report.lift, report.answer)
    assert (kept.decided_days, kept.mature_days) == (10, 7)
    assert kept.earned is not None
    # 800 people of treatment, beside what they would have earned as the 200 of control did.
    more = report.lift.treatment_mean - report.lift.control_mean
    assert kept.earned.value == pytest.approx(800 * more)
    assert kept.earned.low < kept.earned.value < kept.earned.high
    assert kept.earned.profiles == 800
