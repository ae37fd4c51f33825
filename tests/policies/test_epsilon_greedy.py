"""The greedy baseline against its definition, computed row by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from opportune.policies import (
    ActionSpace,
    BadArray,
    BadPolicySetting,
    Batch,
    Costs,
    Dimension,
    Eligibility,
    EpsilonGreedy,
    MixedEvidence,
    RewardKind,
    UnreadablePolicy,
    WrongReward,
    everything,
)
from opportune.policies.best import best_of
from opportune.policies.encoding import pack, stored_space
from opportune.policies.epsilon_greedy import _Stored

Floats = NDArray[np.float64]

SPACE = ActionSpace(
    dimensions=(
        Dimension(name="offer", options=("a", "b", "c")),
        Dimension(name="hour", options=("09", "18")),
    )
)


def rows(count: int, *, seed: int = 1, amounts: bool = False) -> Batch:
    """Offer c suits those with x > 0, offer a the others; at 18 offer b earns more."""
    numbers = np.random.default_rng(seed)
    features = np.c_[numbers.normal(50, 20, count), numbers.normal(size=count)]
    actions = SPACE.actions()[numbers.integers(0, 6, count)]
    x, offer = (features[:, 0] - 50) / 20, actions[:, 0]
    chance = 0.2 + 0.1 * x.clip(-1.5, 1.5) * (offer - 1.0)
    chance += 0.15 * ((offer == 1) & (actions[:, 1] == 1))
    rewards = (numbers.random(count) < chance).astype(np.float64)
    return Batch(
        features=features,
        actions=actions,
        rewards=rewards * (numbers.gamma(2.0, 10.0, count) if amounts else 1.0),
        propensities=np.full(count, 1 / 6),
    )


def by_definition(batch: Batch, features: Floats, actions: NDArray[np.int16]) -> Floats:
    """Ridge regression on the whole design matrix, one row after the other."""
    center, spread = batch.features.mean(axis=0), batch.features.std(axis=0)

    def phi(one: Floats, action: NDArray[np.int16]) -> Floats:
        b = np.r_[1.0, np.clip((one - center) / spread, -4, 4)]
        options, pairs = np.zeros((5, 3)), np.zeros((3, 2))
        options[action[0]] = options[3 + action[1]] = b
        pairs[action[0], action[1]] = 1.0
        return np.r_[b, options.ravel(), pairs.ravel()]

    design = np.array([phi(*each) for each in zip(batch.features, batch.actions, strict=True)])
    penalty = np.diag(np.r_[0.0, np.full(design.shape[1] - 1, 50.0)])
    weights = np.linalg.solve(design.T @ design + penalty, design.T @ batch.rewards)
    asked = np.array([phi(*each) for each in zip(features, actions, strict=True)])
    return np.asarray(asked @ weights)


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_the_expected_reward_is_the_ridge_regression_it_says(reward: RewardKind) -> None:
    batch = rows(600, amounts=reward == "amount")
    policy = EpsilonGreedy(SPACE, 2, reward=reward).update(batch)
    found = policy.expected(batch.features, batch.actions)
    wanted = by_definition(batch, batch.features, batch.actions)
    if reward == "binary":
        assert ((wanted < 0) | (wanted > 1)).any()
        wanted = wanted.clip(0, 1)
    np.testing.assert_allclose(found, wanted, rtol=1e-7, atol=1e-9)


def test_it_plays_the_best_expected_action_and_epsilon_of_everything() -> None:
    batch = rows(2_000)
    policy = EpsilonGreedy.start(
        SPACE, features=2, reward="binary", settings={"epsilon": 0.2, "shrinkage": 50.0}
    ).update(batch)
    play = policy.distribution(batch.features, everything(SPACE, 2_000), seed=1)
    assert play.uniform_share == 0.2
    assert play.weights.min() == play.weights.max() == 0.8
    scores = np.stack(
        [policy.expected(batch.features, np.tile(each, (2_000, 1))) for each in SPACE.actions()]
    )
    assert np.array_equal(SPACE.codes(play.support[:, 0]), scores.argmax(axis=0))
    assert len(np.unique(SPACE.codes(play.support[:, 0]))) >= 3


def test_forbidden_combinations_give_way_to_the_next_best() -> None:
    batch = rows(2_000)
    policy = EpsilonGreedy(SPACE, 2, reward="binary").update(batch)
    allowed = np.random.default_rng(3).random((2_000, 6)) < 0.5
    allowed[:, 4] = True
    play = policy.distribution(batch.features, Eligibility.of_combinations(SPACE, allowed), seed=1)
    scores = np.stack(
        [policy.expected(batch.features, np.tile(each, (2_000, 1))) for each in SPACE.actions()],
        axis=1,
    )
    best = np.where(allowed, scores, -np.inf).argmax(axis=1)
    assert np.array_equal(SPACE.codes(play.support[:, 0]), best)


def test_costs_are_taken_off_what_an_action_brings() -> None:
    batch = rows(4_000, amounts=True)
    policy = EpsilonGreedy(SPACE, 2, reward="amount").update(batch)
    bought = replace(batch, rewards=(batch.rewards != 0).astype(np.float64))
    costs = Costs(
        sent=(np.array([0.0, 0.4, 0.1]), np.array([0.0, 0.3])),
        rewarded=(np.array([0.0, 9.0, 2.0]), np.array([1.0, 0.0])),
    )
    play = policy.distribution(batch.features, everything(SPACE, 4_000), seed=1, costs=costs)
    scores = []
    for offer, hour in SPACE.actions():
        action = np.tile(np.array([offer, hour], dtype=np.int16), (4_000, 1))
        chance = by_definition(bought, batch.features, action).clip(0, 1)
        due = costs.rewarded[0][offer] + costs.rewarded[1][hour]
        sent = costs.sent[0][offer] + costs.sent[1][hour]
        scores.append(by_definition(batch, batch.features, action) - sent - due * chance)
    assert np.array_equal(SPACE.codes(play.support[:, 0]), np.array(scores).argmax(axis=0))


def test_equal_scores_go_to_the_first_whatever_the_last_bits_say() -> None:
    """A product of matrices differs in its last bits with the number of its rows."""
    noise = np.random.default_rng(1).normal(scale=1e-14, size=(500, 6))
    scores = np.array([0.1, 0.3, 0.3, 0.3, 0.2, 0.3]) + noise
    assert len(np.unique(scores.argmax(axis=1))) == 4
    found = best_of(SPACE, everything(SPACE, 500), lambda here: scores[here])
    assert np.unique(SPACE.codes(found)).tolist() == [1]


def test_before_any_rows_play_is_uniform_and_nothing_is_expected() -> None:
    fresh = EpsilonGreedy(SPACE, 2, reward="binary")
    play = fresh.distribution(np.zeros((3, 2)), everything(SPACE, 3), seed=1)
    assert (play.uniform_share, play.support.shape) == (1.0, (3, 0, 2))
    assert fresh.expected(np.zeros((2, 2)), np.zeros((2, 2), dtype=np.int16)).tolist() == [0, 0]
    none = rows(0)
    assert fresh.update(none).to_bytes() == fresh.to_bytes()


def test_one_dimension_has_no_pairs_and_missing_features_count_as_average() -> None:
    space = ActionSpace(dimensions=SPACE.dimensions[:1])
    batch = rows(500)
    batch = replace(batch, actions=batch.actions[:, :1])
    policy = EpsilonGreedy(space, 2, reward="binary").update(batch)
    actions = np.array([[0], [0]], dtype=np.int16)
    features = np.stack([batch.features.mean(axis=0), [np.nan, np.nan]])
    one, other = policy.expected(features, actions).tolist()
    assert one == pytest.approx(other, rel=1e-9)


def test_a_policy_survives_a_round_trip_and_other_arrays_are_refused() -> None:
    policy = EpsilonGreedy(SPACE, 2, reward="binary", epsilon=0.1).update(rows(300))
    again = EpsilonGreedy.from_bytes(policy.to_bytes())
    assert again.to_bytes() == policy.to_bytes()
    assert again.update(rows(200, seed=2)).to_bytes() == policy.update(rows(200, seed=2)).to_bytes()
    stored = _Stored(
        space=stored_space(SPACE), n_features=2, reward="binary", epsilon=0.1, shrinkage=1.0
    )
    with pytest.raises(UnreadablePolicy, match="arrays have shapes"):
        EpsilonGreedy.from_bytes(pack("epsilon_greedy", stored, {"center": np.zeros(2)}))


def test_evidence_under_another_scale_is_refused() -> None:
    fresh = EpsilonGreedy(SPACE, 2, reward="binary")
    one, other = fresh.update(rows(50)), fresh.update(rows(50, seed=2))
    with pytest.raises(MixedEvidence, match="differ in shape or feature scale"):
        one.absorb(other.evidence(rows(5)))


def test_what_does_not_fit_is_refused() -> None:
    policy = EpsilonGreedy(SPACE, 2, reward="binary")
    for settings in ({"epsilon": -0.1}, {"epsilon": 1.5}, {"shrinkage": 0.0}):
        with pytest.raises(BadPolicySetting, match="allowed are 0 <= epsilon <= 1"):
            EpsilonGreedy.start(SPACE, features=2, reward="binary", settings=settings)
    vast = ActionSpace(
        dimensions=tuple(Dimension(name=str(d), options=tuple("abcdefgh")) for d in range(5))
    )
    with pytest.raises(BadPolicySetting, match=r"32768 combinations; .* up to 20000"):
        EpsilonGreedy(vast, 2, reward="binary")
    with pytest.raises(BadArray, match=r"allowed is \(1, 2\)"):
        policy.distribution(np.zeros((1, 3)), everything(SPACE, 1), seed=1)
    with pytest.raises(WrongReward, match="Allowed are 0 and 1"):
        policy.update(rows(50, amounts=True))
    broken = rows(5, amounts=True)
    broken.rewards[2] = np.nan
    with pytest.raises(WrongReward, match=r"1 of 5 rewards .* is nan. Allowed are finite"):
        EpsilonGreedy(SPACE, 2, reward="amount").update(broken)
