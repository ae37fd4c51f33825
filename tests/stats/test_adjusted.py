"""Lift less what was known before: narrower as theory says, and right on average."""

import math

import duckdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from opportune.stats import (
    InvalidSample,
    JointMoments,
    Lift,
    Moments,
    adjusted_lift,
    joint_moments,
    lift,
    moments,
    of_ratio,
)

PAIRS = st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), max_size=30)


def joint(pairs: list[tuple[float, float]]) -> JointMoments:
    values = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return joint_moments(values[:, 0], values[:, 1])


def width(found: Lift) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def drawn(
    random: np.random.Generator, count: int, *, mean: float, correlation: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    before = random.normal(size=count)
    own = random.normal(size=count)
    return mean + correlation * before + math.sqrt(1 - correlation**2) * own, 7 + 3 * before


@given(PAIRS, PAIRS)
def test_the_sum_of_joint_moments_is_that_of_both(
    first: list[tuple[float, float]], second: list[tuple[float, float]]
) -> None:
    added, together = joint(first) + joint(second), joint(first + second)
    assert added.outcome.count == together.outcome.count
    assert added.comoment == pytest.approx(together.comoment, rel=1e-9, abs=1e-3)
    assert added.covariate.m2 == pytest.approx(together.covariate.m2, rel=1e-9, abs=1e-3)


def test_an_engine_makes_the_same_comoment() -> None:
    made = (
        "select covar_pop(y, x) * count(*) from (values (1.5, 2.0), (2.5, 1.0), (7.0, 9.0)) t(y, x)"
    )
    with duckdb.connect() as engine:
        found = engine.execute(made).fetchone()
    assert found == (pytest.approx(joint([(1.5, 2.0), (2.5, 1.0), (7.0, 9.0)]).comoment),)


@pytest.mark.parametrize("method", ["any_look", "fixed"])
@pytest.mark.parametrize("correlation", [0.3, 0.7, 0.95])
def test_the_interval_narrows_as_theory_says(correlation: float, method: str) -> None:
    random = np.random.default_rng(7)
    treated = joint_moments(*drawn(random, 90_000, mean=10.0, correlation=correlation))
    left = joint_moments(*drawn(random, 10_000, mean=10.0, correlation=correlation))
    found = adjusted_lift(treated, left, method=method)  # type: ignore[arg-type]
    assert found.explained_share == pytest.approx(correlation**2, abs=0.01)
    assert width(found.lift) / width(found.plain) == pytest.approx(
        math.sqrt(1 - found.explained_share), rel=0.01
    )
    assert found.theta == pytest.approx(correlation / 3, rel=0.02)
    assert (found.reason, found.lift.method) == ("", method)
    assert (found.lift.treatment_count, found.lift.control_count) == (90_000, 10_000)


def test_the_adjusted_means_are_those_of_the_adjusted_rows() -> None:
    random = np.random.default_rng(8)
    (y_t, x_t), (y_c, x_c) = (
        drawn(random, count, mean=mean, correlation=0.6) for count, mean in ((400, 12), (100, 10))
    )
    found = adjusted_lift(joint_moments(y_t, x_t), joint_moments(y_c, x_c))
    # Independently: least squares of the outcome on the group and the covariate.
    design = np.column_stack([np.r_[np.ones(400), np.zeros(100)], np.ones(500), np.r_[x_t, x_c]])
    effect, level, slope = np.linalg.lstsq(design, np.r_[y_t, y_c], rcond=None)[0]
    assert found.theta == pytest.approx(slope, rel=1e-9)
    control = level + slope * np.r_[x_t, x_c].mean()
    assert found.lift.control_mean == pytest.approx(control, rel=1e-9)
    assert found.lift.treatment_mean - found.lift.control_mean == pytest.approx(effect, rel=1e-9)


def test_it_is_unbiased_and_covers_as_often_as_it_says_where_plain_is_wider() -> None:
    # 1,000 experiments: three standard errors of a 95 % coverage are 2.1 points.
    random, lifts, covered = np.random.default_rng(9), [], 0
    for _ in range(1000):
        found = adjusted_lift(
            joint_moments(*drawn(random, 900, mean=6.0, correlation=0.8)),
            joint_moments(*drawn(random, 100, mean=5.0, correlation=0.8)),
            method="fixed",
        ).lift
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= 0.2 <= found.high
        lifts.append(found.relative)
    assert covered / 1000 == pytest.approx(0.95, abs=0.021)
    # The standard error of one is 0.6 * 0.1 / 5 * 1.06: three of the mean of a thousand.
    assert np.mean(lifts) == pytest.approx(0.2, abs=0.0013)


GOOD = joint([(1.0, 2.0), (3.0, 4.0), (2.0, 2.5), (2.0, 3.5)])
FLAT = joint([(1.0, 2.0), (3.0, 2.0), (2.0, 2.0), (2.0, 2.0)])


def test_a_covariate_without_variance_leaves_the_plain_lift_and_says_so() -> None:
    found = adjusted_lift(FLAT, FLAT, method="fixed")
    assert found.lift is found.plain
    assert found.lift.relative == 0.0
    assert (found.theta, found.explained_share) == (0.0, 0.0)
    assert found.reason.startswith("The covariate has the same value for all units")


def test_what_plain_evidence_cannot_bound_is_not_adjusted() -> None:
    found = adjusted_lift(joint([]), GOOD)
    assert found.lift is found.plain
    assert "treatment has 0" in found.reason
    # Nearly all that control has is what its covariate foretold.
    far = joint_moments(np.arange(100.0) + 1 + 1e-3 * (np.arange(100) % 3), np.arange(100.0) + 900)
    found = adjusted_lift(joint_moments(np.arange(100.0), np.arange(100.0)), far, method="fixed")
    assert found.lift is found.plain
    assert "adjusted mean" in found.reason


def test_the_lift_of_a_ratio_of_sums_has_the_spread_of_many_such_ratios() -> None:
    # Revenue per order, by person: 3,000 draws of a ratio against what one of them says of itself.
    random = np.random.default_rng(10)
    orders = random.poisson(2, size=(3000, 400)).astype(np.float64)
    revenue = orders * random.gamma(2, 5, size=(3000, 400)) + orders
    ratios = revenue.sum(axis=1) / orders.sum(axis=1)
    found = [of_ratio(joint_moments(y, x)) for y, x in zip(revenue[:50], orders[:50], strict=True)]
    assert [each.mean for each in found] == pytest.approx(ratios[:50])
    assert {each.count for each in found} == {400}
    # The standard error of a standard deviation of 3,000 is 1.3 %.
    errors = np.mean([math.sqrt(each.mean_variance) for each in found])
    assert errors == pytest.approx(ratios.std(), rel=0.05)
    result = lift(found[0], found[1], method="fixed")
    assert result.relative == pytest.approx(ratios[0] / ratios[1] - 1)


def test_a_ratio_of_nothing_says_nothing() -> None:
    assert of_ratio(joint([(0.0, 0.0), (0.0, 0.0)])) == Moments(count=0, mean=0.0, m2=0.0)


def test_a_ratio_by_one_is_the_outcome_itself() -> None:
    values = np.random.default_rng(11).gamma(2, 5, size=90)
    by_one = of_ratio(joint_moments(values, np.ones(90)))
    assert by_one == moments(values)


@pytest.mark.parametrize(
    ("outcome", "covariate", "comoment"),
    [
        (Moments(count=2, mean=0.0, m2=2.0), Moments(count=3, mean=0.0, m2=2.0), 0.0),
        (Moments(count=2, mean=0.0, m2=2.0), Moments(count=2, mean=0.0, m2=2.0), 2.1),
        (Moments(count=2, mean=0.0, m2=2.0), Moments(count=2, mean=0.0, m2=2.0), math.nan),
    ],
)
def test_joint_moments_that_cannot_be_are_refused(
    outcome: Moments, covariate: Moments, comoment: float
) -> None:
    with pytest.raises(InvalidSample, match="Allowed: one covariate for each outcome"):
        JointMoments(outcome=outcome, covariate=covariate, comoment=comoment)


def test_an_outcome_and_a_covariate_have_as_many_rows() -> None:
    with pytest.raises(InvalidSample, match="outcome has 3 rows and covariate 2"):
        joint_moments(np.ones(3), np.ones(2))
