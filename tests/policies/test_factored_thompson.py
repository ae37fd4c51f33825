from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from opportune.policies.posterior import committee

from opportune.policies import (
    ActionSpace,
    BadArray,
    BadPolicySetting,
    Batch,
    Dimension,
    Eligibility,
    FactoredThompson,
    NothingEligible,
    RewardKind,
    WrongReward,
    draw,
    everything,
    uniforms,
)
from opportune.policies.argmax import best_actions
from opportune.policies.layout import layout

Floats = NDArray[np.float64]


def rows_of(
    space: ActionSpace, count: int, *, seed: int, features: int = 2, rate: float = 0.2
) -> Batch:
    numbers = np.random.default_rng(seed)
    return Batch(
        features=numbers.normal(size=(count, features)),
        actions=space.actions()[numbers.integers(0, space.combinations, count)],
        rewards=(numbers.random(count) < rate).astype(np.float64),
        propensities=np.full(count, 1 / space.combinations),
    )


def with_rewards(rows: Batch, rewards: Floats) -> Batch:
    return replace(rows, rewards=rewards)


def test_before_any_data_play_is_spread_over_customers_and_combinations(
    space: ActionSpace,
) -> None:
    raw = np.random.default_rng(5).normal(size=(6_000, 8)) * [1, 1, 1, 1, 1, 1e3, 1e6, 1e-3]
    play = FactoredThompson(space, 8, reward="binary").distribution(
        raw, everything(space, 6_000), seed=3
    )
    chosen = draw(play, uniforms("spread", np.arange(6_000)))
    codes = np.ravel_multi_index(tuple(chosen.actions.T), space.sizes)
    counts = np.bincount(codes, minlength=60)
    assert (counts > 0).sum() == 60
    assert counts.max() < 0.12 * 6_000
    for d, size in enumerate(space.sizes):
        shares = np.bincount(chosen.actions[:, d], minlength=size) / 6_000
        assert shares.min() > 0.3 / size


def test_the_same_seed_gives_the_same_play_and_another_seed_another(space: ActionSpace) -> None:
    rows = rows_of(space, 400, seed=1)
    policy = FactoredThompson(space, 2, reward="binary").update(rows)
    first, again, other = (
        policy.distribution(rows.features, everything(space, 400), seed=seed) for seed in (4, 4, 5)
    )
    assert np.array_equal(first.support, again.support)
    assert not np.array_equal(first.support, other.support)
    assert first.weights.shape == (400, 32)
    assert first.weights[0, 0] == pytest.approx(0.99 / 32, abs=1e-15)
    assert first.uniform_share == 0.01


def test_ineligible_options_are_never_played(space: ActionSpace) -> None:
    rows = rows_of(space, 500, seed=2)
    policy = FactoredThompson(space, 2, reward="binary").update(rows)
    numbers = np.random.default_rng(0)
    eligible = np.stack([numbers.integers(1, 1 << size, 500) for size in space.sizes], axis=1)
    play = policy.distribution(rows.features, Eligibility(options=eligible), seed=1)
    assert ((eligible[:, None, :] >> play.support.astype(np.int64)) & 1).all()
    with pytest.raises(NothingEligible, match="'offer' is eligible for 500 of 500"):
        policy.distribution(rows.features, Eligibility(options=eligible & [[0, 31, 7]]), seed=1)


