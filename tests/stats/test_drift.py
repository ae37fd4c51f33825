"""The population stability index sees a shift and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest

from opportune.stats import MOVED, InvalidSample, population_stability


def test_it_is_the_sum_over_bins_with_half_a_count_added() -> None:
    # 100.5 and 300.5 of 401, then 250.5 and 150.5.
    p, q = (100.5 / 401, 300.5 / 401), (250.5 / 401, 150.5 / 401)
    expected = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    found = population_stability(np.array([100, 300]), np.array([250, 150]))
    assert found == pytest.approx(expected, rel=1e-12)


def test_many_values_are_ten_bins_so_that_chance_is_no_shift() -> None:
    random = np.random.default_rng(1)
    values = random.normal(size=(2, 20_000)).round(2)
    edges = np.unique(values)
    counts = [(each[:, None] == edges[None, :]).sum(axis=0) for each in values[:, :4000]]
    assert population_stability(counts[0], counts[1]) < 0.02
    moved = (np.round(values[1, :4000] + 0.8, 2)[:, None] == edges[None, :]).sum(axis=0)
    assert population_stability(counts[0], moved) > MOVED


def test_nothing_to_compare_is_no_shift_and_other_shapes_are_refused() -> None:
    assert population_stability(np.array([0, 0]), np.array([1, 2])) == 0.0
    assert population_stability(np.array([1, 2]), np.array([0, 0])) == 0.0
    for before in ([1.0], [[1.0, 2.0]], [1.0, -1.0], [1.0, math.nan]):
        with pytest.raises(InvalidSample, match="cannot be compared"):
            population_stability(np.array(before), np.array([1.0, 2.0]))
