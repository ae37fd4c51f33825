"""Treatment beside every other group: lift, sizes, and what may not be said yet."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from opportune import stats
from opportune.decisions import UseCase
from opportune.events import Metric
from opportune.reports import figures, groups, performance, results, to_document
from opportune.storage import Stores
from opportune.web import report_page

METRIC = Metric(
    name="orders", title="Orders", event="Bought", property=None, unit="orders", window_days=3
)


def test_treatment_is_compared_with_each_group_that_is_meant(
    stores: Stores, history: ModuleType
) -> None:
    told = history.past()
    history.write(stores, told)
    case: UseCase = history.use_case()
    found = groups(stores, case, METRIC, now=history.NOW)
    totals = told.rewards.sum(axis=1)
    assert [(each.result.variant, each.result.profiles) for each in found.groups] == [
        ("treatment", 1600),
        ("control", 400),
    ]
    assert [each.share for each in found.groups] == [0.8, 0.2]
    expected = stats.lift(
        stats.moments(totals[~told.control]),
        stats.moments(totals[told.control]),
        method="any_look",
        tightest_at=8000,
    )
    (comparison,) = found.comparisons
    assert comparison.lift.relative == pytest.approx(expected.relative)
    assert comparison.lift.low == pytest.approx(expected.low)
    assert comparison.answer.startswith("Treatment did better than control: +102.3 % orders")
    assert to_document(found)["version"] == 1


def test_the_report_has_treatment_beside_the_champion_as_the_comparison_of_groups_has_it(
    stores: Stores, history: ModuleType
) -> None:
    told = history.past()
    case: UseCase = history.use_case()
    history.write(stores, told)
    assert results(stores, case, METRIC, now=history.NOW).champion is None
    share = {"control_share": 0.0, "champion_share": 0.2, "champion_policy": "uniform"}
    case = replace(case, **share)
    (one,) = groups(stores, case, METRIC, now=history.NOW).comparisons
    found = results(stores, case, METRIC, now=history.NOW)
    assert found.champion == one
    page = report_page(found).decode()
    assert f'<p id="beside-champion">{one.answer}</p>' in page
    assert "0 profiles are decided by the champion" in page
    assert one.group == "champion"
    rows = [row for row in figures(found).to_pylist() if row["group"] == "champion"]
    assert [(row["part"], row["measure"], row["value"]) for row in rows] == [
        ("cards", "lift", one.lift.relative)
    ]


def test_a_group_of_the_wrong_size_blocks_its_verdict_and_that_of_all(
    stores: Stores, history: ModuleType
) -> None:
    history.write(stores, history.past())
    case = replace(history.use_case(), champion_share=0.1, champion=("tv_bundle", "sms", "09"))
    found = groups(stores, case, METRIC, now=history.NOW)
    assert found.sample_ratio is not None
    assert found.sample_ratio.suspicious
    assert [each.answer for each in found.comparisons if each.group == "champion"] == [
        "No verdict: treatment and champion have not the sizes they were meant to have."
    ]


def test_before_the_first_day_it_is_too_early(stores: Stores, history: ModuleType) -> None:
    found = groups(stores, history.use_case(), METRIC, now=history.NOW)
    assert found.comparisons[0].answer.startswith("Too early to say: 0 profiles of treatment")
    alone = groups(stores, history.use_case(control_share=0.0), METRIC, now=history.NOW)
    assert (alone.comparisons, alone.sample_ratio) == ((), None)


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((0.1, 0.3), "Treatment did worse than control:"),
        ((0.2, 0.2), "No difference seen between treatment and control:"),
        ((0.2, 0.0), "Too early to say:"),
    ],
)
def test_what_is_said_follows_the_interval(
    stores: Stores, history: ModuleType, rates: tuple[float, float], words: str
) -> None:
    told = history.past(treated_rate=rates[0], control_rate=rates[1])
    history.write(stores, told)
    found = groups(stores, history.use_case(), METRIC, now=history.NOW)
    assert found.comparisons[0].answer.startswith(words)
    assert np.isclose(found.groups[0].result.reward_sum, told.rewards[~told.control].sum())


@pytest.mark.parametrize(
    ("rates", "verdict"), [((0.2, 0.2), "groups_alike"), ((0.2, 0.1), "groups_differ")]
)
def test_in_the_a_a_mode_the_words_are_about_the_groups(
    stores: Stores, history: ModuleType, rates: tuple[float, float], verdict: str
) -> None:
    history.write(stores, history.past(treated_rate=rates[0], control_rate=rates[1]))
    report = performance(stores, replace(history.use_case(), aa=True), METRIC, now=history.NOW)
    assert report.verdict == verdict
    assert "(A/A mode)" in report.answer
