"""What was learned goes along when options come, go or change places."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from lessons import rewarded, rows_of, space_of
from opportune.policies import (
    ActionSpace,
    Batch,
    Dimension,
    FactoredThompson,
    RewardKind,
    everything,
)
from opportune.policies.knowledge import Knowledge, Model
from opportune.policies.layout import layout

OLD = space_of(3, 2, 2)

Floats = NDArray[np.float64]
Label = frozenset[str]


def dimension(name: str, *options: str) -> Dimension:
    return Dimension(name=name, options=options)


PERMUTED = ActionSpace(
    dimensions=(
        dimension("d2", "o1", "o0"),
        dimension("d0", "o2", "o0", "o1"),
        dimension("d1", "o0", "o1"),
    )
)
RETIRED = ActionSpace(
    dimensions=(
        dimension("d0", "o0", "o2"),
        dimension("d1", "o0", "o1"),
        dimension("d2", "o0", "o1"),
    )
)
WITHOUT = ActionSpace(dimensions=(dimension("d2", "o0", "o1"), dimension("d0", "o0", "o1", "o2")))
ADDED = ActionSpace(
    dimensions=(
        dimension("new", "o0", "o1"),
        dimension("d0", "o0", "fresh", "o1", "o2"),
        dimension("d1", "o0", "o1"),
        dimension("d2", "o1", "o0", "fresh"),
    )
)


def day(seed: int, reward: RewardKind) -> Batch:
    rows = rows_of(OLD, 1_500, seed=seed)
    offer, channel = rows.actions[:, 0], rows.actions[:, 1]
    logit = -0.5 + 0.7 * (offer == 1) + 0.5 * rows.features[:, 0] * (channel == 0)
    rows = rewarded(rows, logit + 0.6 * ((offer == 2) & (channel == 1)), seed=seed + 100)
    if reward == "binary":
        return rows
    logs = 2.0 + 0.8 * (offer == 0) + np.random.default_rng(seed + 900).normal(0, 0.4, 1_500)
    return replace(rows, rewards=rows.rewards * np.exp(logs))


def learned(reward: RewardKind) -> FactoredThompson:
    return FactoredThompson(OLD, 2, reward=reward).update(day(1, reward)).update(day(2, reward))


LEARNED: dict[RewardKind, FactoredThompson] = {
    "binary": learned("binary"),
    "amount": learned("amount"),
}
FEATURES = np.random.default_rng(8).normal(size=(40, 2))


def known(policy: FactoredThompson) -> Knowledge:
    assert policy.knowledge is not None
    return policy.knowledge


def worth(policy: FactoredThompson, **options: str) -> Floats:
    """What an action named by its options is expected to bring each of some customers."""
    [index] = [policy.space.indices([options[each.name] for each in policy.space.dimensions])]
    actions = np.tile(np.array(index, dtype=np.int16), (len(FEATURES), 1))
    return policy.expected(FEATURES, actions)


def labels(space: ActionSpace, width: int) -> list[Label]:
    """What each coefficient is about, in the order of the layout."""
    found = [frozenset({f"term {k}"}) for k in range(width)]
    named = [[f"{each.name} {option}" for option in each.options] for each in space.dimensions]
    found += [
        frozenset({option, f"term {k}"}) for each in named for option in each for k in range(width)
    ]
    for one, other in combinations(named, 2):
        found += [frozenset({a, b}) for a in one for b in other]
    return found


def posterior(model: Model, best: int) -> tuple[Floats, Floats]:
    """Mean and covariance of all coefficients, by plain algebra on sums and sites."""
    sums, beliefs = model.sums[best], model.beliefs
    precision = sums.precision / beliefs.noise + np.diag(beliefs.precision)
    covariance = np.linalg.inv(precision)
    return covariance @ (sums.weighted / beliefs.noise + beliefs.weight), covariance


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_another_order_changes_no_expectation(reward: RewardKind) -> None:
    policy = LEARNED[reward]
    moved = policy.moved(PERMUTED)
    assert moved.space == PERMUTED
    for offer, channel, hour in (("o0", "o1", "o0"), ("o1", "o0", "o1"), ("o2", "o1", "o1")):
        np.testing.assert_allclose(
            worth(moved, d0=offer, d1=channel, d2=hour),
            worth(policy, d0=offer, d1=channel, d2=hour),
            rtol=1e-4,
        )
    back = moved.moved(OLD)
    np.testing.assert_allclose(
        known(back).chance.sums[0].precision, known(policy).chance.sums[0].precision, rtol=1e-6
    )
    assert np.array_equal(known(back).responses, known(policy).responses)
    assert np.array_equal(known(back).chance.beliefs.shares, known(policy).chance.beliefs.shares)


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_a_new_option_or_dimension_leaves_the_others_as_they_were(reward: RewardKind) -> None:
    policy = LEARNED[reward]
    moved = policy.moved(ADDED)
    for offer, channel, hour in (("o0", "o1", "o0"), ("o1", "o0", "o1"), ("o2", "o1", "o1")):
        for new in ("o0", "o1"):
            np.testing.assert_allclose(
                worth(moved, new=new, d0=offer, d1=channel, d2=hour),
                worth(policy, d0=offer, d1=channel, d2=hour),
                rtol=1e-4,
            )
    fresh = worth(moved, new="o0", d0="fresh", d1="o0", d2="o0")
    seen = [worth(policy, d0=each, d1="o0", d2="o0").mean() for each in ("o0", "o1", "o2")]
    assert min(seen) < fresh.mean() < max(seen)
    assert known(moved).responses[:, [0, 1, 3, 10]].tolist() == [[0.0] * 4] * 4


def test_a_new_option_is_explored() -> None:
    policy = LEARNED["binary"].moved(ADDED)
    features = np.random.default_rng(3).normal(size=(200, 2))
    play = policy.distribution(features, everything(ADDED, 200), seed=1)
    shares = np.bincount(play.support[:, :, 1].ravel(), minlength=4) / play.support[:, :, 1].size
    assert shares[1] > 0.005


@pytest.mark.parametrize("reward", ["binary", "amount"])
@pytest.mark.parametrize("space", [RETIRED, WITHOUT], ids=["option", "dimension"])
def test_what_is_retired_is_integrated_out(reward: RewardKind, space: ActionSpace) -> None:
    policy = LEARNED[reward]
    before, after = known(policy), known(policy.moved(space))
    width = before.terms.width
    old = labels(OLD, width)
    assert len(old) == layout(OLD.sizes, before.terms.kinds).size
    kept = [old.index(label) for label in labels(space, width)]
    pairs = [(before.chance, after.chance)]
    if before.amount is not None and after.amount is not None:
        pairs.append((before.amount, after.amount))
    for one, other in pairs:
        mean, covariance = posterior(one, before.best)
        found = other.members[after.best]
        assert np.array_equal(found.active, np.arange(len(kept)))
        np.testing.assert_allclose(found.mean, mean[kept], atol=2e-3)
        lower = np.linalg.inv(found.lower)
        np.testing.assert_allclose(
            lower.T @ lower, covariance[np.ix_(kept, kept)], rtol=0.02, atol=1e-5
        )


def test_the_noise_of_amounts_does_not_grow_by_what_is_retired() -> None:
    policy = LEARNED["amount"]
    moved = policy.moved(RETIRED)
    before, after = known(policy).amount, known(moved).amount
    assert before is not None
    assert after is not None
    assert after.beliefs.noise == before.beliefs.noise
    assert np.sqrt(before.beliefs.noise) == pytest.approx(0.4, rel=0.1)
    rows = rows_of(RETIRED, 20, seed=3)
    later = known(moved.update(rows)).amount
    assert later is not None
    assert later.beliefs.noise == pytest.approx(before.beliefs.noise, rel=0.1)


@pytest.mark.parametrize("space", [PERMUTED, RETIRED, WITHOUT, ADDED])
def test_a_moved_policy_keeps_learning_and_survives_a_round_trip(space: ActionSpace) -> None:
    moved = LEARNED["amount"].moved(space)
    again = FactoredThompson.from_bytes(moved.to_bytes())
    assert again.to_bytes() == moved.to_bytes()
    rows = rows_of(space, 60, seed=3)
    assert again.update(rows).to_bytes() == moved.update(rows).to_bytes()
    assert known(moved.update(rows)).rows == 3_060


def test_a_policy_that_knows_nothing_or_need_not_move_only_takes_the_space() -> None:
    fresh = FactoredThompson(OLD, 2, reward="binary").moved(ADDED)
    assert fresh.space == ADDED
    assert fresh.knowledge is None
    policy = LEARNED["binary"]
    assert policy.moved(OLD).to_bytes() == policy.to_bytes()