def test_the_best_action_is_exact() -> None:
    sizes, profiles = (3, 4, 2, 3), 200
    shape = layout(sizes, 2)
    numbers = np.random.default_rng(1)
    drawn = numbers.normal(size=(5, shape.size))
    drawn[:, :3] = 0.0
    grid = np.c_[np.ones(profiles), numbers.normal(size=(profiles, 2))]
    eligible = np.stack([numbers.integers(1, 1 << size, profiles) for size in sizes], axis=1)
    grid_of_actions = np.indices(sizes).reshape(4, -1).T.astype(np.int16)
    found = best_actions(shape, grid_of_actions, drawn, grid, Eligibility(options=eligible))
    for s, vector in enumerate(drawn):
        options = vector[3 : 3 * (1 + sum(sizes))].reshape(-1, 3)
        scores = np.zeros((profiles, len(grid_of_actions)))
        for c, action in enumerate(grid_of_actions.astype(int)):
            for d, option in enumerate(action):
                scores[:, c] += grid @ options[sum(sizes[:d]) + option]
                scores[(eligible[:, d] >> option) & 1 == 0, c] = -np.inf
            for d, e, start in shape.pairs:
                scores[:, c] += vector[start + action[d] * sizes[e] + action[e]]
        assert np.array_equal(found[:, s], grid_of_actions[scores.argmax(axis=1)])


def test_many_combinations_are_scored_in_small_chunks() -> None:
    space = ActionSpace(
        dimensions=tuple(Dimension(name=str(d), options=tuple("abcdef")) for d in range(5))
    )
    rows = rows_of(space, 300, seed=3)
    policy = FactoredThompson(space, 2, reward="binary", draws=2).update(rows)
    play = policy.distribution(rows.features, everything(space, 300), seed=1)
    alone = policy.distribution(rows.features[-1:], everything(space, 1), seed=1)
    assert np.array_equal(play.support[-1:], alone.support)


def test_draws_are_wide_for_fresh_options_and_narrow_for_known_ones() -> None:
    space = ActionSpace(dimensions=(Dimension(name="offer", options=("known", "fresh")),))
    rows = Batch(
        features=np.zeros((4_000, 0)),
        actions=np.zeros((4_000, 1), dtype=np.int16),
        rewards=np.tile([1.0, 0.0], 2_000),
        propensities=np.ones(4_000),
    )
    policy = FactoredThompson(space, 0, reward="binary").update(rows)
    assert policy.knowledge is not None
    total, fitted = policy.knowledge.total, policy.knowledge.fitted
    shape = layout(space.sizes, 0)
    drawn = committee(shape, total, fitted, draws=4_000, seed=9)
    covariance = np.linalg.inv(total.precision + np.diag(1 / fitted.variances[shape.groups]))
    spread = drawn[:, 1:].std(axis=0) / np.sqrt(np.diag(covariance))[1:]
    assert spread.tolist() == pytest.approx([0.1, 1.0], rel=0.05)
    centre = (drawn.mean(axis=0) - fitted.mean)[1:] / drawn[:, 1:].std(axis=0)
    assert abs(centre).max() < 4 / 4_000**0.5
    assert (drawn[:, 0] == 0).all()


def test_a_feature_that_matters_decides_who_gets_what(space: ActionSpace) -> None:
    numbers = np.random.default_rng(6)
    rows = rows_of(space, 6_000, seed=7)
    likes_first = rows.features[:, 0] > 0
    chance = np.where(likes_first == (rows.actions[:, 0] == 0), 0.3, 0.1)
    learned = FactoredThompson(space, 2, reward="binary").update(
        with_rewards(rows, (numbers.random(6_000) < chance).astype(np.float64))
    )
    play = learned.distribution(np.array([[2.0, 0.0], [-2.0, 0.0]]), everything(space, 2), seed=1)
    assert (play.support[0, :, 0] == 0).all()
    assert (play.support[1, :, 0] != 0).all()


