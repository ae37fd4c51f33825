"""Estimators that weigh options, against worked numbers, known truth and each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from opportune.stats import (
    Estimate,
    InvalidPropensity,
    InvalidSample,
    doubly_robust,
    ips,
    pseudo_inverse,
    pseudo_inverse_dr,
    switch_dr,
)

Floats = NDArray[np.float64]
Estimator = Callable[..., Estimate]

TIMES = 400
REWARDS = np.tile([1.0, 0.0, 2.0, 4.0], TIMES)
PROPENSITIES = np.tile([[0.5, 0.5], [0.25, 0.5], [1.0, 0.2], [0.2, 0.4]], (TIMES, 1))
TARGETS = np.tile([[0.25, 1.0], [0.75, 0.0], [0.5, 0.3], [0.1, 0.2]], (TIMES, 1))
# G: 0.5 + 2 - 1, 3 + 0 - 1, 0.5 + 1.5 - 1, 0.5 + 0.5 - 1.
PREDICTED = np.tile([1.0, 1.0, 1.0, 3.0], TIMES)
EXPECTED = np.tile([0.5, 1.5, 1.0, 2.0], TIMES)

modelled = partial(pseudo_inverse_dr, predicted=PREDICTED, expected=EXPECTED)


def test_a_worked_example() -> None:
    plain = pseudo_inverse(REWARDS, propensities=PROPENSITIES, targets=TARGETS)
    assert plain.value == pytest.approx((1.5 + 0 + 2 + 0) / 4, rel=1e-12)
    robust = modelled(REWARDS, propensities=PROPENSITIES, targets=TARGETS)
    assert robust.value == pytest.approx((0.5 + (1.5 - 2) + (1 + 1) + 2) / 4, rel=1e-12)
    for found in (plain, robust):
        assert found.mean_weight == pytest.approx(4.5 / 4, rel=1e-12)
        size = TIMES * 4.5**2 / (1.5**2 + 2**2 + 1)
        assert found.effective_sample_size == pytest.approx(size, rel=1e-12)
        assert found.trustworthy


def test_one_dimension_is_the_weight_of_the_whole_action() -> None:
    one = {"propensities": PROPENSITIES[:, 0], "targets": TARGETS[:, 0]}
    wide = {"propensities": PROPENSITIES[:, :1], "targets": TARGETS[:, :1]}
    assert pseudo_inverse(REWARDS, **wide) == ips(REWARDS, **one)
    model = {"predicted": PREDICTED, "expected": EXPECTED}
    assert pseudo_inverse_dr(REWARDS, **wide, **model) == doubly_robust(REWARDS, **one, **model)


@pytest.mark.parametrize("estimator", [pseudo_inverse, modelled])
@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"propensities": PROPENSITIES[:, 0]}, InvalidSample, r"Allowed: one per reward and dim"),
        ({"propensities": PROPENSITIES[:, :0]}, InvalidSample, r"Allowed: .* \(1600, D\)"),
        ({"propensities": PROPENSITIES[1:]}, InvalidSample, r"\(1599, 2\) for 1600 rewards"),
        ({"targets": TARGETS[:, :1]}, InvalidSample, r"targets has shape .* \(1600, 2\)\."),
        (
            {"targets": TARGETS * 2},
            InvalidSample,
            r"800 of 1600 rows of targets .* index 0 \(2.0\)",
        ),
        ({"propensities": PROPENSITIES * 0}, InvalidPropensity, r"1600 of 1600 rows .* index 0"),
        ({"propensities": PROPENSITIES * np.nan}, InvalidPropensity, r"index 0 \(nan\)"),
    ],
)
def test_columns_that_do_not_fit_are_refused(
    estimator: Estimator, changed: dict[str, Floats], error: type[Exception], message: str
) -> None:
    columns = {"propensities": PROPENSITIES, "targets": TARGETS}
    with pytest.raises(error, match=message):
        estimator(REWARDS, **(columns | changed))


# Chances of a reward by option of two dimensions: a sum, and one with a pair that suits.
ADDITIVE = np.array([0.05, 0.10, 0.20])[:, None] + np.array([0.0, 0.05, 0.1, 0.25])
PAIRED = ADDITIVE + np.array([[0, 0, 0, 0.2], [0, 0.2, 0, 0], [0, 0, 0, 0]])
# Each dimension by itself: how it was logged, and how the target plays it.
LOGGED = (np.array([0.5, 0.3, 0.2]), np.array([0.3, 0.3, 0.2, 0.2]))
WANTED = (np.array([0.1, 0.2, 0.7]), np.array([0.1, 0.1, 0.2, 0.6]))
# The target plays pairs more often than its options by themselves would meet.
TOGETHER = 0.5 * np.outer(*WANTED)
TOGETHER[2, 3] += 0.5
BY_OPTION = (TOGETHER.sum(axis=1), TOGETHER.sum(axis=0))


def errors_of(
    truth: Floats, model: Floats, *, logs: int = 200, rows: int = 3_000
) -> dict[str, Floats]:
    """Error and coverage of each estimator, ``(logs, 2)``, where dimensions are logged apart."""
    random, value = np.random.default_rng(12), float((TOGETHER * truth).sum())
    found: dict[str, list[tuple[float, bool]]] = {}
    for _ in range(logs):
        a, b = (random.choice(len(each), size=rows, p=each) for each in LOGGED)
        rewards = (random.random(rows) < truth[a, b]).astype(np.float64)
        guess = {
            "predicted": model[a, b],
            "expected": np.full(rows, float((TOGETHER * model).sum())),
        }
        option = {
            "propensities": np.stack([LOGGED[0][a], LOGGED[1][b]], axis=1),
            "targets": np.stack([BY_OPTION[0][a], BY_OPTION[1][b]], axis=1),
        }
        whole = {"propensities": LOGGED[0][a] * LOGGED[1][b], "targets": TOGETHER[a, b]}
        second = {"propensities": LOGGED[1][b], "targets": BY_OPTION[1][b]}
        for name, each in {
            "pi": pseudo_inverse(rewards, **option),
            "pi_dr": pseudo_inverse_dr(rewards, **option, **guess),
            "dr": doubly_robust(rewards, **whole, **guess),
            "switch": switch_dr(rewards, **whole, **guess, cap=10.0),
            "marginal": ips(rewards, **second),
            "clustered": doubly_robust(rewards, **second, **guess),
        }.items():
            assert each.value is not None
            assert each.low is not None
            assert each.high is not None
            found.setdefault(name, []).append((each.value - value, each.low <= value <= each.high))
    return {name: np.array(each) for name, each in found.items()}


def biased(errors: Floats) -> bool:
    """Whether the mean error is more than four of its standard errors from 0."""
    return bool(abs(errors.mean()) > 4 * errors.std() / np.sqrt(len(errors)))


def test_a_sum_over_options_is_found_without_bias_and_with_less_variance() -> None:
    found = errors_of(ADDITIVE, np.zeros_like(ADDITIVE))
    errors = {name: each[:, 0] for name, each in found.items()}
    assert [name for name, each in errors.items() if biased(each)] == [
        # The pair that the target prefers has weight 18 and is left to a model of nothing;
        # the first dimension, which is not weighed, matters and is not modelled.
        "switch",
        "marginal",
        "clustered",
    ]
    assert errors["pi"].std() < 0.65 * errors["dr"].std()
    # 200 logs: three standard errors of a coverage of 95 % are 4.6 points.
    for name in ("pi", "pi_dr", "dr"):
        assert found[name][:, 1].mean() == pytest.approx(0.95, abs=0.046)


def test_pairs_that_matter_bias_weights_of_options_until_the_model_knows_them() -> None:
    nothing = errors_of(PAIRED, np.zeros_like(PAIRED))
    assert biased(nothing["pi"][:, 0])
    assert biased(nothing["pi_dr"][:, 0])
    assert not biased(nothing["dr"][:, 0])
    # The model is wrong by a sum over the options: the pairs are right.
    knowing = errors_of(PAIRED, PAIRED - ADDITIVE + 0.1)
    assert not biased(knowing["pi_dr"][:, 0])
    assert not biased(knowing["dr"][:, 0])
    assert knowing["pi_dr"][:, 0].std() < 0.65 * knowing["dr"][:, 0].std()
    assert knowing["pi_dr"][:, 1].mean() == pytest.approx(0.95, abs=0.046)


def test_a_cluster_is_enough_where_the_model_knows_the_differences_within_it() -> None:
    # What the model misses depends on the second dimension only.
    missing = np.array([0.02, -0.03, 0.05, 0.1])
    found = errors_of(PAIRED, PAIRED - missing)
    assert not biased(found["clustered"][:, 0])
    assert found["clustered"][:, 1].mean() == pytest.approx(0.95, abs=0.046)
    assert found["clustered"][:, 0].std() < found["dr"][:, 0].std()
    # The cap leaves the pair that the target prefers to the model.
    assert biased(found["switch"][:, 0])
    assert found["switch"][:, 0].std() < found["dr"][:, 0].std()


def test_the_reward_of_the_other_dimensions_does_not_matter_to_marginal_weights() -> None:
    truth = np.tile(np.array([0.1, 0.1, 0.3, 0.4]), (3, 1))
    found = errors_of(truth, np.zeros_like(truth))
    assert not biased(found["marginal"][:, 0])
    assert found["marginal"][:, 0].std() < 0.65 * found["dr"][:, 0].std()
