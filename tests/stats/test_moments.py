"""Evidence of one value adds, and refuses what is no evidence."""

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.stats import InvalidSample, Moments, moments

FLOATS = st.lists(st.floats(-1e6, 1e6), max_size=40)


def test_moments_are_those_of_numpy() -> None:
    values = np.random.default_rng(1).lognormal(size=1000)
    found = moments(values)
    assert found.count == 1000
    assert found.mean == pytest.approx(values.mean(), rel=1e-14)
    assert found.variance == pytest.approx(values.var(ddof=1), rel=1e-14)
    assert found.mean_variance == pytest.approx(values.var(ddof=1) / 1000, rel=1e-14)


def test_booleans_and_whole_numbers_count_as_numbers() -> None:
    assert moments(np.array([True, False, True, True])) == Moments(count=4, mean=0.75, m2=0.75)
    assert moments(np.array([1, 3], dtype=np.int16)) == Moments(count=2, mean=2.0, m2=2.0)


@given(FLOATS, FLOATS)
def test_the_sum_of_moments_is_the_moments_of_both(first: list[float], second: list[float]) -> None:
    added = moments(np.array(first)) + moments(np.array(second))
    together = moments(np.array(first + second))
    assert added.count == together.count
    assert added.mean == pytest.approx(together.mean, rel=1e-9, abs=1e-6)
    assert added.m2 == pytest.approx(together.m2, rel=1e-9, abs=1e-3)


@given(FLOATS)
def test_adding_nothing_changes_nothing(values: list[float]) -> None:
    nothing = moments(np.array([]))
    assert nothing == Moments(count=0, mean=0.0, m2=0.0)
    assert nothing + moments(np.array(values)) == moments(np.array(values))
    assert moments(np.array(values)) + nothing == moments(np.array(values))


def test_spread_survives_a_large_mean() -> None:
    parts = [moments(np.array([1e9 + k])) for k in range(10)]
    assert sum(parts, Moments(count=0, mean=0.0, m2=0.0)).variance == pytest.approx(
        55 / 6, rel=1e-9
    )


def test_an_engine_makes_the_same_moments() -> None:
    made = "select count(x), avg(x), var_pop(x) * count(x) from (values (1.5), (2.5), (7.0)) t(x)"
    ours = moments(np.array([1.5, 2.5, 7.0]))
    with duckdb.connect() as engine:
        found = engine.execute(made).fetchall()
    assert found == [pytest.approx((ours.count, ours.mean, ours.m2), rel=1e-14)]


def test_the_spread_of_fewer_than_two_units_is_unbounded() -> None:
    one = moments(np.array([3.0]))
    assert (one.variance, one.mean_variance) == (float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("count", "mean", "m2"),
    [(-1, 0.0, 0.0), (1, float("nan"), 0.0), (1, 0.0, -1.0), (1, 0.0, float("inf")), (0, 1.0, 0.0)],
)
def test_moments_that_cannot_be_are_refused(count: int, mean: float, m2: float) -> None:
    with pytest.raises(
        InvalidSample, match=rf"Moments of count {count}, .*Allowed: a count from 0"
    ):
        Moments(count=count, mean=mean, m2=m2)


def test_values_too_large_to_square_are_refused() -> None:
    with pytest.raises(InvalidSample, match="Scale very large values down"):
        moments(np.array([1e300, -1e300]))


def test_a_value_that_is_not_finite_is_named() -> None:
    with pytest.raises(InvalidSample) as refused:
        moments(np.array([1.0, np.nan, np.inf]))
    assert refused.value.message == (
        "values has 2 of 3 rows that are not finite numbers, the first at index 1 (nan)."
        " Drop or repair these rows."
    )


def test_a_table_is_not_a_sample() -> None:
    with pytest.raises(
        InvalidSample, match=r"values has shape \(2, 2\)\. Allowed: one number per row"
    ):
        moments(np.ones((2, 2)))
