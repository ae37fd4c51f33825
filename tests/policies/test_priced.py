"""The best action when options cost something, held against going through all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from lessons import rewarded, rows_of, space_of
from opportune.policies import (
    BadArray,
    Batch,
    Costs,
    Eligibility,
    FactoredThompson,
    RewardKind,
    everything,
    priced,
)
from opportune.policies.committee import drawn
from opportune.policies.layout import layout
from opportune.policies.terms import basis

SPACE = space_of(3, 2, 2)
PROFILES = 60

Floats = NDArray[np.float64]


def day(reward: RewardKind) -> Batch:
    rows = rows_of(SPACE, 3_000, seed=1)
    offer, channel = rows.actions[:, 0], rows.actions[:, 1]
    logit = -1.5 + 0.5 * (offer == 1) + 0.9 * (offer == 2) + 0.3 * rows.features[:, 0] * channel
    rows = rewarded(rows, logit, seed=2)
    if reward == "amount":
        logs = 1.0 + 0.5 * channel + np.random.default_rng(3).normal(0, 0.3, 3_000)
        rows = replace(rows, rewards=rows.rewards * np.exp(logs))
    return rows


LEARNED: dict[RewardKind, FactoredThompson] = {
    reward: FactoredThompson(SPACE, 2, reward=reward, draws=6).update(day(reward))
    for reward in ("binary", "amount")
}
FEATURES = np.random.default_rng(4).normal(size=(PROFILES, 2))


def free() -> list[Floats]:
    return [np.zeros(size) for size in SPACE.sizes]


def costs(*, sent: list[Floats] | None = None, rewarded: list[Floats] | None = None) -> Costs:
    return Costs(sent=tuple(sent or free()), rewarded=tuple(rewarded or free()))


PRICED = costs(
    sent=[np.array([0.0, 0.02, 0.05]), np.array([0.01, 0.0]), np.zeros(2)],
    rewarded=[np.array([0.0, 0.1, 0.0]), np.zeros(2), np.array([0.0, 0.3])],
)


def every_worth(policy: FactoredThompson, asked: Costs, *, seed: int) -> Floats:
    """``chance x (amount - rewarded) - sent`` of every action under each draw: ``(n, S, C)``."""
    known = policy.knowledge
    assert known is not None
    shape = layout(SPACE.sizes, known.terms.kinds)
    grid, actions = basis(known.terms, FEATURES), SPACE.actions().astype(int)

    def score(vectors: Floats, own: Floats) -> Floats:
        found = np.zeros((PROFILES, len(vectors), len(actions)))
        for s, vector in enumerate(vectors):
            for c, action in enumerate(actions):
                total = own.copy()
                for d, option in enumerate(action):
                    start = shape.width * (1 + int(shape.offsets[d]) + option)
                    total += vector[start : start + shape.width]
                found[:, s, c] = grid @ total
                for d, e, start in shape.pairs:
                    found[:, s, c] += vector[start + action[d] * SPACE.sizes[e] + action[e]]
        return found

    chance, amount = drawn(shape, known, draws=policy.draws, seed=seed)
    own = known.chance.members[known.best].whole(shape.size)[: shape.width]
    likely = 1 / (1 + np.exp(-score(chance, own)))
    value: Floats | float = 1.0
    if amount is not None and known.amount is not None:
        own = known.amount.members[known.best].whole(shape.size)[: shape.width]
        value = np.exp(score(amount, own) + known.amount.beliefs.noise / 2)
    sent, due = (
        sum(each[actions[:, d]] for d, each in enumerate(kind))
        for kind in (asked.sent, asked.rewarded)
    )
    return np.asarray(likely * (value - due) - sent)


def some(which: str) -> Eligibility:
    numbers = np.random.default_rng(5)
    if which == "all":
        return everything(SPACE, PROFILES)
    if which == "options":
        masks = [numbers.integers(1, 1 << size, PROFILES) for size in SPACE.sizes]
        return Eligibility(options=np.stack(masks, axis=1))
    allowed = numbers.random((PROFILES, SPACE.combinations)) < 0.3
    allowed[np.arange(PROFILES), numbers.integers(0, SPACE.combinations, PROFILES)] = True
    return Eligibility.of_combinations(SPACE, allowed)


@pytest.mark.parametrize("which", ["all", "options", "combinations"])
@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_the_best_priced_action_is_the_best_of_all(
    reward: RewardKind, which: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priced, "CHUNK_ROWS", 25)
    policy, eligible = LEARNED[reward], some(which)
    worth = every_worth(policy, PRICED, seed=3)
    for c, action in enumerate(SPACE.actions()):
        same = np.broadcast_to(action, (PROFILES, 3))
        worth[~eligible.allows(SPACE, same), :, c] = -np.inf
    play = policy.distribution(FEATURES, eligible, seed=3, costs=PRICED)
    codes = np.ravel_multi_index(tuple(np.moveaxis(play.support.astype(int), 2, 0)), SPACE.sizes)
    found = np.take_along_axis(worth, codes[:, :, None], axis=2)[:, :, 0]
    lost = worth.max(axis=2) - found
    if reward == "binary":
        assert lost.max() < 1e-5
    else:
        # Chances times amounts are compared by odds times amounts: the same but for near ties.
        assert lost.mean() < 0.005 * np.abs(worth.max(axis=2)).mean()
    # And costs do matter here.
    unpriced = policy.distribution(FEATURES, eligible, seed=3)
    assert (unpriced.support != play.support).any()


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_costs_of_zero_change_nothing(reward: RewardKind) -> None:
    policy, eligible = LEARNED[reward], some("combinations")
    plain = policy.distribution(FEATURES, eligible, seed=3)
    priced_at_zero = policy.distribution(FEATURES, eligible, seed=3, costs=costs())
    assert np.array_equal(plain.support, priced_at_zero.support)
    assert np.array_equal(plain.weights, priced_at_zero.weights)


@pytest.mark.parametrize("reward", ["binary", "amount"])
@pytest.mark.parametrize("due", ["sent", "rewarded"])
def test_an_option_dearer_than_any_reward_is_left_to_uniform_play(
    reward: RewardKind, due: str
) -> None:
    dear = [np.array([0.0, 0.0, 1e6]), *free()[1:]]
    asked = costs(sent=dear) if due == "sent" else costs(rewarded=dear)
    play = LEARNED[reward].distribution(FEATURES, some("all"), seed=3, costs=asked)
    assert not (play.support[:, :, 0] == 2).any()


def test_a_cost_due_with_the_reward_weighs_by_its_chance() -> None:
    # Binary rewards of 1: what is due with a reward scales it, what is sent is taken off.
    policy = LEARNED["binary"]
    chance = every_worth(policy, costs(), seed=3)
    half = [np.full(3, 0.5), *free()[1:]]
    np.testing.assert_allclose(every_worth(policy, costs(rewarded=half), seed=3), chance / 2)
    plain = policy.distribution(FEATURES, some("all"), seed=3)
    scaled = policy.distribution(FEATURES, some("all"), seed=3, costs=costs(rewarded=half))
    assert np.array_equal(plain.support, scaled.support)


def test_costs_that_do_not_fit_are_refused() -> None:
    policy = LEARNED["binary"]
    with pytest.raises(BadArray, match=r"'d0' have shapes \(2,\) and \(3,\); allowed is \(3,\)"):
        policy.distribution(
            FEATURES, some("all"), seed=1, costs=costs(sent=[np.zeros(2), *free()[1:]])
        )
    space = space_of(9, 8)
    wide = FactoredThompson(space, 0, reward="binary").update(
        rows_of(space, 80, seed=1, features=0)
    )
    each = tuple(np.arange(size, dtype=np.float64) for size in space.sizes)
    with pytest.raises(BadArray, match="72 different costs of an action; at most 64"):
        wide.distribution(
            np.zeros((1, 0)), everything(space, 1), seed=1, costs=Costs(sent=each, rewarded=each)
        )


def test_an_option_that_nobody_may_get_is_no_candidate_however_cheap() -> None:
    masks = np.tile(np.array([[0b101, 0b11, 0b11]]), (PROFILES, 1))
    asked = costs(sent=[np.array([0.1, -1e6, 0.2]), *free()[1:]])
    play = LEARNED["binary"].distribution(FEATURES, Eligibility(options=masks), seed=3, costs=asked)
    assert not (play.support[:, :, 0] == 1).any()
