"""Rewards that are worth something: a chance of anything, times a log-normal amount."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lessons import rewarded, rows_of, space_of
from opportune.policies import ActionSpace, Batch, FactoredThompson, everything

Floats = NDArray[np.float64]

SPACE = space_of(3)
CHANCE = np.array([0.30, 0.20, 0.12])
LOGS = np.array([2.0, 2.0, 3.5])
SPREAD = 0.6
MEANS = CHANCE * np.exp(LOGS + SPREAD**2 / 2)


def day(seed: int, *, count: int = 6_000, unit: float = 1.0) -> Batch:
    rows = rows_of(SPACE, count, seed=seed, features=1)
    offer = rows.actions[:, 0]
    rows = rewarded(rows, np.log(CHANCE / (1 - CHANCE))[offer], seed=seed + 50)
    logs = LOGS[offer] + np.random.default_rng(seed + 900).normal(0, SPREAD, count)
    return replace(rows, rewards=rows.rewards * np.exp(logs) * unit)


LEARNED = FactoredThompson(SPACE, 1, reward="amount").update(day(1)).update(day(2))


def expected(policy: FactoredThompson) -> Floats:
    return policy.expected(np.zeros((3, 1)), SPACE.actions())


def test_amounts_are_expected_in_their_own_unit() -> None:
    assert expected(LEARNED).tolist() == pytest.approx(MEANS.tolist(), rel=0.12)
    known = LEARNED.knowledge
    assert known is not None
    assert known.amount is not None
    assert known.amount.beliefs.noise == pytest.approx(SPREAD**2, rel=0.1)


@pytest.mark.parametrize("unit", [100.0, 0.01])
def test_another_unit_changes_amounts_and_not_the_play(unit: float) -> None:
    other = FactoredThompson(SPACE, 1, reward="amount")
    other = other.update(day(1, unit=unit)).update(day(2, unit=unit))
    assert expected(other).tolist() == pytest.approx((expected(LEARNED) * unit).tolist(), rel=0.05)


def test_the_option_that_earns_most_is_played_though_others_answer_more_often() -> None:
    play = LEARNED.distribution(np.zeros((1, 1)), everything(SPACE, 1), seed=1)
    assert (play.support == 2).mean() > 0.9
    converted = replace(day(1), rewards=(day(1).rewards > 0).astype(np.float64))
    binary = FactoredThompson(SPACE, 1, reward="binary").update(converted)
    play = binary.distribution(np.zeros((1, 1)), everything(SPACE, 1), seed=1)
    assert (play.support == 0).mean() > 0.9


def test_a_feature_may_matter_to_the_amount_alone() -> None:
    rows = rows_of(SPACE, 6_000, seed=1, features=1, rate=0.3)
    x, offer = rows.features[:, 0], rows.actions[:, 0]
    logs = 2.0 + 0.6 * x * np.array([1.0, 0.0, -1.0])[offer]
    logs += np.random.default_rng(2).normal(0, 0.3, 6_000)
    policy = FactoredThompson(SPACE, 1, reward="amount").update(
        replace(rows, rewards=rows.rewards * np.exp(logs))
    )
    play = policy.distribution(np.array([[1.5], [-1.5]]), everything(SPACE, 2), seed=1)
    assert (play.support[0] == 0).mean() > 0.9
    assert (play.support[1] == 2).mean() > 0.9


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_amounts_that_never_vary_are_learned_without_trouble(
    space: ActionSpace, value: float
) -> None:
    policy = FactoredThompson(space, 2, reward="amount")
    for seed in range(3):
        rows = replace(rows_of(space, 300, seed=seed), rewards=np.full(300, value))
        policy = policy.update(rows)
    found = policy.expected(rows.features, rows.actions)
    assert np.isfinite(found).all()
    assert found.tolist() == pytest.approx([value] * 300, abs=0.1 * value + 0.2)
    play = policy.distribution(rows.features, everything(space, 300), seed=1)
    assert play.support.shape == (300, 32, 3)


def test_a_single_amount_is_not_taken_for_certain() -> None:
    rows = rows_of(SPACE, 200, seed=1, features=1, rate=0.0)
    rows.rewards[3] = 500.0
    known = FactoredThompson(SPACE, 1, reward="amount").update(rows).knowledge
    assert known is not None
    assert known.amount is not None
    assert known.amount.sums[0].rows == 1.0
    assert known.amount.beliefs.noise > 0.3
