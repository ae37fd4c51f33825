"""What a metric comes to over some profiles."""

from __future__ import annotations

import numpy as np
import pytest

from opportune import stats
from opportune.events import Metric, metric_evidence, metric_values, parse_metrics

BODIES = {
    "orders": {"event": "Ordered", "unit": "orders", "window_days": 7},
    "revenue": {"event": "Ordered", "value": "revenue", "unit": "EUR", "window_days": 7},
    "each": {"formula": "revenue / orders"},
    "aov": {"formula": "sum(revenue) / sum(orders)"},
    "typical": {"formula": "mean(revenue / orders)"},
}
COLUMNS = {
    "orders": np.array([1.0, 3.0, 0.0, 0.0]),
    "revenue": np.array([10.0, 60.0, 0.0, np.nan]),
}


def metric(name: str) -> Metric:
    found = parse_metrics(BODIES, problems := [])[name]
    assert problems == []
    assert found is not None
    return found


def test_what_has_no_value_counts_as_none() -> None:
    evidence, known = metric_evidence(metric("revenue"), COLUMNS, rows=4)
    assert (evidence, known) == (stats.moments(np.array([10.0, 60.0, 0.0, 0.0])), 2)
    assert metric_values(metric("each"), COLUMNS, rows=4).tolist() == [10.0, 20.0, 0.0, 0.0]
    evidence, known = metric_evidence(metric("each"), COLUMNS, rows=4)
    assert (evidence.mean, known) == (7.5, 2)


def test_a_ratio_of_sums_is_one_value_with_its_spread() -> None:
    evidence, known = metric_evidence(metric("aov"), COLUMNS, rows=4)
    values = [np.nan_to_num(COLUMNS[name]) for name in ("revenue", "orders")]
    expected = stats.of_ratio(stats.joint_moments(*values))
    assert (evidence.count, known) == (4, 2)
    assert evidence.mean == pytest.approx(17.5)
    assert evidence.m2 == pytest.approx(expected.m2, rel=1e-8)


def test_a_mean_is_over_the_rows_that_have_a_value() -> None:
    evidence, _ = metric_evidence(metric("typical"), COLUMNS, rows=4)
    assert evidence.mean == pytest.approx(15.0)
    assert evidence.m2 == pytest.approx(200.0, rel=1e-6)


def test_of_nobody_nothing_is_known() -> None:
    nobody = {name: np.empty(0) for name in COLUMNS}
    assert metric_evidence(metric("aov"), nobody, rows=0)[0].count == 0
    assert metric_evidence(metric("orders"), nobody, rows=0)[0].count == 0