def test_amounts_are_estimated_in_their_own_unit() -> None:
    space = ActionSpace(dimensions=(Dimension(name="offer", options=("a", "b")),))
    numbers = np.random.default_rng(3)
    rows = rows_of(space, 5_000, seed=4, features=1)
    truth = 40.0 + 6.0 * rows.actions[:, 0] + 3.0 * rows.features[:, 0]
    policy = FactoredThompson(space, 1, reward="amount").update(
        with_rewards(rows, truth + numbers.normal(0, 20, 5_000))
    )
    assert policy.knowledge is not None
    assert policy.knowledge.fitted.noise == pytest.approx(400, rel=0.05)
    found = policy.expected(np.array([[0.0], [0.0], [1.0]]), np.array([[0], [1], [1]], np.int16))
    assert found.tolist() == pytest.approx([40.0, 46.0, 49.0], abs=1.5)
    play = policy.distribution(np.zeros((1, 1)), everything(space, 1), seed=1)
    assert (play.support == 1).mean() > 0.9


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_amounts_that_never_vary_are_learned_without_trouble(
    space: ActionSpace, value: float
) -> None:
    rows = rows_of(space, 300, seed=4)
    policy = FactoredThompson(space, 2, reward="amount").update(
        with_rewards(rows, np.full(300, value))
    )
    assert policy.expected(rows.features, rows.actions).tolist() == pytest.approx([value] * 300)
    play = policy.distribution(rows.features, everything(space, 300), seed=1)
    assert play.support.shape == (300, 32, 3)


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_one_sided_answers_stay_within_bounds(space: ActionSpace, answer: float) -> None:
    rows = rows_of(space, 300, seed=4)
    policy = FactoredThompson(space, 2, reward="binary").update(
        with_rewards(rows, np.full(300, answer))
    )
    assert abs(policy.expected(rows.features, rows.actions) - answer).max() < 0.02


def test_expected_rewards_follow_what_was_seen(space: ActionSpace) -> None:
    rows = rows_of(space, 20_000, seed=9, rate=0.07)
    policy = FactoredThompson(space, 2, reward="binary").update(rows)
    expected = policy.expected(rows.features, rows.actions)
    assert expected.mean() == pytest.approx(rows.rewards.mean(), rel=0.02)
    assert expected.std() < 0.012


def test_gaps_count_as_average_and_outliers_are_cut(space: ActionSpace) -> None:
    rows = rows_of(space, 500, seed=1)
    policy = FactoredThompson(space, 2, reward="binary").update(rows)
    assert policy.knowledge is not None
    scale = policy.knowledge.total.scale
    edge = scale.center + 4 * scale.spread
    found = policy.expected(
        np.array([[np.nan, np.nan], scale.center, [np.inf, 1e9], edge]),
        np.zeros((4, 3), dtype=np.int16),
    )
    assert found[0] == found[1]
    assert found[2] == pytest.approx(found[3])


def test_a_feature_that_never_varied_does_no_harm(space: ActionSpace) -> None:
    rows = rows_of(space, 500, seed=1)
    constant = replace(rows, features=np.c_[rows.features[:, 0], np.full(500, 1e9)])
    policy = FactoredThompson(space, 2, reward="binary").update(constant)
    assert policy.knowledge is not None
    assert policy.knowledge.total.scale.spread[1] == 1.0


def test_the_old_policy_stays_as_it_was(space: ActionSpace) -> None:
    rows = rows_of(space, 300, seed=1)
    fresh = FactoredThompson(space, 2, reward="binary")
    blank = fresh.to_bytes()
    once = fresh.update(rows)
    kept = once.to_bytes()
    twice = once.update(rows)
    assert fresh.to_bytes() == blank
    assert once.to_bytes() == kept
    assert twice.knowledge is not None
    assert twice.knowledge.total.rows == 600


