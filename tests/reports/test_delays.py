"""How long rewards take to come, from rows of which every delay is known."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest

from opportune.decisions import reward_delays
from opportune.events import Metric
from opportune.reports import DelayPoint, delay_curve, to_document
from opportune.storage import Stores

METRIC = Metric(
    name="orders",
    title="Orders",
    event="Order Completed",
    property=None,
    unit="orders",
    window_days=3,
)


def test_the_curve_counts_every_rewarded_decision_of_mature_days_by_its_hour(
    stores: Stores, history: ModuleType
) -> None:
    told = history.past()
    history.write(stores, told)
    curve = delay_curve(stores, history.use_case(), METRIC, now=history.NOW)
    rewarded = (told.rewards > 0).sum(axis=1)
    hours = np.bincount(np.arange(len(rewarded)) % 48, weights=rewarded, minlength=72)
    shares = np.concatenate([[0.0], np.cumsum(hours)]) / rewarded.sum()
    assert (curve.as_of, curve.use_case, curve.metric.unit) == (history.NOW, "next_offer", "orders")
    assert curve.rewarded == rewarded.sum()
    assert (curve.since, curve.until) == (date(2026, 1, 1), date(2026, 1, 7))
    # 72 hours are too many points for a chart: every second one, and the last.
    assert [point.age_hours for point in curve.points] == list(range(0, 73, 2))
    assert [point.share for point in curve.points] == pytest.approx(shares[::2].tolist())
    assert curve.points[-1] == DelayPoint(age_hours=72, share=1.0, low=1.0, high=1.0)
    assert curve.half_hours == 1 + (np.cumsum(hours) >= rewarded.sum() / 2).argmax()
    assert curve.most_hours == 1 + (np.cumsum(hours) >= rewarded.sum() * 0.9).argmax()
    assert curve.answer == (
        f"Half of the rewarded decisions were so within {curve.half_hours} hours, nine of ten "
        f"within {curve.most_hours} hours, of a window of 3 days ({rewarded.sum():,} decisions of "
        "mature days)."
    )
    document = json.loads(json.dumps(to_document(curve)))
    assert document["points"][1]["age_hours"] == 2
    assert (document["as_of"], document["since"]) == ("2026-01-11T06:00:00Z", "2026-01-01")


def test_of_few_rewards_there_is_no_curve(stores: Stores, history: ModuleType) -> None:
    history.write(stores, history.past(profiles=50))
    curve = delay_curve(stores, history.use_case(), METRIC, now=history.NOW)
    assert 0 < curve.rewarded < curve.least == 100
    assert (curve.points, curve.half_hours, curve.most_hours) == ((), None, None)
    assert curve.answer == (
        f"How long rewards take is not known yet: {curve.rewarded} decisions of mature days were "
        "rewarded, 100 are needed. Each waits for the whole window, 3 days."
    )


def test_before_anything_was_decided_there_is_no_curve(stores: Stores, history: ModuleType) -> None:
    curve = delay_curve(stores, history.use_case(), METRIC, now=history.NOW)
    assert (curve.rewarded, curve.since, curve.until, curve.points) == (0, None, None, ())


def test_rewards_of_a_folder_from_before_have_no_delays(
    stores: Stores, history: ModuleType
) -> None:
    older = pa.schema([("use_case", pa.string()), ("day", pa.date32())])
    stores.lake.create("rewards", older)
    found = reward_delays(stores, history.use_case(), METRIC, before=history.NOW.date())
    assert (found.delays.rewarded, found.since) == (0, None)


def test_only_the_same_metric_within_its_window_and_before_the_day_counts(
    stores: Stores, history: ModuleType
) -> None:
    told = history.past()
    history.write(stores, told)
    day = date(2026, 1, 3)

    def rewarded(metric: Metric = METRIC, before: date = day) -> int:
        return reward_delays(stores, history.use_case(), metric, before=before).delays.rewarded

    two_days = (told.rewards[:, :2] > 0).sum()
    assert rewarded() == two_days
    assert rewarded(before=day + timedelta(days=90)) == 0
    assert rewarded(replace(METRIC, name="clicks")) == 0
    first_day = np.arange(len(told.control)) % 48 < 24
    assert rewarded(replace(METRIC, window_days=1)) == (told.rewards[first_day, :2] > 0).sum()


@pytest.mark.parametrize(("window_days", "last"), [(1, 1), (2, 1), (14, 6), (365, 168)])
def test_a_long_window_has_no_more_points_than_a_chart_can_show(
    stores: Stores, history: ModuleType, window_days: int, last: int
) -> None:
    history.write(stores, history.past())
    metric = replace(METRIC, window_days=window_days)
    curve = delay_curve(stores, history.use_case(), metric, now=history.NOW)
    ages = [point.age_hours for point in curve.points]
    assert ages[1] == last
    assert len(ages) <= 62
    assert ages[-1] == window_days * 24
    assert curve.answer.count("1 day ") == (window_days == 1)
