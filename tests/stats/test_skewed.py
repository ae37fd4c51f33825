"""Intervals around means of skewed values: the truth is within as often as they say."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from opportune.stats import (
    Estimate,
    doubly_robust,
    ips,
    mean_interval,
    moments,
    skewed_interval,
    snips,
)

Floats = NDArray[np.float64]

Z = NormalDist().inv_cdf(0.975)
COMBINATIONS = 60
UNIFORM_SHARE = 0.05
# How many of 32 draws voted for the six combinations that the committee plays.
VOTES = np.array([16, 8, 4, 2, 1, 1])


def test_values_without_skewness_get_the_plain_interval() -> None:
    values = np.tile([1.0, 2.0, 3.0], 50)
    found = skewed_interval(values)
    plain = mean_interval(moments(values), method="fixed")
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high), rel=1e-12)
    assert (found.value, found.count, found.confidence) == (2.0, 150, 0.95)


def test_the_longer_side_is_that_of_the_long_tail() -> None:
    values = np.r_[np.zeros(990), np.full(10, 20.0)]
    found, mirrored = skewed_interval(values), skewed_interval(-values)
    assert found.low is not None
    assert found.high is not None
    assert found.high - 0.2 > 1.5 * (0.2 - found.low) > 0
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), rel=1e-12)


def test_the_bounds_are_where_the_cubic_of_hall_reaches_the_quantiles() -> None:
    values = np.random.default_rng(4).gamma(0.1, size=400)
    found = skewed_interval(values, confidence=0.9)
    bend = float(stats.skew(values)) / math.sqrt(values.size)
    reached = []
    for bound in (found.low, found.high):
        assert bound is not None
        t = (values.mean() - bound) / stats.sem(values)
        reached.append(t + bend * t**2 / 3 + bend**2 * t**3 / 27 + bend / 6)
    quantile = NormalDist().inv_cdf(0.95)
    assert reached == pytest.approx([quantile, -quantile], rel=1e-12)


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0]])
def test_too_little_has_no_bounds_and_says_so(values: list[float]) -> None:
    found = skewed_interval(np.array(values))
    assert (found.low, found.high) == (None, None)
    assert found.reason == mean_interval(moments(np.array(values)), method="fixed").reason != ""


def test_huge_values_have_bounds() -> None:
    found = skewed_interval(np.r_[np.zeros(500), 1e150])
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1e150 / 501 < found.high < 1e151


def committee() -> tuple[Floats, Floats]:
    """Propensities of a committee with a little uniform play, and weights of uniform play."""
    propensities = np.full(COMBINATIONS, UNIFORM_SHARE / COMBINATIONS)
    propensities[: VOTES.size] += (1 - UNIFORM_SHARE) * VOTES / 32
    return propensities, 1 / COMBINATIONS / propensities


@pytest.mark.parametrize(("rows", "rate"), [(32_000, 0.03), (8_000, 0.03), (32_000, 0.004)])
def test_uniform_play_is_covered_from_a_committees_log(rows: int, rate: float) -> None:
    """Weights of 19 on some 43, 11 and 6 rewarded rows, the rest of the weight on common ones.

    20,000 logs each: the standard error of a 95 % coverage is 0.15 points.
    """
    logs = 20_000
    propensities, weights = committee()
    rates = np.full(COMBINATIONS, rate)
    rates[: VOTES.size] *= 1.6
    cells = propensities * rates
    random = np.random.default_rng(rows)
    rewarded = random.multinomial(rows, np.r_[cells, 1 - cells.sum()], size=logs)[:, :-1]
    sums = [rewarded @ weights**power / rows for power in (1, 2, 3)]
    low, high = bounds(sums, rows)
    plain = Z * np.sqrt((sums[1] - sums[0] ** 2) / (rows - 1))
    truth = rates.mean()
    above, below = np.mean(low > truth), np.mean(high < truth)
    # Misses lie on both sides; the plain interval misses above two to ten times as often.
    assert above == pytest.approx(0.022, abs=0.006)
    assert below <= 0.025
    assert 0.948 <= 1 - above - below <= 0.985
    plain_above = np.mean(sums[0] - plain > truth)
    plain_below = np.mean(sums[0] + plain < truth)
    assert plain_below > 0.038 > 2 * plain_above
    assert 1 - plain_above - plain_below < 0.945 < 1 - above - below


def bounds(sums: list[Floats], rows: int) -> tuple[Floats, Floats]:
    """Hall's bounds of many logs at once, from mean powers; the next test ties them to ours."""
    mean, square, cube = sums
    variance = square - mean**2
    bend = (cube - 3 * mean * square + 2 * mean**3) / variance**1.5 / math.sqrt(rows)
    error = np.sqrt(variance / (rows - 1))
    low, high = (
        mean - error * 3 / bend * (np.cbrt(1 + bend * (z - bend / 6)) - 1) for z in (Z, -Z)
    )
    return low, high


