"""Treatment over control: the number, its bounds, and when there are none."""

import math

import numpy as np
import pytest

from opportune.stats import Lift, Method, Moments, lift, moments


def conversions(successes: int, of: int) -> Moments:
    return Moments(count=of, mean=successes / of, m2=successes - successes * successes / of)


def bounds(result: Lift) -> tuple[float, float]:
    assert result.low is not None
    assert result.high is not None
    return result.low, result.high


def test_relative_difference_of_the_physicians_health_study() -> None:
    # 104 of 11,037 on aspirin and 189 of 11,034 on placebo had a heart attack: relative risk 0.55.
    # Its standard error by the textbook formula: that of the logarithm times the ratio.
    result = lift(conversions(104, 11_037), conversions(189, 11_034), method="fixed")
    assert result.relative is not None
    assert round(result.relative, 4) == -0.4499
    risk = 104 / 11_037 * 11_034 / 189
    error = risk * math.sqrt((1 - 104 / 11_037) / 104 + (1 - 189 / 11_034) / 189)
    # The unbiased variance divides by one less than the count.
    assert bounds(result) == pytest.approx(
        (risk - 1 - 1.959964 * error, risk - 1 + 1.959964 * error), rel=1e-4
    )


def test_variance_is_that_of_the_numerical_delta_method() -> None:
    random = np.random.default_rng(3)
    t, c = random.gamma(2, 3, size=800), random.gamma(2, 2.5, size=300)
    step = 1e-6
    slopes = (
        ((t.mean() + step) / c.mean() - (t.mean() - step) / c.mean()) / (2 * step),
        (t.mean() / (c.mean() + step) - t.mean() / (c.mean() - step)) / (2 * step),
    )
    variance = slopes[0] ** 2 * t.var(ddof=1) / 800 + slopes[1] ** 2 * c.var(ddof=1) / 300
    low, high = bounds(lift(moments(t), moments(c), method="fixed"))
    assert (high - low) / 2 == pytest.approx(1.959963984540054 * math.sqrt(variance), rel=1e-7)


def test_result_carries_the_people_behind_it() -> None:
    result = lift(conversions(270, 9000), conversions(25, 1000), confidence=0.9)
    assert (result.treatment_count, result.control_count) == (9000, 1000)
    assert (result.treatment_mean, result.control_mean) == (0.03, 0.025)
    assert (result.relative, result.method) == (pytest.approx(0.2), "any_look")
    assert (result.confidence, result.reason) == (0.9, "")


def test_any_look_is_wider_than_fixed_around_the_same_number() -> None:
    groups = conversions(700, 18_000), conversions(60, 2000)
    sequence, fixed = (bounds(lift(*groups, method=method)) for method in ("any_look", "fixed"))
    assert sum(sequence) == pytest.approx(sum(fixed))
    # At the default count at which it is tightest.
    assert (sequence[1] - sequence[0]) / (fixed[1] - fixed[0]) == pytest.approx(1.6747, abs=1e-4)


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
    # Longer simulations give some 0.015 and 0.35; the standard errors here are 0.01 and 0.03.
    assert found_by_looks(rate=0.05, control_rate=0.05, seed=5, method="any_look") <= 0.05
    assert found_by_looks(rate=0.05, control_rate=0.05, seed=5, method="fixed") >= 0.2


def test_a_large_effect_is_found_by_daily_looks() -> None:
    # Forty per cent more at a rate of 5 %: the power is above 0.99.
    assert found_by_looks(rate=0.07, control_rate=0.05, seed=6, method="any_look") >= 0.97
