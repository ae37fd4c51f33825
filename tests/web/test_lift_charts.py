"""Charts of lift, factors, guard rails and funnels hold for any numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from opportune import stats
from opportune.reports import (
    DelayCurve,
    Driver,
    Funnel,
    GuardRailResult,
    LiftOfDay,
    Mark,
    MetricOfReport,
)
from opportune.web import health_charts, lift_charts

FIRST = date(2026, 1, 1)


def lift(low: float | None, high: float | None) -> LiftOfDay:
    treated, control = (stats.Moments(count=0, mean=0.0, m2=0.0) for _ in range(2))
    found = replace(stats.lift(treated, control), low=low, high=high)
    return LiftOfDay(day=FIRST, lift=replace(found, relative=None if low is None else 0.1))


def days(*bounds: tuple[float | None, float | None]) -> list[LiftOfDay]:
    return [
        replace(lift(*each), day=FIRST + timedelta(days=place)) for place, each in enumerate(bounds)
    ]


def test_the_band_has_a_shape_for_each_run_of_days_with_bounds() -> None:
    none = (None, None)
    found = days((-5.0, 90.0), (0.0, 0.3), none, (0.05, 0.2))
    change = Mark(day=FIRST + timedelta(days=1), kind="state", title="State: paused", by="ann")
    drawn = lift_charts.lift_by_day(found, changes=[change, change])
    assert drawn.count("lift-band") == 2
    assert ">1,2</text>" in drawn
    # Far bounds are cut off inside the frame.
    heights = [
        float(y) for y in re.findall(r",([0-9.]+)", "".join(re.findall('s="([^"]*)"', drawn)))
    ]
    assert min(heights) >= 12
    assert max(heights) <= 212
    assert lift_charts.lift_by_day(days(none, none)) == ""


def test_an_axis_beyond_a_thousand_percent_can_be_read() -> None:
    drawn = lift_charts.lift_by_day(days((-0.4, 20.0), (-0.4, 21.0)))
    axis = re.findall(r">([+-]?[0-9.,e+]+ %)</text>", drawn)
    assert "+2,000 %" in axis
    assert all(re.fullmatch(r"[+-]?[0-9,]+ %", each) for each in axis)


def test_a_factor_that_takes_away_goes_to_the_left() -> None:
    factor = Driver(
        name="rate", title="<rate>", unit="u", treatment=1.0, control=2.0, contribution=-0.5
    )
    more = replace(factor, contribution=0.25)
    drawn = lift_charts.contributions([factor, more], unit="EUR")
    assert "&lt;rate&gt;" in drawn
    bars = re.findall(r'class="bar" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"', drawn)
    assert bars == [("240", "180"), ("420", "90")]
    assert "-0.500" in drawn
    assert "+0.250" in drawn


def test_a_limit_is_drawn_beside_its_interval_once_there_is_one() -> None:
    known = GuardRailResult(
        metric="left",
        unit="left",
        direction="at_most",
        limit=0.02,
        days=7,
        day=FIRST,
        recipients=1000,
        value=0.03,
        low=0.01,
        high=0.05,
        p_value=0.5,
        adjusted=0.5,
        found=False,
        verdict="doubtful",
    )
    drawn = lift_charts.against_limit(known)
    assert 'class="limit" x1="27"' in drawn
    assert 'x1="4" x2="96"' in drawn
    assert lift_charts.against_limit(replace(known, low=None)) == ""


def test_a_funnel_without_its_audience_begins_with_the_decided() -> None:
    found = Funnel(
        day=FIRST,
        audience=200,
        eligible=150,
        blocked=(),
        decided=100,
        control=20,
        silent=0,
        to_send=80,
        outbox=(),
    )
    steps = [(name, number) for name, _, number in health_charts.funnel_steps(found)]
    assert steps == [
        ("meant", 200),
        ("eligible", 150),
        ("decided", 100),
        ("to send", 80),
        ("sent", 0),
    ]
    assert "100 (50.0 %)" in health_charts.funnel(found)
    unknown = replace(found, audience=None, decided=0)
    assert health_charts.funnel_steps(unknown)[0][0] == "decided"
    assert "0 (0.0 %)" in health_charts.funnel(unknown)


def test_a_curve_without_points_is_not_drawn() -> None:
    curve = DelayCurve(
        as_of=datetime(2026, 1, 1, tzinfo=UTC),
        use_case="x",
        metric=MetricOfReport(name="orders", unit="orders", window_days=3),
        rewarded=0,
        least=50,
        since=None,
        until=None,
        half_hours=None,
        most_hours=None,
        points=(),
        answer="",
    )
    assert health_charts.delays(curve) == ""