def test_the_estimator_gives_the_bounds_that_were_checked() -> None:
    rows, random = 8_000, np.random.default_rng(3)
    propensities, weights = committee()
    actions = random.choice(COMBINATIONS, size=rows, p=propensities)
    rewards = (random.random(rows) < 0.03).astype(np.float64)
    found = ips(
        rewards,
        propensities=propensities[actions],
        targets=np.full(rows, 1 / COMBINATIONS),
    )
    terms = weights[actions] * rewards
    low, high = bounds([np.array(np.mean(terms**power)) for power in (1, 2, 3)], rows)
    assert (found.low, found.high) == pytest.approx((float(low), float(high)), rel=1e-9)
    assert found.trustworthy


def rare_and_common(rewarded: int) -> dict[str, Floats]:
    """10,000 rows of weight 0.8, but for ten of weight 200 that are a fifth of the target's play.

    Of the common rows 300 have a reward, and of the ten so many.
    """
    rewards = np.zeros(10_000)
    rewards[-300:] = 1.0
    rewards[:rewarded] = 1.0
    propensities, targets = np.full(10_000, 0.5), np.full(10_000, 0.4)
    propensities[:10], targets[:10] = 0.002, 0.4
    return {"rewards": rewards, "propensities": propensities, "targets": targets}


@pytest.mark.parametrize("estimator", [ips, snips])
def test_a_few_rows_that_decide_and_have_no_reward_are_refused(
    estimator: Callable[..., Estimate],
) -> None:
    found = estimator(**rare_and_common(0))
    assert found.effective_sample_size > 200
    assert found.value == pytest.approx(0.024, rel=0.01)
    assert (found.low, found.high, found.trustworthy) == (None, None, False)
    assert found.reason == (
        "10 rows of the log stand for 20% of the target policy's play, and one reward more among"
        " them would leave the interval: too few to tell what it earns there."
    )
    # With a reward among them the interval knows how far it may be off.
    seen = estimator(**rare_and_common(1))
    assert seen.high is not None
    assert seen.high > 2 * 0.044
    assert seen.trustworthy


def test_heavy_rows_that_are_little_of_the_targets_play_are_no_reason() -> None:
    columns = rare_and_common(0)
    columns["propensities"][1:10] = 0.5
    columns["propensities"][0] = 0.004
    found = snips(**columns)
    assert found.value is not None
    assert found.low is not None
    # One reward on the row of weight 100 would move the value further than the interval goes.
    assert found.value - found.low < 100 / 10_000
    assert found.trustworthy


def test_a_log_without_a_reward_has_bounds_by_the_model_alone() -> None:
    columns = rare_and_common(0)
    columns["rewards"] = np.zeros(10_000)
    model = np.tile([0.02, 0.04], 5_000)
    found = doubly_robust(**columns, predicted=model, expected=model)
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.high


def test_an_interval_that_is_not_refused_covers_where_few_rows_decide() -> None:
    """A fifth of the target's play lies on about ten rows of weight 200, rewarded at 5 %."""
    random, rows = np.random.default_rng(8), 10_000
    given, refused, covered, plain = 0, 0, 0, 0
    truth = 0.8 * 0.03 + 0.2 * 0.05
    for _ in range(400):
        rare = random.random(rows) < 0.001
        chance = np.where(rare, 0.05, 0.03)
        rewards = (random.random(rows) < chance).astype(np.float64)
        propensities = np.where(rare, 0.001, 0.999)
        targets = np.where(rare, 0.2, 0.8)
        found = ips(rewards, propensities=propensities, targets=targets)
        unchecked = skewed_interval(rewards * targets / propensities)
        plain += (unchecked.low or 0) <= truth <= (unchecked.high or 0)
        if found.low is None or found.high is None:
            refused += 1
        else:
            given += 1
            covered += found.low <= truth <= found.high
    # Without a reward among the ten, which is as likely as not, the interval would be wrong.
    assert plain < 0.5 * 400
    assert refused == pytest.approx(400 * 0.6, abs=60)
    assert covered > 0.93 * given
