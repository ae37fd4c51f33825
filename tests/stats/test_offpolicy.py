"""What another policy would have earned, against worked numbers and known truth."""

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize, stats

from opportune.stats import (
    Estimate,
    InvalidPropensity,
    InvalidSample,
    doubly_robust,
    ips,
    snips,
    switch_dr,
)

Floats = NDArray[np.float64]
Estimator = Callable[..., Estimate]

REWARDS = np.array([1.0, 0.0, 2.0, 4.0])
PROPENSITIES = np.array([0.5, 0.25, 1.0, 0.2])
TARGETS = np.array([0.25, 0.75, 0.5, 0.1])
# Weights 0.5, 3, 0.5, 0.5: sum 4.5, sum of squares 9.75.
PREDICTED = np.array([1.0, 1.0, 1.0, 3.0])
EXPECTED = np.array([0.5, 1.5, 1.0, 2.0])
TIMES = 60

robust = partial(doubly_robust, predicted=PREDICTED, expected=EXPECTED)
capped = partial(switch_dr, predicted=PREDICTED, expected=EXPECTED)


def bounds(influence: Floats) -> tuple[float, float]:
    """Where Hall's cubic reaches the normal quantiles, found by search."""
    bend = float(stats.skew(influence)) / math.sqrt(len(influence))

    def cubic(t: float, z: float) -> float:
        return t + bend * t**2 / 3 + bend**2 * t**3 / 27 + bend / 6 - z

    z = float(stats.norm.ppf(0.975))
    ratios = [float(optimize.brentq(cubic, -50, 50, args=(each,))) for each in (z, -z)]
    low, high = (influence.mean() - ratio * stats.sem(influence) for ratio in ratios)
    return low, high


@pytest.mark.parametrize(
    ("estimator", "value", "influence"),
    [
        (ips, 3.5 / 4, [0.5, 0, 1, 2]),
        # 7/9 and 7/9 + w (r - 7/9) 4 / 4.5
        (snips, 7 / 9, [7 / 9 + 8 / 81, 7 / 9 - 168 / 81, 7 / 9 + 44 / 81, 7 / 9 + 116 / 81]),
        (doubly_robust, 3.0 / 4, [0.5, -1.5, 1.5, 2.5]),
        # Nothing is above the cap, then the second row is, then none is with a weight of the cap.
        (switch_dr, 3.0 / 4, [0.5, -1.5, 1.5, 2.5]),
        (partial(switch_dr, cap=2.0), 6.0 / 4, [0.5, 1.5, 1.5, 2.5]),
        (partial(switch_dr, cap=3.0), 3.0 / 4, [0.5, -1.5, 1.5, 2.5]),
    ],
)
def test_a_worked_example(estimator: Estimator, value: float, influence: list[float]) -> None:
    columns = {"propensities": PROPENSITIES, "targets": TARGETS}
    if estimator not in (ips, snips):
        columns |= {"predicted": PREDICTED, "expected": EXPECTED}
    many = {name: np.tile(values, TIMES) for name, values in columns.items()}
    found = estimator(np.tile(REWARDS, TIMES), **many)
    low, high = bounds(np.tile(influence, TIMES))
    assert (found.value, found.low, found.high) == pytest.approx((value, low, high), rel=1e-9)
    if isinstance(estimator, partial) and estimator.keywords["cap"] == 2.0:
        assert (found.effective_sample_size, found.mean_weight) == pytest.approx((180.0, 0.375))
    else:
        assert found.effective_sample_size == pytest.approx(TIMES * 4.5**2 / 9.75, rel=1e-12)
        assert found.mean_weight == 1.125
    assert (found.count, found.trustworthy, found.reason) == (4 * TIMES, True, "")


