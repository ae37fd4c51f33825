"""The adapter against Vowpal Wabbit itself, and against a truth that it must find."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import vowpalwabbit
from numpy.typing import NDArray

from opportune.policies import (
    ActionSpace,
    BadPolicySetting,
    Batch,
    Dimension,
    Eligibility,
    MissingExtra,
    UnreadablePolicy,
    Wabbit,
    everything,
    probability,
)
from opportune.testing import check_policy

SPACE = ActionSpace(
    dimensions=(
        Dimension(name="offer", options=("a", "b")),
        Dimension(name="hour", options=("09", "13", "18")),
    )
)
Floats = NDArray[np.float64]


def rows(count: int, *, seed: int = 1) -> Batch:
    """Offer b suits those with x > 0, offer a the others."""
    numbers = np.random.default_rng(seed)
    features = numbers.normal(size=(count, 2))
    actions = SPACE.actions()[numbers.integers(0, 6, count)]
    fits = (features[:, 0] > 0) == (actions[:, 0] == 1)
    return Batch(
        features=features,
        actions=actions,
        rewards=(numbers.random(count) < 0.1 + 0.5 * fits).astype(np.float64),
        propensities=np.full(count, 1 / 6),
    )


@pytest.fixture(scope="module")
def taught() -> Wabbit:
    return Wabbit.start(SPACE, features=2, reward="binary").update(rows(3_000))


def shares(policy: Wabbit, features: Floats, eligible: Eligibility) -> Floats:
    """The probability of every combination for every profile."""
    play = policy.distribution(features, eligible, seed=1)
    every = [np.broadcast_to(each, (len(features), 2)) for each in SPACE.actions()]
    return np.stack([probability(play, each) for each in every], axis=1)


def test_the_probabilities_are_those_of_vowpal_wabbit() -> None:
    """The same rows, as text, to a workspace of our own."""
    batch = rows(300)
    workspace = vowpalwabbit.Workspace(
        "--quiet --cb_explore_adf --cb_type mtr --squarecb --gamma_scale 10 -q xa -q aa "
        "-l 0.5 -b 18 --random_seed 1"
    )
    options = [f"|a d0={offer} d1={hour}" for offer, hour in SPACE.actions()]
    for x, action, reward in zip(batch.features, batch.actions, batch.rewards, strict=True):
        lines = list(options)
        place = 3 * action[0] + action[1]
        lines[place] = f"0:{-reward}:{1 / 6:.9g} {lines[place]}"
        workspace.learn("\n".join([f"shared |x f0:{x[0]:.9g} f1:{x[1]:.9g}", *lines]))
    asked = rows(20, seed=2).features
    expected = [
        workspace.predict("\n".join([f"shared |x f0:{x[0]:.9g} f1:{x[1]:.9g}", *options]))
        for x in asked
    ]
    workspace.finish()
    policy = Wabbit.start(SPACE, features=2, reward="binary").update(batch)
    found = shares(policy, asked, everything(SPACE, 20))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-14)


def test_it_learns_what_suits_whom(taught: Wabbit) -> None:
    asked = np.array([[1.5, 0.0], [-1.5, 0.0], [1.5, np.nan]])
    found = shares(taught, asked, everything(SPACE, 3))
    b = found[:, 3:].sum(axis=1)
    assert b[0] > 0.75
    assert b[1] < 0.25
    assert b[2] > 0.75


def test_only_eligible_combinations_are_offered_to_the_model(taught: Wabbit) -> None:
    asked = rows(40, seed=3).features
    allowed = np.random.default_rng(1).random((40, 6)) < 0.5
    allowed[:, 2] = True
    found = shares(taught, asked, Eligibility.of_combinations(SPACE, allowed))
    assert (found[~allowed] == 0).all()
    assert (found[allowed] > 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-12)


@pytest.mark.parametrize("explore", ["squarecb", "epsilon", "bag", "cover"])
def test_every_exploration_keeps_every_promise(explore: str) -> None:
    policy = Wabbit.start(
        SPACE, features=3, reward="amount", settings={"explore": explore, "pairs": False}
    )
    check_policy(policy, SPACE, n_features=3, additive=False, amounts=True)


def test_a_day_learned_from_the_stored_model_is_the_day_after(taught: Wabbit) -> None:
    again = Wabbit.from_bytes(taught.to_bytes())
    assert again == taught
    day = rows(200, seed=4)
    assert again.update(day) == taught.update(day)
    assert taught.update(day) != taught
    assert taught.update(rows(0)) == taught


def test_wrong_settings_spaces_and_bytes_are_refused() -> None:
    for wrong in (
        {"epsilon": 2.0},
        {"gamma_scale": 0.0},
        {"learning_rate": 0.0},
        {"bags": 0},
        {"bits": 40},
    ):
        with pytest.raises(BadPolicySetting, match="allowed are 0 <= epsilon <= 1"):
            Wabbit.start(SPACE, features=2, reward="binary", settings=wrong)
    with pytest.raises(BadPolicySetting, match="explore"):
        Wabbit.start(SPACE, features=2, reward="binary", settings={"explore": "--help"})
    vast = ActionSpace(
        dimensions=tuple(Dimension(name=str(d), options=tuple("abcdefgh")) for d in range(5))
    )
    with pytest.raises(BadPolicySetting, match=r"32768 combinations; .* up to 4096"):
        Wabbit(vast, 2, reward="binary")
    with pytest.raises(UnreadablePolicy):
        Wabbit.from_bytes(b"model")


def test_without_vowpal_wabbit_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vowpalwabbit", None)
    with pytest.raises(MissingExtra, match=r"needs Vowpal Wabbit.*'opportune\[wabbit\]'"):
        Wabbit.start(SPACE, features=2, reward="binary")
