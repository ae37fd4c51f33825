"""Charts as text: golden files, and what must hold for any numbers."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from markupsafe import Markup

from opportune import stats
from opportune.reports import (
    DayOfVariant,
    DayResult,
    DayShares,
    DimensionChoices,
    ExploredDay,
    OptionShare,
)
from opportune.web import charts

GOLDEN = Path(__file__).parents[1] / "golden" / "pages"
FIRST = date(2026, 1, 1)


def days(rewards: list[tuple[float, float] | None]) -> list[DayResult]:
    return [
        DayResult(
            day=FIRST + timedelta(days=place),
            mature=pair is not None,
            treatment=DayOfVariant(decisions=90, reward_mean=pair[0] if pair else None),
            control=DayOfVariant(decisions=10, reward_mean=pair[1] if pair else None),
            exploration_share=0.1,
        )
        for place, pair in enumerate(rewards)
    ]


def choices(options: int, *, name: str = "option") -> DimensionChoices:
    share = 1 / options
    return DimensionChoices(
        dimension="offer",
        overall=tuple(
            OptionShare(option=f"{name}_{k}", decisions=2, share=share) for k in range(options)
        ),
        days=tuple(
            DayShares(day=FIRST + timedelta(days=place), shares=(share,) * options)
            for place in range(2)
        ),
    )


def a_lift(low: float | None, high: float | None) -> stats.Lift:
    return stats.Lift(
        relative=0.2,
        low=low,
        high=high,
        treatment_mean=0.12,
        control_mean=0.1,
        treatment_count=900,
        control_count=100,
        confidence=0.95,
        method="any_look",
        reason="",
    )


DRAWN: dict[str, Callable[[], Markup]] = {
    "reward_by_day": lambda: charts.reward_by_day(
        days([(0.031, 0.024), (0.036, 0.027), None]), unit="orders"
    ),
    "share_by_day": lambda: charts.share_by_day(
        [
            ExploredDay(day=FIRST, decisions=100, exploration_share=0.4),
            ExploredDay(day=date(2026, 1, 2), decisions=100, exploration_share=0.2),
        ]
    ),
    "shares_by_day": lambda: charts.shares_by_day(choices(3), chart="choices-1"),
    "lift_interval": lambda: charts.lift_interval(a_lift(-0.05, 0.45), chart="lift"),
    "captured_by_day": lambda: charts.captured_by_day([(FIRST, -0.1), (date(2026, 1, 2), 0.42)]),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_chart_is_drawn_as_in_its_golden_file(name: str) -> None:
    drawn = str(DRAWN[name]()).replace("><", ">\n<") + "\n"
    golden = GOLDEN / f"{name}.svg"
    if os.environ.get("GOLDEN") == "rewrite":
        golden.write_text(drawn, encoding="utf-8")
    assert drawn == golden.read_text(encoding="utf-8")


def test_an_immature_day_is_hatched_and_has_no_point() -> None:
    drawn = str(charts.reward_by_day(days([(0.1, 0.1), None, None]), unit="orders"))
    assert drawn.count('fill="url(#hatch)"') == 2
    assert drawn.count('class="mark treatment"') == 1


def test_days_without_any_reward_can_be_drawn() -> None:
    drawn = str(charts.reward_by_day(days([(0.0, 0.0), None]), unit="orders"))
    assert "nan" not in drawn
    ET.fromstring(drawn)


def test_ninety_days_are_a_line_with_few_labels() -> None:
    drawn = str(charts.reward_by_day(days([(0.1, 0.2)] * 90), unit="orders"))
    assert 'class="mark' not in drawn
    assert drawn.count('text-anchor="middle"') == 8


def test_more_options_than_colours_still_differ() -> None:
    drawn = str(charts.shares_by_day(choices(63), chart="choices-1"))
    looks = {
        (pattern[0].attrib["class"], pattern[1].attrib["d"])
        for pattern in ET.fromstring(drawn).iter("pattern")
    }
    assert len(looks) == 36


def test_without_bounds_no_interval_is_drawn() -> None:
    assert charts.lift_interval(a_lift(None, None), chart="lift") == ""


def test_an_interval_below_zero_shows_zero() -> None:
    drawn = ET.fromstring(str(charts.lift_interval(a_lift(-0.5, -0.1), chart="lift")))
    zero = next(line for line in drawn.iter("line") if line.attrib["class"] == "zero")
    bar = next(line for line in drawn.iter("line") if line.attrib["class"] == "interval")
    assert float(bar.attrib["x2"]) < float(zero.attrib["x1"]) < 320


def test_names_in_a_chart_are_escaped() -> None:
    drawn = str(charts.shares_by_day(choices(2, name="<script>"), chart="choices-1"))
    assert "<script>" not in drawn
    assert "&lt;script&gt;_0" in drawn