@pytest.mark.parametrize("rows", [99, 100])
def test_an_effective_sample_size_of_a_hundred_is_trusted(rows: int) -> None:
    # The target plays what was logged: every row counts fully.
    half = np.full(rows, 0.5)
    found = snips(np.arange(rows) % 2.0, propensities=half, targets=half)
    assert found.effective_sample_size == rows
    assert found.value == pytest.approx(0.5, abs=0.01)
    bounded = found.low is not None and found.high is not None
    assert (found.trustworthy, bounded) == (rows == 100, rows == 100)
    assert found.reason == (
        ""
        if rows == 100
        else "The log is worth 99 rows of the target policy's own play; from 100 on a number can be"
        " trusted."
    )


@pytest.mark.parametrize("cap", [0.0, -1.0, math.nan])
def test_a_cap_that_is_no_weight_is_refused(cap: float) -> None:
    with pytest.raises(InvalidSample, match=r"cap is .* Allowed: a weight above 0, such as 100\."):
        capped(REWARDS, propensities=PROPENSITIES, targets=TARGETS, cap=cap)


CRUDE, EXACT = (0.15, 0.15, 0.3), (0.1, 0.2, 0.4)


def estimates(
    rows: int, *, seed: int, model: tuple[float, ...]
) -> tuple[tuple[Estimate, Estimate, Estimate], float]:
    """Three actions that convert at 10, 20 and 40 %, logged at 60/30/10, wanted at 10/20/70."""
    random = np.random.default_rng(seed)
    rates, log, target = np.array(EXACT), np.array([0.6, 0.3, 0.1]), np.array([0.1, 0.2, 0.7])
    actions = random.choice(3, size=rows, p=log)
    rewards = (random.random(rows) < rates[actions]).astype(np.float64)
    guesses = np.array(model)
    both = {"propensities": log[actions], "targets": target[actions]}
    expected = np.full(rows, float(guesses @ target))
    return (
        ips(rewards, **both),
        snips(rewards, **both),
        doubly_robust(rewards, **both, predicted=guesses[actions], expected=expected),
    ), float(rates @ target)


def test_every_estimator_covers_the_known_value_as_often_as_it_says() -> None:
    # 600 logs: the standard error of a 95 % coverage is 0.9 points, the tolerance three of them.
    covered = np.zeros(3)
    for seed in range(600):
        found, truth = estimates(1000, seed=seed, model=CRUDE)
        for index, estimate in enumerate(found):
            assert estimate.low is not None
            assert estimate.high is not None
            covered[index] += estimate.low <= truth <= estimate.high
    assert covered / 600 == pytest.approx(0.95, abs=0.027)


def test_intervals_have_the_width_that_theory_gives_them() -> None:
    # By enumerating the three actions, with weights w = target / log: the sum of log w^2 times the
    # mean of reward^2 (less the value^2), of (reward - value)^2, and of (reward - rate)^2.
    rows = 200_000
    found, truth = estimates(rows, seed=7, model=EXACT)
    widths = [(each.high or 0.0) - (each.low or 0.0) for each in found]
    variances = [(width / 2 / 1.959964) ** 2 * rows for width in widths]
    assert variances == pytest.approx([1.8794, 1.2260, 1.1988], rel=0.04)
    assert [each.value for each in found] == pytest.approx([truth] * 3, abs=0.01)
    assert [each.trustworthy for each in found] == [True, True, True]


def test_a_target_the_log_does_not_cover_shows_in_the_mean_weight() -> None:
    # Uniform over two of four options, target mostly on the other two: 20 % of its play was logged.
    rewards = np.tile([0.0, 1.0], 500)
    columns = {"propensities": np.full(1000, 0.5), "targets": np.full(1000, 0.1)}
    found = ips(rewards, **columns)
    assert found.mean_weight == pytest.approx(0.2)
    assert found.effective_sample_size == pytest.approx(1000)
    # The rest counts as earning nothing, so this is no interval of the target's value.
    assert (found.value, found.low, found.high) == (pytest.approx(0.1), None, None)
    assert found.reason == (
        "The log lacks 80% of the target policy's play, which here counts as earning nothing."
    )
    # The sum of the weights, or a model, makes up for it.
    assert snips(rewards, **columns).trustworthy
    model = np.full(1000, 0.4)
    assert doubly_robust(rewards, **columns, predicted=model, expected=model).trustworthy


