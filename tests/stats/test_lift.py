"""Treatment over control: the number, its bounds, and when there are none."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from opportune.stats import InvalidSample, Lift, Method, Moments, boundary, lift, moments, p_value


def conversions(successes: int, of: int) -> Moments:
    return Moments(count=of, mean=successes / of, m2=successes - successes * successes / of)


def bounds(result: Lift) -> tuple[float, float]:
    assert result.low is not None
    assert result.high is not None
    return result.low, result.high


def test_relative_difference_of_the_physicians_health_study() -> None:
    # 104 of 11,037 on aspirin and 189 of 11,034 on placebo had a heart attack: relative risk 0.55.
    result = lift(conversions(104, 11_037), conversions(189, 11_034), method="fixed")
    assert result.relative is not None
    assert round(result.relative, 4) == -0.4499
    # Fieller's limits are where the test of ``t = R c`` just rejects, found here by searching.
    (t, c), z = (104 / 11_037, 189 / 11_034), stats.norm.isf(0.025)
    t_error, c_error = t * (1 - t) / 11_036, c * (1 - c) / 11_033

    def rejects(ratio: float) -> float:
        return abs(t - ratio * c) / math.sqrt(t_error + ratio * ratio * c_error) - z

    assert bounds(result) == pytest.approx(
        (optimize.brentq(rejects, 0.1, 0.55) - 1, optimize.brentq(rejects, 0.56, 2) - 1), rel=1e-9
    )
    # The published interval, of the logarithm, is 0.43 to 0.70.
    assert bounds(result) == pytest.approx((-0.57, -0.30), abs=0.01)


def test_where_control_is_known_well_the_bounds_are_those_of_the_delta_method() -> None:
    random = np.random.default_rng(3)
    t, c = random.gamma(2, 3, size=800), random.gamma(2, 2.5, size=300_000)
    step = 1e-6
    slopes = (
        ((t.mean() + step) / c.mean() - (t.mean() - step) / c.mean()) / (2 * step),
        (t.mean() / (c.mean() + step) - t.mean() / (c.mean() - step)) / (2 * step),
    )
    variance = slopes[0] ** 2 * t.var(ddof=1) / 800 + slopes[1] ** 2 * c.var(ddof=1) / 300_000
    low, high = bounds(lift(moments(t), moments(c), method="fixed"))
    assert (high - low) / 2 == pytest.approx(1.959963984540054 * math.sqrt(variance), rel=1e-4)


@given(
    st.integers(10, 500),
    st.integers(10, 500),
    st.sampled_from(["any_look", "fixed"]),
    st.booleans(),
)
def test_zero_is_left_out_exactly_where_the_p_value_is_small(
    treated: int, left: int, method: Method, even: bool
) -> None:
    groups = conversions(treated, 5000 if even else 20_000), conversions(left, 5000)
    result, chance = lift(*groups, method=method), p_value(*groups, method=method)
    apart = result.low is not None and (result.low > 0 or (result.high or 0.0) < 0)
    assert apart == (chance <= 0.05) or result.low is None
    assert 0 <= chance <= 1


def test_a_fixed_p_value_is_the_normal_one_of_scipy() -> None:
    groups = conversions(270, 9000), conversions(41, 1000)
    gap = 270 / 9000 - 41 / 1000
    error = math.sqrt(groups[0].mean_variance + groups[1].mean_variance)
    found = p_value(*groups, method="fixed")
    assert found == pytest.approx(2 * stats.norm.sf(abs(gap) / error), rel=1e-12)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [((108_000, 3888, 12_000, 360), 0.020392205090173136), ((5400, 200, 600, 12), 0.114451998726)],
)
def test_an_any_look_p_value_is_that_of_another_library(
    counts: tuple[int, int, int, int], expected: float
) -> None:
    # By SequentialTwoSidedTTest of gbstats 0.8.0, which divides by the count, not by one less.
    treated, successes, left, control_successes = counts
    found = p_value(
        conversions(successes, treated), conversions(control_successes, left), tightest_at=5000
    )
    assert found == pytest.approx(expected, rel=5e-3)


def test_without_evidence_the_p_value_is_one() -> None:
    for groups in ((NONE, NONE), (GOOD, ONE), (FLAT, GOOD), (GOOD, FLAT)):
        assert p_value(*groups) == 1.0
    with pytest.raises(InvalidSample, match="confidence is 2"):
        p_value(NONE, NONE, confidence=2)


def test_result_carries_the_people_behind_it() -> None:
    result = lift(conversions(270, 9000), conversions(25, 1000), confidence=0.9)
    assert (result.treatment_count, result.control_count) == (9000, 1000)
    assert (result.treatment_mean, result.control_mean) == (0.03, 0.025)
    assert (result.relative, result.method) == (pytest.approx(0.2), "any_look")
    assert (result.confidence, result.reason) == (0.9, "")


def test_any_look_is_wider_than_fixed_around_the_same_number() -> None:
    groups = conversions(700, 18_000), conversions(60, 2000)
    sequence, fixed = (bounds(lift(*groups, method=method)) for method in ("any_look", "fixed"))
    assert sequence[0] < fixed[0] < 700 / 18_000 / (60 / 2000) - 1 < fixed[1] < sequence[1]
    # Below the ratio by as many standard errors as the method says: 3.04 and 1.96.
    for method in ("any_look", "fixed"):
        low, _ = bounds(lift(*groups, method=method))
        gap = groups[0].mean - (1 + low) * groups[1].mean
        error = math.hypot(
            math.sqrt(groups[0].mean_variance), (1 + low) * math.sqrt(groups[1].mean_variance)
        )
        times = boundary(20_000, confidence=0.95, method=method)
        assert gap / error == pytest.approx(times, rel=1e-9)


FLAT = Moments(count=50, mean=2.0, m2=0.0)
GOOD = Moments(count=50, mean=2.0, m2=9.0)
NONE = Moments(count=0, mean=0.0, m2=0.0)
ONE = Moments(count=1, mean=2.0, m2=0.0)


@pytest.mark.parametrize("method", ["any_look", "fixed"])
@pytest.mark.parametrize(
    ("treatment", "control", "relative", "reason"),
    [
        (NONE, NONE, None, "at least 2 units in each group; treatment has 0"),
        (NONE, GOOD, None, "at least 2 units in each group; treatment has 0"),
        (ONE, GOOD, 0.0, "at least 2 units in each group; treatment has 1"),
        (GOOD, NONE, None, "at least 2 units in each group; control has 0"),
        (GOOD, ONE, 0.0, "at least 2 units in each group; control has 1"),
        (conversions(0, 50), ONE, -1.0, "at least 2 units in each group; control has 1"),
        (GOOD, conversions(0, 50), None, "Control's mean is 0.0"),
        (GOOD, Moments(count=50, mean=-1.0, m2=1.0), None, "Control's mean is -1.0"),
        (conversions(0, 50), GOOD, -1.0, "All units of treatment have the same value"),
        (GOOD, FLAT, 0.0, "All units of control have the same value"),
        (GOOD, Moments(count=50, mean=1e-310, m2=1.0), None, "too close to zero"),
        (GOOD, Moments(count=50, mean=1e-200, m2=1.0), 2e200, "too close to zero"),
    ],
)
def test_evidence_that_bounds_nothing_says_why(
    treatment: Moments, control: Moments, relative: float | None, reason: str, method: Method
) -> None:
    result = lift(treatment, control, method=method)
    assert result.relative == relative
    assert (result.low, result.high) == (None, None)
    assert reason in result.reason


def test_a_fixed_interval_covers_the_true_lift_as_often_as_it_says() -> None:
    # 2,000 experiments: the standard error of a 95 % coverage is 0.5 points, the tolerance three.
    random = np.random.default_rng(4)
    treated, left = random.binomial(9000, 0.036, size=2000), random.binomial(3000, 0.03, size=2000)
    covered = 0
    for t, c in zip(treated.tolist(), left.tolist(), strict=True):
        low, high = bounds(lift(conversions(t, 9000), conversions(c, 3000), method="fixed"))
        covered += low <= 0.2 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.015)


def found_by_looks(*, rate: float, control_rate: float, seed: int, method: Method) -> float:
    """Share of 300 experiments of 30 daily looks in which zero was ever left out."""
    random = np.random.default_rng(seed)
    treated = random.binomial(1800, rate, size=(300, 30)).cumsum(axis=1).tolist()
    left = random.binomial(200, control_rate, size=(300, 30)).cumsum(axis=1).tolist()
    found = 0
    for t_days, c_days in zip(treated, left, strict=True):
        for day, (t, c) in enumerate(zip(t_days, c_days, strict=True), start=1):
            result = lift(conversions(t, 1800 * day), conversions(c, 200 * day), method=method)
            if (result.low or 0.0) > 0 or (result.high or 0.0) < 0:
                found += 1
                break
    return found / 300


def test_without_an_effect_daily_looks_seldom_find_one_unless_the_interval_is_fixed() -> None:
    # Longer simulations give some 0.02 and 0.35; the standard errors here are 0.01 and 0.03.
    assert found_by_looks(rate=0.05, control_rate=0.05, seed=5, method="any_look") <= 0.05
    assert found_by_looks(rate=0.05, control_rate=0.05, seed=5, method="fixed") >= 0.2


def test_a_large_effect_is_found_by_daily_looks() -> None:
    # Forty per cent more at a rate of 5 %: the power is above 0.99.
    assert found_by_looks(rate=0.07, control_rate=0.05, seed=6, method="any_look") >= 0.97
