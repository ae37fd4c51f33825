"""Why an action scores as it does: nothing is left over, and it names what was put there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lessons import rewarded, rows_of, space_of
from opportune.policies import BadArray, Eligibility, FactoredThompson, everything
from opportune.policies.evidence import fold
from opportune.policies.layout import layout
from opportune.policies.terms import basis

Floats = NDArray[np.float64]

SPACE = space_of(3, 2, 2)
PLACES = st.integers(0, 2**32 - 1)


def learned(reward: str) -> FactoredThompson:
    """Feature 0 speaks for option 1 of the first dimension, and two options go well together."""
    rows = rows_of(SPACE, 20_000, seed=3, features=3)
    first, second = rows.actions[:, 0] == 1, rows.actions[:, 1] == 1
    logit = -2.0 + 0.9 * first * rows.features[:, 0] + 0.8 * first * second + 0.4 * second
    rows = rewarded(rows, logit, seed=4)
    if reward == "amount":
        random = np.random.default_rng(5)
        rows = replace(rows, rewards=rows.rewards * np.exp(random.normal(2.0, 0.4, 20_000)))
        return FactoredThompson(SPACE, 3, reward="amount").update(rows)
    return FactoredThompson(SPACE, 3, reward="binary").update(rows)


POLICIES = {kind: learned(kind) for kind in ("binary", "amount")}


def all_scores(policy: FactoredThompson, features: Floats) -> Floats:
    """eta of every combination, from the coefficients: ``(n, C)``."""
    known = policy.knowledge
    assert known is not None
    shape = layout(SPACE.sizes, known.terms.kinds)
    mean = sum(each.members[known.best].whole(shape.size) for each in known.models)
    folded = fold(shape, np.asarray(mean)[None], SPACE.actions())[0]
    return np.asarray(basis(known.terms, features) @ folded.T)


@pytest.mark.parametrize("reward", list(POLICIES))
@given(seed=PLACES)
def test_contributions_sum_to_the_score_less_the_average_score(reward: str, seed: int) -> None:
    policy, random = POLICIES[reward], np.random.default_rng(seed)
    features = random.normal(size=(20, 3)) * 2
    # At least one option of each dimension.
    options = np.stack([random.integers(1, 1 << size, 20) for size in SPACE.sizes], axis=1)
    eligible = Eligibility(options=options)
    actions = eligible.at(SPACE, random.random(20))
    found = policy.contributions(features, actions, eligible)
    scores, everybody = all_scores(policy, features), np.repeat(np.arange(20), SPACE.combinations)
    allowed = eligible.take(everybody).allows(SPACE, np.tile(SPACE.actions(), (20, 1)))
    allowed = allowed.reshape(20, -1)
    average = (scores * allowed).sum(axis=1) / allowed.sum(axis=1)
    wanted = scores[np.arange(20), SPACE.codes(actions)] - average
    assert found.total == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("reward", list(POLICIES))
def test_they_name_what_matters(reward: str) -> None:
    policy = POLICIES[reward]
    features = np.array([[2.0, 0.0, 0.0], [-2.0, 0.0, 0.0]])
    actions = np.array([[1, 1, 0], [1, 1, 0]], dtype=np.int16)
    found = policy.contributions(features, actions, everything(SPACE, 2))
    ranked = np.abs(found.features).reshape(2, -1).argmax(axis=1)
    assert ranked.tolist() == [0, 0]  # of the first dimension, feature 0
    assert found.features[0, 0, 0] > 0.5
    assert found.features[1, 0, 0] < -0.5
    assert found.pairs.argmax(axis=1).tolist() == [0, 0]  # the first two dimensions
    # The third dimension does nothing.
    assert (found.options[:, :2] > 0.1).all()
    assert (np.abs(found.options[:, 2]) < 0.05).all()


def test_who_may_get_one_action_alone_has_no_choice_to_explain() -> None:
    only = Eligibility(options=np.array([[2, 1, 2]]))
    actions = np.array([[1, 0, 1]], dtype=np.int16)
    found = POLICIES["binary"].contributions(np.ones((1, 3)), actions, only)
    assert not found.options.any()
    assert not found.features.any()
    assert not found.pairs.any()


def test_a_policy_that_learned_nothing_has_no_reasons() -> None:
    fresh = FactoredThompson(SPACE, 3, reward="binary")
    actions = np.zeros((4, 3), dtype=np.int16)
    assert not fresh.contributions(np.ones((4, 3)), actions, everything(SPACE, 4)).total.any()


def test_columns_that_do_not_fit_are_refused() -> None:
    actions = np.zeros((4, 3), dtype=np.int16)
    with pytest.raises(BadArray):
        POLICIES["binary"].contributions(np.ones((4, 2)), actions, everything(SPACE, 4))