def test_weights_that_are_too_small_by_chance_or_by_little_are_no_reason() -> None:
    # Weights 0.8 and 10.8 at 98 to 2: the mean is 1; without four of the large ones it is 0.96.
    rewards = np.tile([0.0, 1.0], 500)
    weights = np.r_[np.full(984, 0.8), np.full(16, 10.8)]
    by_chance = ips(rewards, propensities=np.full(1000, 0.05), targets=weights * 0.05)
    assert by_chance.mean_weight == pytest.approx(0.96)
    assert by_chance.trustworthy
    # Two percent less is certain, and moves the value by less than chance does.
    by_little = ips(rewards, propensities=np.full(1000, 0.5), targets=np.full(1000, 0.49))
    assert by_little.mean_weight == pytest.approx(0.98)
    assert by_little.trustworthy


@pytest.mark.parametrize("estimator", [ips, snips, robust, capped])
def test_a_target_that_plays_nothing_logged_has_no_value(estimator: Estimator) -> None:
    found = estimator(REWARDS, propensities=PROPENSITIES, targets=np.zeros(4))
    assert (found.value, found.low, found.high, found.trustworthy) == (None, None, None, False)
    assert (found.effective_sample_size, found.mean_weight, found.count) == (0.0, 0.0, 4)
    assert (
        found.reason == "The target policy plays no logged action, so the log says nothing of it."
    )


def test_an_empty_log_has_no_value() -> None:
    found = snips(np.array([]), propensities=np.array([]), targets=np.array([]))
    assert (found.value, found.low, found.high, found.count) == (None, None, None, 0)
    assert found.reason == "An interval needs at least 2 units; there are 0."


def test_rewards_that_never_differ_have_a_value_and_no_bounds() -> None:
    full = np.ones(200)
    found = ips(np.zeros(200), propensities=full, targets=full)
    assert (found.value, found.low, found.high, found.trustworthy) == (0.0, None, None, False)
    assert found.reason == "All 200 units have the same value, so the spread is unknown."


@pytest.mark.parametrize("estimator", [ips, snips, robust, capped])
@pytest.mark.parametrize(
    ("bad", "shown"),
    [(0.0, "0.0"), (-0.5, "-0.5"), (1.01, "1.01"), (1e-310, "1e-310"), (np.nan, "nan")],
)
def test_a_propensity_that_is_no_probability_is_refused(
    estimator: Estimator, bad: float, shown: str
) -> None:
    propensities = np.array([0.5, bad, 0.5, bad])
    with pytest.raises(InvalidPropensity) as refused:
        estimator(REWARDS, propensities=propensities, targets=TARGETS)
    assert refused.value.code == "invalid_propensity"
    assert refused.value.message == (
        "2 of 4 rows of propensities are outside the allowed range, the first at index 1"
        f" ({shown}). Allowed: above 0 (1e-100 or more) and at most 1."
        " Leave out rows whose probability was not logged."
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"propensities": np.ones(3)}, r"propensities has shape \(3,\) for 4 rewards"),
        ({"targets": np.ones(3)}, r"targets has shape \(3,\) for 4 rewards"),
        ({"targets": np.array([0, 0, 1.5, 0])}, r"1 of 4 rows of targets .* index 2 \(1.5\)"),
        ({"targets": np.array([0, -0.1, 1, 0])}, r"1 of 4 rows of targets .* index 1 \(-0.1\)"),
        ({"predicted": np.ones(5)}, r"predicted has shape \(5,\) for 4 rewards"),
        ({"expected": np.array([0, 0, 0, np.nan])}, "expected has 1 of 4 rows that are not finite"),
    ],
)
def test_columns_that_do_not_fit_are_refused(changed: dict[str, Floats], message: str) -> None:
    columns = {
        "propensities": PROPENSITIES,
        "targets": TARGETS,
        "predicted": PREDICTED,
        "expected": EXPECTED,
    }
    with pytest.raises(InvalidSample, match=message):
        doubly_robust(REWARDS, **(columns | changed))
