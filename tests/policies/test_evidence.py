from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opportune.policies import (
    ActionSpace,
    Batch,
    Dimension,
    Evidence,
    FactoredThompson,
    MixedEvidence,
    Summary,
)

SPACE = ActionSpace(
    dimensions=(
        Dimension(name="offer", options=("a", "b", "c")),
        Dimension(name="hour", options=("09", "18")),
    )
)
FEATURES = 2
Reward = Literal["binary", "amount"]


def batch(seed: int, rows: int, *, gaps: bool = False) -> Batch:
    numbers = np.random.default_rng(seed)
    features = numbers.normal(50, 20, (rows, FEATURES))
    if gaps:
        features[numbers.random(features.shape) < 0.2] = np.nan
    return Batch(
        features=features,
        actions=np.stack([numbers.integers(0, size, rows) for size in SPACE.sizes], axis=1).astype(
            np.int16
        ),
        rewards=(numbers.random(rows) < 0.3).astype(np.float64),
        propensities=np.full(rows, 1 / 6),
    )


def part(rows: Batch, where: slice) -> Batch:
    return Batch(
        features=rows.features[where],
        actions=rows.actions[where],
        rewards=rows.rewards[where],
        propensities=rows.propensities[where],
    )


def phi(policy: FactoredThompson, rows: Batch) -> NDArray[np.float64]:
    """The design matrix, row by row, straight from the definition of the model."""
    assert policy.knowledge is not None
    scale = policy.knowledge.total.scale
    x = np.clip((rows.features - scale.center) / scale.spread, -4, 4)
    design = []
    for features, (offer, hour) in zip(x, rows.actions, strict=True):
        b = np.r_[1.0, features]
        options, pairs = np.zeros((5, 3)), np.zeros((3, 2))
        options[offer] = options[3 + hour] = b
        pairs[offer, hour] = 1.0
        design.append(np.r_[b, options.ravel(), pairs.ravel()])
    return np.array(design)


def assert_close(one: Evidence, other: Evidence) -> None:
    for name in ("precision", "weighted", "responses", "rows", "reward_squares"):
        np.testing.assert_allclose(
            getattr(one, name), getattr(other, name), rtol=1e-10, atol=1e-10, err_msg=name
        )


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_evidence_is_the_sum_over_rows_that_the_model_defines(reward: Reward) -> None:
    rows = batch(3, 40)
    policy = FactoredThompson(SPACE, FEATURES, reward=reward).update(batch(4, 60))
    assert policy.knowledge is not None
    design = phi(policy, rows)
    eta = design @ policy.knowledge.fitted.mean
    mean = 1 / (1 + np.exp(-eta)) if reward == "binary" else eta
    weights = mean * (1 - mean) if reward == "binary" else np.ones(40)
    found = policy.evidence(rows)
    np.testing.assert_allclose(found.precision, (design * weights[:, None]).T @ design, atol=1e-10)
    np.testing.assert_allclose(
        found.weighted, design.T @ (weights * eta + rows.rewards - mean), atol=1e-10
    )
    rewarded = rows.rewards == 1
    assert found.responses.tolist() == [
        *[float((rewarded & (rows.actions[:, 0] == k)).sum()) for k in range(3)],
        *[float((rewarded & (rows.actions[:, 1] == k)).sum()) for k in range(2)],
    ]
    assert (found.rows, found.reward_squares) == (40.0, rewarded.sum())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(0, 60), st.booleans(), st.booleans())
def test_evidence_of_shards_adds(seed: int, rows: int, cut: int, taught: bool, gaps: bool) -> None:
    policy = FactoredThompson(SPACE, FEATURES, reward="binary")
    if taught:
        policy = policy.update(batch(1, 50))
    whole = batch(seed, rows, gaps=gaps)
    first, second = part(whole, slice(None, cut)), part(whole, slice(cut, None))
    assert_close(policy.evidence(first) + policy.evidence(second), policy.evidence(whole))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(0, 60))
def test_summaries_of_shards_add(seed: int, rows: int, cut: int) -> None:
    policy = FactoredThompson(SPACE, FEATURES, reward="binary")
    whole = batch(seed, rows, gaps=True)
    added = policy.summary(part(whole, slice(None, cut))) + policy.summary(
        part(whole, slice(cut, None))
    )
    expected = policy.summary(whole)
    for name in ("rows", "rewards", "counts", "means", "squares"):
        np.testing.assert_allclose(
            getattr(added, name), getattr(expected, name), rtol=1e-9, atol=1e-9, err_msg=name
        )


def test_a_summary_knows_mean_and_spread_and_skips_gaps() -> None:
    found: Summary = FactoredThompson(SPACE, 2, reward="binary").summary(
        Batch(
            features=np.array([[1.0, np.nan], [3.0, np.inf], [5.0, -np.inf]]),
            actions=np.zeros((3, 2), dtype=np.int16),
            rewards=np.array([1.0, 0.0, 1.0]),
            propensities=np.ones(3),
        )
    )
    assert (found.rows, found.rewards) == (3.0, 2.0)
    assert found.counts.tolist() == [3.0, 0.0]
    assert found.means.tolist() == [3.0, 0.0]
    assert found.squares.tolist() == [8.0, 0.0]


@pytest.mark.parametrize("reward", ["binary", "amount"])
def test_learning_from_shards_is_learning_from_all_rows(reward: Reward) -> None:
    fresh = FactoredThompson(SPACE, FEATURES, reward=reward)
    whole = batch(8, 300)
    shards = [part(whole, slice(None, 90)), part(whole, slice(90, None))]
    first, second = (fresh.summary(shard) for shard in shards)
    policy = fresh.prepared(first + second)
    if reward == "binary":
        one, two = (policy.evidence(shard) for shard in shards)
        policy = policy.stepped(one + two)
    one, two = (policy.evidence(shard) for shard in shards)
    together, at_once = policy.absorb(one + two), fresh.update(whole)
    np.testing.assert_allclose(
        together.expected(whole.features, whole.actions),
        at_once.expected(whole.features, whole.actions),
        rtol=1e-9,
    )


def test_evidence_under_another_feature_scale_is_refused() -> None:
    fresh = FactoredThompson(SPACE, FEATURES, reward="binary")
    one, other = fresh.update(batch(1, 50)), fresh.update(batch(2, 50))
    with pytest.raises(MixedEvidence, match="differ in shape or feature scale"):
        one.evidence(batch(3, 5)) + other.evidence(batch(3, 5))
    with pytest.raises(MixedEvidence):
        one.absorb(other.evidence(batch(3, 5)))
    wider = FactoredThompson(
        ActionSpace(dimensions=SPACE.dimensions[:1]), FEATURES, reward="binary"
    )
    with pytest.raises(MixedEvidence):
        fresh.absorb(
            wider.evidence(
                Batch(
                    features=np.zeros((1, 2)),
                    actions=np.zeros((1, 1), dtype=np.int16),
                    rewards=np.ones(1),
                    propensities=np.ones(1),
                )
            )
        )
