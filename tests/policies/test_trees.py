"""Trees against truths that a linear model cannot tell."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from opportune.policies import (
    ActionSpace,
    BadPolicySetting,
    Batch,
    Costs,
    Dimension,
    Eligibility,
    MissingExtra,
    Trees,
    UnreadablePolicy,
    everything,
)
from opportune.policies.encoding import pack, stored_space
from opportune.policies.forest import _times
from opportune.policies.trees import _DEFAULTS, _Stored
from opportune.testing import check_policy

Floats = NDArray[np.float64]

SPACE = ActionSpace(
    dimensions=(
        Dimension(name="offer", options=("a", "b", "c")),
        Dimension(name="hour", options=("09", "18")),
    )
)
SMALL = {"members": 3, "trees": 15}


def truth(features: Floats, actions: NDArray[np.int16]) -> Floats:
    """Offer b suits the middle, offer a both ends, c nobody; 18 suits those with z > 0."""
    x, z = features.T
    middle = np.abs(x) < 0.7
    fits = np.where(actions[:, 0] == 0, ~middle, middle) & (actions[:, 0] < 2)
    return np.asarray(0.15 + 0.25 * fits + 0.15 * ((actions[:, 1] == 1) == (z > 0)))


def rows(count: int, *, seed: int = 1, amounts: bool = False) -> Batch:
    numbers = np.random.default_rng(seed)
    features = numbers.normal(size=(count, 2))
    actions = SPACE.actions()[numbers.integers(0, 6, count)]
    rewards = (numbers.random(count) < truth(features, actions)).astype(np.float64)
    return Batch(
        features=features,
        actions=actions,
        rewards=rewards * (20.0 if amounts else 1.0),
        propensities=np.full(count, 1 / 6),
    )


def start(reward: str = "binary", **settings: object) -> Trees:
    return Trees.start(SPACE, features=2, reward=reward, settings={**SMALL, **settings})


@pytest.fixture(scope="module")
def taught() -> Trees:
    return start().update(rows(12_000))


def test_it_finds_what_no_linear_model_can(taught: Trees) -> None:
    asked = rows(4_000, seed=9)
    play = taught.distribution(asked.features, everything(SPACE, 4_000), seed=1)
    assert play.support.shape == (4_000, 3, 2)
    np.testing.assert_allclose(play.weights, 0.98 / 3, rtol=1e-12)
    best = np.stack([np.abs(asked.features[:, 0]) < 0.7, asked.features[:, 1] > 0], axis=1).astype(
        np.int16
    )
    right = (play.support == best[:, None]).mean(axis=(0, 1))
    assert right.min() > 0.88
    error = taught.expected(asked.features, asked.actions) - truth(asked.features, asked.actions)
    assert np.sqrt((error**2).mean()) < 0.06


def test_a_later_dimension_does_not_count_what_an_earlier_one_explains() -> None:
    """Under a log in which 18 goes with the better offer, the hour itself changes nothing."""
    numbers = np.random.default_rng(4)
    offer = numbers.integers(0, 2, 8_000)
    hour = np.where(numbers.random(8_000) < 0.9, offer, 1 - offer)
    batch = Batch(
        features=numbers.normal(size=(8_000, 2)),
        actions=np.stack([offer, hour], axis=1).astype(np.int16),
        rewards=(numbers.random(8_000) < 0.1 + 0.3 * offer).astype(np.float64),
        propensities=np.full(8_000, 0.25),
    )
    policy = start().update(batch)
    asked = np.zeros((4, 2))
    actions = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=np.int16)
    found = policy.expected(asked, actions)
    assert found[2:].min() - found[:2].max() > 0.15
    assert abs(found[0] - found[1]) < 0.1


def test_members_see_rows_as_often_as_poisson_says() -> None:
    times = _times((np.arange(10_000) + 0.5) / 10_000)
    counts = np.bincount(times.astype(int)) / 10_000
    expected = np.exp(-1) / np.array([1, 1, 2, 6, 24])
    np.testing.assert_allclose(counts[:5], expected, atol=2e-4)
    assert times.max() < 12


def test_every_promise_is_kept_once_there_are_trees(taught: Trees) -> None:
    assert any(text for forest in taught.forests for text in forest.texts)
    check_policy(taught, SPACE, n_features=2, additive=False, weighs_costs=True)


def test_an_option_that_never_earns_is_avoided_and_an_unseen_one_is_not_judged() -> None:
    batch = rows(3_000)
    never = replace(batch, rewards=batch.rewards * (batch.actions[:, 0] != 1))
    seen = never.actions[:, 0] != 2
    never = Batch(
        features=never.features[seen],
        actions=never.actions[seen],
        rewards=never.rewards[seen],
        propensities=never.propensities[seen],
    )
    policy = start().update(never)
    zero, low = policy.forests[0].shifts[2], policy.forests[0].shifts[1]
    assert (zero, policy.forests[0].texts[1], policy.forests[0].texts[2]) == (0.0, "", "")
    assert low < -2


def test_costs_are_weighed_against_the_reward() -> None:
    policy = start("amount").update(rows(4_000, amounts=True))
    asked = np.random.default_rng(2).normal(size=(300, 2))
    actions = [np.tile(each, (300, 1)) for each in SPACE.actions()]
    costs = Costs(
        sent=(np.array([0.0, 2.0, 0.0]), np.zeros(2)),
        rewarded=(np.zeros(3), np.array([0.0, 10.0])),
    )
    one = replace(policy, forests=policy.forests[:1])
    expected = np.stack([one.expected(asked, each) for each in actions], axis=1)
    chance = np.clip(expected / 20.0, 0, 1)
    offer, hour = SPACE.actions().T
    scores = expected - costs.sent[0][offer] - costs.rewarded[1][hour] * chance
    play = one.distribution(asked, everything(SPACE, 300), seed=1, costs=costs)
    assert np.array_equal(SPACE.codes(play.support[:, 0]), scores.argmax(axis=1))
    nothing = start("amount").update(replace(rows(200), rewards=np.zeros(200)))
    assert nothing.distribution(
        asked, everything(SPACE, 300), seed=1, costs=costs
    ).support.shape == (300, 3, 2)


def test_only_the_newest_rows_are_kept_and_count_the_same_as_before() -> None:
    policy = start(memory=500, members=1).update(rows(400)).update(rows(300, seed=2))
    assert policy.rows is not None
    assert (policy.rows.first, len(policy.rows.rewards)) == (200, 500)
    np.testing.assert_array_equal(policy.rows.rewards[-300:], rows(300, seed=2).rewards)
    again = Trees.from_bytes(policy.to_bytes())
    assert again.to_bytes() == policy.to_bytes()
    more = rows(100, seed=3)
    assert again.update(more).to_bytes() == policy.update(more).to_bytes()


def test_before_any_rows_play_is_uniform() -> None:
    fresh = start()
    play = fresh.distribution(np.zeros((2, 2)), everything(SPACE, 2), seed=1)
    assert (play.uniform_share, play.support.shape) == (1.0, (2, 0, 2))
    assert fresh.expected(np.zeros((1, 2)), np.zeros((1, 2), dtype=np.int16)).tolist() == [0.0]
    assert fresh.update(rows(0)).to_bytes() == fresh.to_bytes()
    assert Trees.from_bytes(fresh.to_bytes()).to_bytes() == fresh.to_bytes()


def test_nobody_gets_nothing(taught: Trees) -> None:
    nobody = Eligibility(options=np.empty((0, 2), dtype=np.int64))
    assert taught.distribution(np.empty((0, 2)), nobody, seed=1).support.shape == (0, 3, 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"members": 0},
        {"trees": 0},
        {"memory": 0},
        {"leaves": 1},
        {"rate": 0.0},
        {"uniform_share": 1.1},
    ],
)
def test_settings_outside_their_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadPolicySetting, match="allowed are members, trees and memory >= 1"):
        start(**wrong)


def test_arrays_of_another_layout_are_refused() -> None:
    stored = _Stored(
        space=stored_space(SPACE),
        n_features=2,
        reward="binary",
        settings=_DEFAULTS,
        first=0,
        texts=(),
    )
    with pytest.raises(UnreadablePolicy, match="trees for 5 options each"):
        Trees.from_bytes(pack("trees", stored, {"rewards": np.zeros(3)}))


def test_without_lightgbm_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    with pytest.raises(MissingExtra, match=r"needs LightGBM.*pip install 'opportune\[trees\]'"):
        Trees.start(SPACE, features=2, reward="binary")


def test_a_library_that_lightgbm_misses_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lightgbm.py").write_text("raise OSError('libgomp.so.1: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    with pytest.raises(MissingExtra, match=r"libgomp.so.1: cannot open.*install libgomp1"):
        Trees.start(SPACE, features=2, reward="binary")
