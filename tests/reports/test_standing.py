"""How use cases stand, read from the sums of their days: the same numbers as the report."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from types import ModuleType

import pyarrow as pa
import pyarrow.compute as pc
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
    assert kept.shadow is None
    rows = stores.lake.read("decisions")
    some = rows.filter(pc.equal(rows["day"], pc.max(rows["day"]))).slice(0, 5)
    names = pa.array([f"shadow:{place}" for place in range(5)])
    some = some.set_column(some.column_names.index("variant"), "variant", pa.repeat("shadow", 5))
    some = some.set_column(some.column_names.index("decision_id"), "decision_id", names)
    day = pa.repeat(pa.scalar(date(2026, 1, 12)), 5)
    stores.lake.append("decisions", some.set_column(some.column_names.index("day"), "day", day))
    looking = reports.standing(stores, replace(use_case, state="shadow"), ORDERS, now=history.NOW)
    assert looking.shadow is not None
    assert (looking.shadow.decisions, str(looking.shadow.last_day)) == (5, "2026-01-12")
    assert (kept.lift, kept.answer) == (report.lift, report.answer)
    assert (kept.decided_days, kept.mature_days) == (10, 7)
    assert kept.earned is not None
    # 800 people of treatment, beside what they would have earned as the 200 of control did.
    more = report.lift.treatment_mean - report.lift.control_mean
    assert kept.earned.value == pytest.approx(800 * more)
    assert kept.earned.low < kept.earned.value < kept.earned.high
    assert kept.earned.profiles == 800
