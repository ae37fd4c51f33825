"""How the learner plays, what it expects, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lessons import rewarded, rows_of, space_of
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
    factored,
    uniforms,
)
from opportune.policies.committee import drawn
from opportune.policies.layout import layout


def test_before_any_data_play_is_uniform_over_what_is_eligible(space: ActionSpace) -> None:
    raw = np.random.default_rng(5).normal(size=(3_000, 2)) * [1e6, 1e-3]
    eligible = Eligibility(options=np.tile(np.array([[0b0110, 0b11111, 0b101]]), (3_000, 1)))
    fresh = FactoredThompson(space, 2, reward="binary")
    for policy in (fresh, fresh.prepared(fresh.summary(rows_of(space, 90, seed=1)))):
        chosen = draw(
            policy.distribution(raw, eligible, seed=3), uniforms("spread", np.arange(3_000))
        )
        assert np.unique(chosen.propensities).tolist() == [1 / 20]
        codes = np.ravel_multi_index(tuple(chosen.actions.T), space.sizes)
        counts = np.unique(codes, return_counts=True)[1]
        assert len(counts) == 20
        assert counts.min() > 0.6 * 150


def test_the_same_seed_gives_the_same_play_and_another_seed_another(space: ActionSpace) -> None:
    rows = rows_of(space, 400, seed=1)
    policy = FactoredThompson(space, 2, reward="binary", draws=8, uniform_share=0.02).update(rows)
    first, again, other = (
        policy.distribution(rows.features, everything(space, 400), seed=seed) for seed in (4, 4, 5)
    )
    assert np.array_equal(first.support, again.support)
    assert not np.array_equal(first.support, other.support)
    assert first.weights.shape == (400, 8)
    assert first.weights[0, 0] == pytest.approx(0.98 / 8, abs=1e-15)
    assert first.uniform_share == 0.02


def test_ineligible_options_are_never_played(space: ActionSpace) -> None:
    rows = rows_of(space, 200, seed=2)
    policy = FactoredThompson(space, 2, reward="binary").update(rows)
    numbers = np.random.default_rng(0)
    options = np.stack([numbers.integers(1, 1 << size, 200) for size in space.sizes], axis=1)
    play = policy.distribution(rows.features, Eligibility(options=options), seed=1)
    assert ((options[:, None, :] >> play.support.astype(np.int64)) & 1).all()
    with pytest.raises(NothingEligible, match="'offer' is eligible for 200 of 200"):
        policy.distribution(rows.features, Eligibility(options=options & [[0, 31, 7]]), seed=1)


def test_draws_are_as_wide_as_the_posterior_for_fresh_options_and_narrower_for_known_ones() -> None:
    space = ActionSpace(dimensions=(Dimension(name="offer", options=("known", "fresh")),))
    rows = Batch(
        features=np.zeros((4_000, 0)),
        actions=np.zeros((4_000, 1), dtype=np.int16),
        rewards=np.tile([1.0, 0.0], 2_000),
        propensities=np.random.default_rng(1).uniform(0.5, 1, 4_000),
    )
    known = FactoredThompson(space, 0, reward="binary").update(rows).knowledge
    assert known is not None
    shape = layout(space.sizes, known.terms.kinds)
    # Only the memory trusted most is drawn from.
    known = replace(known, likelihoods=np.array([0.0, -1e3, -1e3, -1e3]))
    found, amount = drawn(shape, known, draws=4_000, seed=9)
    assert amount is None
    member = known.chance.members[0]
    covariance = np.linalg.inv(member.lower @ member.lower.T)
    ratio = found[:, 1:].std(axis=0) / np.sqrt(np.diag(covariance))[1:]
    assert ratio[1] == pytest.approx(1.0, rel=0.05)
    assert 0.0 < ratio[0] < 0.9
    centre = (found.mean(axis=0) - member.mean)[1:] / found[:, 1:].std(axis=0)
    assert abs(centre).max() < 4 / 4_000**0.5
    # What is the customer's own is equal for all actions: it is not drawn.
    assert np.ptp(found[:, 0]) == 0


def test_draws_come_from_the_memories_as_they_are_trusted() -> None:
    space = space_of(2)
    policy = FactoredThompson(space, 0, reward="binary")
    for seed in range(3):
        policy = policy.update(rows_of(space, 50, seed=seed, features=0))
    known = policy.knowledge
    assert known is not None
    shape = layout(space.sizes, known.terms.kinds)
    # Prior weights are outweighed, so that two memories are trusted alike.
    known = replace(known, likelihoods=known.likelihoods - known.log_weights)
    even = replace(known, likelihoods=known.likelihoods + np.array([0.0, 0.0, -50.0, -50.0]))
    found, _ = drawn(shape, even, draws=2_000, seed=1)
    own = [member.whole(shape.size)[0] for member in known.chance.members]
    assert len(set(own)) == 4
    shares = [float(np.isclose(found[:, 0], value).mean()) for value in own]
    assert shares == pytest.approx([0.5, 0.5, 0.0, 0.0], abs=0.05)


def test_a_feature_that_matters_decides_who_gets_what(space: ActionSpace) -> None:
    rows = rows_of(space, 6_000, seed=7)
    likes_first = (rows.features[:, 0] > 0) == (rows.actions[:, 0] == 0)
    learned = FactoredThompson(space, 2, reward="binary").update(
        rewarded(rows, np.where(likes_first, -0.8, -2.2), seed=6)
    )
    play = learned.distribution(np.array([[2.0, 0.0], [-2.0, 0.0]]), everything(space, 2), seed=1)
    assert (play.support[0, :, 0] == 0).mean() > 0.9
    assert (play.support[1, :, 0] != 0).mean() > 0.9


def test_options_that_only_suit_each_other_are_played_together() -> None:
    space = space_of(2, 2)
    rows = rows_of(space, 6_000, seed=7)
    suits = rows.actions[:, 0] == rows.actions[:, 1]
    learned = FactoredThompson(space, 2, reward="binary").update(
        rewarded(rows, np.where(suits, -0.5, -1.5), seed=6)
    )
    play = learned.distribution(rows.features[:50], everything(space, 50), seed=1)
    assert (play.support[:, :, 0] == play.support[:, :, 1]).mean() > 0.95
    found = learned.expected(np.zeros((4, 2)), space.actions())
    assert found.tolist() == pytest.approx([0.38, 0.18, 0.18, 0.38], abs=0.04)


def test_a_profile_gets_the_same_whoever_else_is_asked_about() -> None:
    space = space_of(6, 6, 6, 6)
    rows = rows_of(space, 300, seed=3)
    policy = FactoredThompson(space, 2, reward="binary", draws=2).update(rows)
    play = policy.distribution(rows.features, everything(space, 300), seed=1)
    alone = policy.distribution(rows.features[-1:], everything(space, 1), seed=1)
    assert np.array_equal(play.support[-1:], alone.support)


@pytest.mark.parametrize("answer", [0.0, 1.0])
def test_one_sided_answers_stay_within_bounds(space: ActionSpace, answer: float) -> None:
    policy = FactoredThompson(space, 2, reward="binary")
    for seed in range(3):
        rows = replace(rows_of(space, 300, seed=seed), rewards=np.full(300, answer))
        policy = policy.update(rows)
        found = policy.expected(rows.features, rows.actions)
        assert ((found >= 0) & (found <= 1)).all()
        assert abs(found - answer).max() < 0.1
    play = policy.distribution(rows.features, everything(space, 300), seed=1)
    assert play.support.shape == (300, 32, 3)


def test_expected_rewards_follow_what_was_seen(space: ActionSpace) -> None:
    rows = rows_of(space, 10_000, seed=9, rate=0.07)
    policy = FactoredThompson(space, 2, reward="binary").update(rows)
    expected = policy.expected(rows.features, rows.actions)
    assert expected.mean() == pytest.approx(rows.rewards.mean(), rel=0.03)
    assert expected.std() < 0.02


def test_gaps_count_as_average_and_outliers_are_cut(space: ActionSpace) -> None:
    rows = rows_of(space, 500, seed=1)
    rows.features[::7, 1] = np.nan
    policy = FactoredThompson(space, 2, reward="binary").update(rows)
    assert policy.knowledge is not None
    scale = policy.knowledge.terms.scale
    edge = scale.center + 4 * scale.spread
    found = policy.expected(
        np.array([[np.nan, np.nan], scale.center, [np.inf, 1e9], edge + 1e-9]),
        np.zeros((4, 3), dtype=np.int16),
    )
    assert found[0] == found[1]
    assert found[2] == pytest.approx(found[3])


@pytest.mark.parametrize("value", [1e9, 0.0, np.nan])
def test_a_feature_that_never_varied_does_no_harm(space: ActionSpace, value: float) -> None:
    rows = rows_of(space, 500, seed=1)
    without = FactoredThompson(space, 1, reward="binary").update(
        replace(rows, features=rows.features[:, :1])
    )
    constant = replace(rows, features=np.c_[rows.features[:, 0], np.full(500, value)])
    policy = FactoredThompson(space, 2, reward="binary").update(constant)
    np.testing.assert_allclose(
        policy.expected(constant.features, rows.actions),
        without.expected(rows.features[:, :1], rows.actions),
        atol=0.01,
    )


def test_a_policy_works_without_features() -> None:
    space = space_of(3)
    rows = rows_of(space, 900, seed=1, features=0)
    policy = FactoredThompson(space, 0, reward="binary").update(
        rewarded(rows, np.array([-1.0, 0.0, -1.0])[rows.actions[:, 0]], seed=2)
    )
    play = policy.distribution(np.zeros((1, 0)), everything(space, 1), seed=1)
    assert (play.support == 1).mean() > 0.9


def test_the_old_policy_stays_as_it_was(space: ActionSpace) -> None:
    rows = rows_of(space, 300, seed=1)
    fresh = FactoredThompson(space, 2, reward="binary")
    blank = fresh.to_bytes()
    once = fresh.update(rows)
    kept = once.to_bytes()
    twice = once.update(rows)
    assert fresh.to_bytes() == blank
    assert once.to_bytes() == kept
    assert once.update(rows).to_bytes() == twice.to_bytes()
    assert twice.knowledge is not None
    assert twice.knowledge.rows == 600


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_an_empty_day_changes_nothing(space: ActionSpace, reward: RewardKind) -> None:
    nothing = rows_of(space, 0, seed=1)
    fresh = FactoredThompson(space, 2, reward=reward)
    taught = fresh.update(rows_of(space, 300, seed=1))
    assert fresh.update(nothing).to_bytes() == fresh.to_bytes()
    later = fresh.update(nothing).update(rows_of(space, 300, seed=1))
    assert later.to_bytes() == taught.to_bytes()
    assert taught.update(nothing).to_bytes() == taught.to_bytes()


def test_a_wrong_kind_of_reward_is_refused(space: ActionSpace) -> None:
    rows = rows_of(space, 3, seed=1)

    def told(kind: RewardKind, *values: float) -> None:
        FactoredThompson(space, 2, reward=kind).update(replace(rows, rewards=np.array(values)))

    with pytest.raises(WrongReward, match=r"1 of 3 rewards .* first is 2.5. Allowed are 0 and 1"):
        told("binary", 0.0, 2.5, 1.0)
    with pytest.raises(WrongReward, match=r"2 of 3 rewards .* first is nan. Allowed are finite"):
        told("amount", np.nan, 2.5, np.inf)
    with pytest.raises(WrongReward, match=r"1 of 3 rewards .* first is -1.0.*numbers from 0"):
        told("amount", 0.0, 2.5, -1.0)


def test_features_and_actions_of_another_shape_are_refused(space: ActionSpace) -> None:
    policy = FactoredThompson(space, 2, reward="binary")
    for features in (np.zeros((1, 3)), np.zeros((2, 2)), np.zeros(2)):
        with pytest.raises(BadArray, match=r"allowed is \(1, 2\)"):
            policy.distribution(features, everything(space, 1), seed=1)
        with pytest.raises(BadArray):
            policy.expected(features, np.zeros((1, 3), dtype=np.int16))
    with pytest.raises(BadArray, match="option of dimension 'offer' that does not exist"):
        policy.expected(np.zeros((1, 2)), np.array([[4, 0, 0]], dtype=np.int16))
    rows = rows_of(space, 3, seed=1, features=3)
    for verb in (policy.update, policy.summary, policy.glance, policy.evidence):
        with pytest.raises(BadArray, match=r"allowed is \(3, 2\)"):
            verb(rows)


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
    with pytest.raises(BadPolicySetting, match=r"has no setting 'drows'. Did you mean 'draws'"):
        FactoredThompson.start(space, features=2, reward="binary", settings={"drows": 2})
    given = FactoredThompson.start(space, features=2, reward="binary", settings={"draws": 2})
    assert (given.draws, given.uniform_share) == (
        2,
        FactoredThompson(space, 2, reward="binary").uniform_share,
    )


def test_a_space_without_end_is_refused() -> None:
    vast = space_of(*[32] * 5)
    with pytest.raises(BadPolicySetting, match=r"33554432 combinations; .* up to 16777216"):
        FactoredThompson(vast, 2, reward="binary")


def test_a_policy_that_learned_cannot_be_prepared_again(space: ActionSpace) -> None:
    rows = rows_of(space, 30, seed=1)
    fresh = FactoredThompson(space, 2, reward="binary")
    policy = fresh.update(rows)
    with pytest.raises(BadPolicySetting, match="has learned from 30 rows"):
        policy.prepared(policy.summary(rows))
    prepared = fresh.prepared(fresh.summary(rows))
    again = prepared.prepared(fresh.summary(rows_of(space, 60, seed=2)))
    assert again.to_bytes() != prepared.to_bytes()
    assert again.update(rows).knowledge is not None


def test_a_space_of_many_options_goes_without_products_and_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(factored, "MAX_COEFFICIENTS", 100)
    monkeypatch.setattr(factored, "MAX_WITH_STEPS", 80)
    rows = rows_of(space_of(2, 2), 50, seed=1, features=3)
    widths = []
    for space in (space_of(2, 2), space_of(4, 4), space_of(9, 9)):
        fresh = FactoredThompson(space, 3, reward="binary")
        known = fresh.prepared(fresh.summary(rows)).knowledge
        assert known is not None
        widths.append(known.terms.width)
    # 20, 11 and 5 terms have room, 16, 8 and 4 with steps: these go first, then the products.
    assert widths == [16, 7, 4]