def test_an_empty_day_changes_nothing(space: ActionSpace) -> None:
    nothing = rows_of(space, 0, seed=1)
    fresh = FactoredThompson(space, 2, reward="binary")
    taught = fresh.update(rows_of(space, 300, seed=1))
    assert fresh.update(nothing).to_bytes() == fresh.to_bytes()
    later = fresh.update(nothing).update(rows_of(space, 300, seed=1))
    assert later.to_bytes() == taught.to_bytes()
    assert taught.update(nothing).to_bytes() == taught.to_bytes()


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_a_policy_survives_a_round_trip(space: ActionSpace, reward: RewardKind) -> None:
    fresh = FactoredThompson.start(space, features=2, reward=reward)
    rows = rows_of(space, 300, seed=1)
    for policy in (fresh, fresh.prepared(fresh.summary(rows)), fresh.update(rows)):
        again = FactoredThompson.from_bytes(policy.to_bytes())
        assert again.to_bytes() == policy.to_bytes()
        before, after = (
            each.distribution(rows.features, everything(space, 300), seed=2)
            for each in (policy, again)
        )
        assert np.array_equal(before.support, after.support)
        next_day = rows_of(space, 200, seed=2)
        assert again.update(next_day).to_bytes() == policy.update(next_day).to_bytes()


def test_a_wrong_kind_of_reward_is_refused(space: ActionSpace) -> None:
    rows = rows_of(space, 3, seed=1)
    with pytest.raises(WrongReward, match=r"1 of 3 rewards .* first is 2.5. Allowed are 0 and 1"):
        FactoredThompson(space, 2, reward="binary").update(
            with_rewards(rows, np.array([0.0, 2.5, 1.0]))
        )
    with pytest.raises(WrongReward, match=r"2 of 3 rewards .* first is nan. Allowed are finite"):
        FactoredThompson(space, 2, reward="amount").update(
            with_rewards(rows, np.array([np.nan, 2.5, np.inf]))
        )


def test_features_of_another_width_are_refused(space: ActionSpace) -> None:
    policy = FactoredThompson(space, 2, reward="binary")
    for features in (np.zeros((1, 3)), np.zeros((2, 2)), np.zeros(2)):
        with pytest.raises(BadArray, match=r"allowed is \(1, 2\)"):
            policy.distribution(features, everything(space, 1), seed=1)
        with pytest.raises(BadArray):
            policy.expected(features, np.zeros((1, 3), dtype=np.int16))


def test_settings_outside_their_range_are_refused(space: ActionSpace) -> None:
    with pytest.raises(BadPolicySetting, match=r"kind 'binari' is unknown. Did you mean 'binary'"):
        FactoredThompson(space, 2, reward="binari")  # type: ignore[arg-type] # on purpose
    for wrong in (
        {"draws": 0},
        {"uniform_share": -0.1},
        {"uniform_share": 1.1},
        {"n_features": -1},
    ):
        with pytest.raises(BadPolicySetting, match="allowed are draws >= 1"):
            replace(FactoredThompson(space, 2, reward="binary"), **wrong)
    vast = ActionSpace(
        dimensions=tuple(Dimension(name=str(d), options=tuple("abcdefgh")) for d in range(6))
    )
    with pytest.raises(BadPolicySetting, match=r"262144 combinations; .* up to 65536"):
        FactoredThompson(vast, 2, reward="binary")


def test_a_policy_that_learned_cannot_be_prepared_again(space: ActionSpace) -> None:
    rows = rows_of(space, 30, seed=1)
    policy = FactoredThompson(space, 2, reward="binary").update(rows)
    with pytest.raises(BadPolicySetting, match="has learned from 30 rows"):
        policy.prepared(policy.summary(rows))


def test_irrelevant_features_are_switched_off(space: ActionSpace) -> None:
    numbers = np.random.default_rng(2)
    rows = rows_of(space, 20_000, seed=3)
    chance = np.where((rows.features[:, 0] > 0) == (rows.actions[:, 0] == 0), 0.3, 0.1)
    policy = FactoredThompson(space, 2, reward="binary").update(
        with_rewards(rows, (numbers.random(20_000) < chance).astype(np.float64))
    )
    assert policy.knowledge is not None
    deviations = np.sqrt(policy.knowledge.fitted.variances)
    offer = deviations[3:6]
    assert offer[1] > 0.2
    assert offer[2] < 0.5 * 0.15
