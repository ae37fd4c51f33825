"""Evidence of what is calculated of several means."""

from __future__ import annotations

import numpy as np
import pytest

from opportune import stats


def test_a_ratio_of_sums_is_that_of_the_delta_method() -> None:
    random = np.random.default_rng(3)
    orders = random.poisson(2.0, size=5_000).astype(float)
    parts = np.stack([orders * random.gamma(2.0, 20.0, size=5_000), orders], axis=1)
    found = stats.of_means(parts, lambda means: float(means[0] / means[1]))
    expected = stats.of_ratio(stats.joint_moments(parts[:, 0], parts[:, 1]))
    assert (found.count, found.mean) == (5_000, pytest.approx(expected.mean, rel=1e-12))
    assert found.m2 == pytest.approx(expected.m2, rel=1e-8)


def test_a_mean_alone_is_its_moments() -> None:
    values = np.array([1.0, 2.0, 6.0])
    found = stats.of_means(values.reshape(-1, 1), lambda means: float(means[0]))
    assert found.m2 == pytest.approx(stats.moments(values).m2, rel=1e-9)


def test_nothing_is_known_of_nobody_or_of_what_cannot_be_calculated() -> None:
    nobody = stats.Moments(count=0, mean=0.0, m2=0.0)
    assert stats.of_means(np.empty((0, 2)), lambda means: 1.0) == nobody
    parts = np.array([[1.0, 0.0], [2.0, 0.0]])

    def ratio(means: np.ndarray) -> float:
        return float(means[0] / means[1]) if means[1] else float("nan")

    assert stats.of_means(parts, ratio) == nobody
    with pytest.raises(stats.InvalidSample):
        stats.of_means(np.array([[np.nan]]), lambda means: 1.0)
