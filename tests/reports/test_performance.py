"""What a report says about a past that is known."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import ModuleType

import pytest

from opportune import stats
from opportune.events import Metric
from opportune.reports import Headline, Performance, headline, performance, to_document
from opportune.storage import Stores

METRIC = Metric(
    name="orders",
    title="Orders",
    event="Order Completed",
    property=None,
    unit="orders",
    window_days=3,
)


@pytest.fixture
def report(stores: Stores, history: ModuleType) -> Performance:
    history.write(stores, history.past())
    return performance(stores, history.use_case(), METRIC, now=history.NOW)


def test_each_variant_is_summed_per_profile_over_mature_days(
    report: Performance, history: ModuleType
) -> None:
    told = history.past()
    totals = told.rewards.sum(axis=1)
    for result, chosen in ((report.treatment, ~told.control), (report.control, told.control)):
        assert result.profiles == chosen.sum()
        assert result.reward_sum == totals[chosen].sum()
        assert result.reward_mean == pytest.approx(totals[chosen].mean(), rel=1e-12)
        assert result.rewarded == (totals[chosen] > 0).sum()


def test_lift_is_that_of_the_rows_themselves(report: Performance, history: ModuleType) -> None:
    told = history.past()
    totals = told.rewards.sum(axis=1)
    # 2,000 profiles on the first day: known before any of them earned anything.
    expected = stats.lift(
        stats.moments(totals[~told.control]),
        stats.moments(totals[told.control]),
        method="any_look",
        tightest_at=4 * 2000,
    )
    assert report.lift.relative == pytest.approx(expected.relative, rel=1e-12)
    assert report.lift.low == pytest.approx(expected.low, rel=1e-9)
    assert report.lift.high == pytest.approx(expected.high, rel=1e-9)
    assert report.sample_ratio == stats.SampleRatio(p_value=1.0, suspicious=False)
    assert report.verdict == "better"
    assert report.answer == (
        "Treatment did better than control: +102.3 % orders per profile "
        "(between +68.0 % and +151.6 %) over 7 mature days."
    )


def test_without_a_difference_it_says_how_long_one_takes_at_this_pace(
    stores: Stores, history: ModuleType
) -> None:
    told = history.past(treated_rate=0.1)
    history.write(stores, told)
    report = performance(stores, history.use_case(), METRIC, now=history.NOW)
    totals = stats.moments(told.rewards.sum(axis=1)[told.control])
    outlook = stats.Outlook(
        mean=totals.mean,
        variance=totals.variance,
        rewarded_share=0.5,
        control_share=0.2,
        units_a_day=2000 / 7,
    )
    read_out = stats.ReadOut(method="any_look", tightest_at=4 * 2000)
    wait = stats.days_to_find(outlook, 0.1, read_out=read_out)
    assert wait.days is not None
    assert report.verdict == "no_difference"
    assert report.answer.endswith(
        f"over 7 mature days. At this pace, +10 % is seen after some {wait.days - 7} more days"
        " in four of five cases."
    )


def test_a_day_without_rewards_is_immature_and_has_no_mean(
    report: Performance, history: ModuleType
) -> None:
    told = history.past()
    assert (report.decided_days, report.mature_days) == (10, 7)
    assert [day.mature for day in report.days] == [True] * 7 + [False] * 3
    assert [day.treatment.decisions for day in report.days] == [1600] * 10
    assert [day.control.decisions for day in report.days] == [400] * 10
    means = told.rewards[~told.control].mean(axis=0).tolist()
    assert [day.treatment.reward_mean for day in report.days] == pytest.approx(
        [*means, None, None, None]
    )
    explored = told.explored[~told.control].mean(axis=0).tolist()
    assert [day.exploration_share for day in report.days] == pytest.approx(explored)


def test_the_document_is_json_and_says_the_same(report: Performance) -> None:
    document = json.loads(json.dumps(to_document(report), allow_nan=False))
    assert document["as_of"] == "2026-01-11T06:00:00Z"
    assert document["answer"] == report.answer
    assert document["lift"]["relative"] == report.lift.relative
    assert document["days"][0]["day"] == "2026-01-01"
    assert document["days"][9]["treatment"] == {"decisions": 1600, "reward_mean": None}


def test_an_empty_lake_is_too_early(stores: Stores, history: ModuleType) -> None:
    report = performance(stores, history.use_case(), METRIC, now=history.NOW)
    assert (report.verdict, report.answer) == (
        "too_early",
        "Too early to say: nothing was decided yet.",
    )
    assert report.days == ()
    assert (report.treatment.profiles, report.lift.relative) == (0, None)
    assert stores.lake.folder.exists() is False


def test_the_headline_says_what_the_report_says(
    report: Performance, stores: Stores, history: ModuleType
) -> None:
    said = headline(stores, history.use_case(), METRIC, now=history.NOW)
    assert said == Headline(
        as_of=report.as_of,
        use_case="next_offer",
        title="Next offer",
        version=1,
        verdict="better",
        answer=report.answer,
    )


def test_another_version_does_not_count(stores: Stores, history: ModuleType) -> None:
    history.write(stores, history.past(profiles=50))
    report = performance(stores, history.use_case(version=2), METRIC, now=history.NOW)
    assert (report.decided_days, report.treatment.profiles, report.days) == (0, 0, ())


def test_few_conversions_are_too_early(stores: Stores, history: ModuleType) -> None:
    history.write(stores, history.past(profiles=20))
    report = performance(stores, history.use_case(), METRIC, now=datetime(2026, 1, 11, tzinfo=UTC))
    assert report.verdict == "too_early"
    assert report.answer == (
        "Too early to say: 1 profile of control brought orders so far, "
        "a comparison wants at least 10."
    )


def test_without_control_groups_have_no_sizes_to_check(stores: Stores, history: ModuleType) -> None:
    history.write(stores, history.past(profiles=50))
    report = performance(stores, history.use_case(control_share=0.0), METRIC, now=history.NOW)
    assert (report.sample_ratio, report.verdict) == (None, "no_verdict")
