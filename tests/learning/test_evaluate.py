"""Off-policy evaluation against hand-computed values and against a world whose truth is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from opportune import policies
from opportune.learning import (
    Evaluated,
    Logged,
    difference,
    evaluate,
    evaluate_log,
    expected_under,
)
from opportune.stats import InvalidPropensity

Floats = NDArray[np.float64]
Actions = NDArray[np.int16]

SPACE = policies.ActionSpace(
    dimensions=(
        policies.Dimension(name="offer", options=("a", "b")),
        policies.Dimension(name="channel", options=("email", "push")),
    )
)
ROWS = 20_000


def truth(features: Floats, actions: Actions) -> Floats:
    """Chance of a conversion: offer b suits those whose feature is above 0, push adds a little."""
    fits = (actions[:, 0] == 1) == (features[:, 0] > 0)
    return np.asarray(0.1 + 0.2 * fits + 0.05 * actions[:, 1])


def nothing(features: Floats, actions: Actions) -> Floats:
    return np.zeros(len(actions))


def world(*, seed: int, rows: int = ROWS) -> Logged:
    """A log whose propensities depend on the customer: whoever has x > 0 mostly got offer a."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, 1))
    chance_b = np.where(features[:, 0] > 0, 0.2, 0.6)
    offer = random.random(rows) < chance_b
    channel = random.random(rows) < 0.5
    actions = np.stack([offer, channel], axis=1).astype(np.int16)
    propensities = np.where(offer, chance_b, 1 - chance_b) * 0.5
    rewards = (random.random(rows) < truth(features, actions)).astype(np.float64)
    return Logged(
        space=SPACE,
        features=features,
        eligible=policies.everything(SPACE, rows),
        actions=actions,
        propensities=propensities,
        rewards=rewards,
        dimension_propensities=np.stack([propensities * 2, np.full(rows, 0.5)], axis=1),
    )


def personal(log: Logged, *, uniform_share: float = 0.1) -> policies.ActionDistribution:
    """The best action for each, and now and then a uniform one."""
    best = np.stack([log.features[:, 0] > 0, np.ones(len(log.rewards))], axis=1)
    return policies.ActionDistribution(
        space=SPACE,
        support=best[:, None, :].astype(np.int16),
        weights=np.full((len(log.rewards), 1), 1 - uniform_share),
        uniform_share=uniform_share,
        eligible=log.eligible,
    )


def true_value(log: Logged, target: policies.ActionDistribution) -> float:
    shares = [
        policies.probability(target, np.broadcast_to(action, log.actions.shape))
        * truth(log.features, np.broadcast_to(action, log.actions.shape))
        for action in SPACE.actions()
    ]
    return float(np.sum(shares, axis=0).mean())


def always(log: Logged, *names: str) -> policies.ActionDistribution:
    return policies.Fixed(SPACE, names).distribution(log.features, log.eligible, seed=0)


@pytest.fixture(scope="module")
def by_hand() -> Logged:
    """Four rows, actions (a, email), (a, push), (b, email), (b, email)."""
    return Logged(
        space=SPACE,
        features=np.zeros((4, 1)),
        eligible=policies.everything(SPACE, 4),
        actions=np.array([[0, 0], [0, 1], [1, 0], [1, 0]], dtype=np.int16),
        propensities=np.array([0.5, 0.25, 0.25, 0.5]),
        rewards=np.array([1.0, 0.0, 3.0, 1.0]),
    )


def model_by_hand(features: Floats, actions: Actions) -> Floats:
    return 1.0 + actions[:, 0].astype(np.float64)


def test_the_three_estimates_agree_with_a_calculation_by_hand(by_hand: Logged) -> None:
    target = policies.ActionDistribution(
        space=SPACE,
        support=np.tile(np.array([[[1, 0]]], dtype=np.int16), (4, 1, 1)),
        weights=np.full((4, 1), 0.6),
        uniform_share=0.4,
        eligible=by_hand.eligible,
    )
    found = evaluate(by_hand, target, name="mostly b by email", model=model_by_hand)
    # The target plays (b, email) with 0.7, everything else with 0.1.
    weights = [0.1 / 0.5, 0.1 / 0.25, 0.7 / 0.25, 0.7 / 0.5]
    earned = [1.0, 0.0, 3.0, 1.0]
    predicted = [1.0, 1.0, 2.0, 2.0]
    expected = 0.2 * 1.0 + 0.8 * 2.0
    ips = [w * r for w, r in zip(weights, earned, strict=True)]
    terms = [expected + w * (r - q) for w, r, q in zip(weights, earned, predicted, strict=True)]
    assert found.name == "mostly b by email"
    assert found.ips.value == pytest.approx(sum(ips) / 4, rel=1e-12)
    assert found.snips.value == pytest.approx(sum(ips) / sum(weights), rel=1e-12)
    assert found.terms.tolist() == pytest.approx(terms, rel=1e-12)
    assert found.doubly_robust.value == pytest.approx(sum(terms) / 4, rel=1e-12)
    assert found.effective_sample_size == pytest.approx(
        sum(weights) ** 2 / sum(w * w for w in weights), rel=1e-12
    )
    # (b, push) never occurs.
    assert found.supported_share == pytest.approx(0.9, rel=1e-12)


def test_options_are_weighed_by_themselves_where_the_log_knows_their_propensities(
    by_hand: Logged,
) -> None:
    chances = np.array([[0.75, 0.75], [0.75, 0.25], [0.25, 0.75], [0.25, 0.75]])
    log = replace(by_hand, dimension_propensities=chances)
    target = policies.ActionDistribution(
        space=SPACE,
        support=np.tile(np.array([[[1, 0]]], dtype=np.int16), (4, 1, 1)),
        weights=np.full((4, 1), 0.6),
        uniform_share=0.4,
        eligible=log.eligible,
    )
    found = evaluate(log, target, name="", model=model_by_hand)
    # By itself each of b and email has 0.8, each of a and push 0.2.
    weights = [0.2 / 0.75 + 0.8 / 0.75 - 1, 0.2 / 0.75 + 0.2 / 0.25 - 1]
    weights += [0.8 / 0.25 + 0.8 / 0.75 - 1] * 2
    terms = zip(weights, [1.0, 0.0, 3.0, 1.0], [1.0, 1.0, 2.0, 2.0], strict=True)
    corrected = [1.8 + w * (r - q) for w, r, q in terms]
    earned = weights[0] + 3 * weights[2] + weights[3]
    assert found.pseudo_inverse is not None
    assert found.pseudo_inverse_dr is not None
    assert found.pseudo_inverse.value == pytest.approx(earned / 4, rel=1e-12)
    assert found.pseudo_inverse_dr.value == pytest.approx(sum(corrected) / 4, rel=1e-12)
    for missing in (None, np.where(chances == 0.25, np.nan, chances)):
        without = evaluate(
            replace(log, dimension_propensities=missing), target, name="", model=model_by_hand
        )
        assert (without.pseudo_inverse, without.pseudo_inverse_dr) == (None, None)


def test_one_dimension_has_no_options_to_weigh_by_themselves() -> None:
    space = policies.ActionSpace(dimensions=SPACE.dimensions[:1])
    log = Logged(
        space=space,
        features=np.zeros((4, 0)),
        eligible=policies.everything(space, 4),
        actions=np.array([[0], [1], [0], [1]], dtype=np.int16),
        propensities=np.full(4, 0.5),
        rewards=np.array([0.0, 1.0, 1.0, 1.0]),
        dimension_propensities=np.full((4, 1), 0.5),
    )
    play = policies.Uniform(space).distribution(log.features, log.eligible, seed=0)
    found = evaluate(log, play, name="", model=nothing)
    assert (found.pseudo_inverse, found.pseudo_inverse_dr) == (None, None)


def test_a_weight_above_a_hundred_is_left_to_the_model(by_hand: Logged) -> None:
    rare = replace(by_hand, propensities=np.array([0.5, 0.25, 0.25, 0.004]))
    found = evaluate(rare, always(rare, "b", "email"), name="", model=model_by_hand)
    assert found.doubly_robust.value == pytest.approx((4 * 2.0 + 4 * 1.0 - 250 * 1.0) / 4)
    assert found.switch_dr.value == pytest.approx((4 * 2.0 + 4 * 1.0) / 4)


def test_an_action_that_was_never_played_is_unknown_and_not_supported(by_hand: Logged) -> None:
    found = evaluate(by_hand, always(by_hand, "b", "push"), name="", model=model_by_hand)
    assert (found.ips.value, found.snips.value, found.doubly_robust.value) == (None, None, None)
    assert found.supported_share == 0.0


def test_the_log_itself_is_its_plain_mean_by_every_estimator(by_hand: Logged) -> None:
    found = evaluate_log(by_hand, name="as it was run")
    every = (found.ips, found.snips, found.doubly_robust, found.switch_dr)
    assert [each.value for each in every] == [1.25] * 4
    assert (found.pseudo_inverse, found.pseudo_inverse_dr) == (None, None)
    known = replace(by_hand, dimension_propensities=np.full((4, 2), 0.5))
    both = evaluate_log(known, name="as it was run")
    assert both.pseudo_inverse == both.pseudo_inverse_dr == both.ips
    assert found.effective_sample_size == 4.0
    assert found.supported_share == 1.0


def test_options_that_are_not_eligible_get_nothing_of_the_uniform_part(by_hand: Logged) -> None:
    narrow = replace(
        by_hand, eligible=policies.Eligibility(options=np.tile(np.array([3, 1]), (4, 1)))
    )
    target = policies.Uniform(SPACE).distribution(narrow.features, narrow.eligible, seed=0)
    found = evaluate(narrow, target, name="", model=model_by_hand)
    assert found.supported_share == 1.0
    assert found.ips.value == pytest.approx((1.0 + 0.0 + 3.0 * 2 + 1.0) / 4)


def test_the_model_is_asked_for_no_action_that_the_target_does_not_play(by_hand: Logged) -> None:
    asked: list[object] = []

    def model(features: Floats, actions: Actions) -> Floats:
        asked.append(np.unique(actions, axis=0).tolist())
        return model_by_hand(features, actions)

    evaluate(by_hand, always(by_hand, "b", "email"), name="", model=model)
    assert [[1, 0]] in asked
    assert [[1, 1]] not in asked


def test_candidates_and_points_of_uniform_play_stand_for_every_combination() -> None:
    space = policies.ActionSpace(
        dimensions=tuple(
            policies.Dimension(name=str(d), options=tuple("abcdefg"[:size]))
            for d, size in enumerate((7, 5, 3))
        )
    )
    random, rows = np.random.default_rng(6), 2_000
    drawn = random.integers(0, space.combinations, rows)
    # The last option of the second dimension is forbidden to half of them, and never logged.
    options = np.tile(np.array([0b1111111, 0b11111, 0b111]), (rows, 1))
    options[: rows // 2, 1] = 0b01111
    actions = space.actions()[drawn]
    actions[:, 1] = np.minimum(actions[:, 1], 3)
    log = Logged(
        space=space,
        features=random.normal(size=(rows, 1)),
        eligible=policies.Eligibility(options=options),
        actions=actions,
        propensities=np.full(rows, 1 / space.combinations),
        rewards=np.zeros(rows),
    )
    target = policies.ActionDistribution(
        space=space,
        support=np.stack([actions, np.zeros_like(actions)], axis=1),
        weights=np.tile([0.3, 0.2], (rows, 1)),
        uniform_share=0.5,
        eligible=log.eligible,
    )

    def model(features: Floats, chosen: Actions) -> Floats:
        return np.asarray(chosen @ np.array([1.0, 4.0, 9.0]) + chosen[:, 0] * features[:, 0])

    every = space.actions()
    exact, supported = np.zeros(rows), 0.0
    played = {tuple(each) for each in actions.tolist()}
    for action in every:
        chosen = np.broadcast_to(action, actions.shape)
        share = policies.probability(target, chosen)
        exact += share * model(log.features, chosen)
        supported += float(share.mean()) * (tuple(action.tolist()) in played)
    expected, share = expected_under(log, target, model)
    assert supported == pytest.approx(0.95, abs=0.001)
    assert share == pytest.approx(supported, abs=0.002)
    # By row the points leave little of the uniform part's spread; over the rows nothing.
    assert np.std(expected - exact) < 0.1 * np.std(exact)
    assert float(np.mean(expected - exact)) == pytest.approx(0.0, abs=0.03)


def test_a_difference_of_what_cannot_be_trusted_has_no_bounds() -> None:
    log = world(seed=11, rows=150)
    known = evaluate_log(log, name="as it was run")
    rare = evaluate(log, always(log, "b", "push"), name="b by push", model=truth)
    assert rare.doubly_robust.effective_sample_size < 100
    for found in (difference(known, rare), difference(rare, known)):
        assert found.value is not None
        assert (found.low, found.high) == (None, None)
        assert found.reason == f"'b by push': {rare.doubly_robust.reason}"


def test_a_propensity_of_zero_is_refused(by_hand: Logged) -> None:
    broken = replace(by_hand, propensities=np.array([0.5, 0.0, 0.25, 0.5]))
    with pytest.raises(InvalidPropensity, match="1 of 4 rows"):
        evaluate(broken, always(broken, "a", "email"), name="", model=nothing)


def test_intervals_contain_the_truth_as_often_as_they_say() -> None:
    names = ["ips", "snips", "doubly_robust", "switch_dr", "pseudo_inverse_dr"]
    covered = dict.fromkeys(names, 0)
    for seed in range(200):
        log = world(seed=seed, rows=2_000)
        target = personal(log)
        found = evaluate(log, target, name="", model=nothing)
        value = true_value(log, target)
        for name in names:
            each = getattr(found, name)
            covered[name] += each.low <= value <= each.high
    # 190 expected; three standard deviations are 9.
    assert all(181 <= count <= 199 for count in covered.values()), covered


def test_every_estimator_finds_the_value_of_a_policy_unlike_the_logged_one() -> None:
    log = world(seed=7)
    target = personal(log)
    found = evaluate(log, target, name="personal", model=truth)
    value = true_value(log, target)
    assert value == pytest.approx(0.3375, abs=0.001)
    for estimate in (found.ips, found.snips, found.doubly_robust):
        assert estimate.value == pytest.approx(value, abs=0.02)
        assert estimate.trustworthy
    assert found.supported_share == pytest.approx(1.0, abs=1e-12)


def test_a_wrong_model_costs_width_and_not_truth() -> None:
    log = world(seed=8)
    target = personal(log)

    def wrong(features: Floats, actions: Actions) -> Floats:
        return np.full(len(actions), 5.0)

    good = evaluate(log, target, name="", model=truth).doubly_robust
    bad = evaluate(log, target, name="", model=wrong).doubly_robust
    assert _width(bad.low, bad.high) > 3 * _width(good.low, good.high)
    assert bad.low is not None
    assert bad.high is not None
    assert bad.low <= true_value(log, target) <= bad.high


def test_a_difference_is_narrower_than_the_two_intervals_beside_each_other() -> None:
    log = world(seed=9)
    one = evaluate(log, personal(log), name="personal", model=truth)
    other = evaluate(log, always(log, "b", "push"), name="b by push", model=truth)
    gap = difference(one, other)
    true_gap = true_value(log, personal(log)) - true_value(log, always(log, "b", "push"))
    assert gap.value == pytest.approx(_value(one) - _value(other), rel=1e-9)
    assert gap.low is not None
    assert gap.high is not None
    assert gap.low <= true_gap <= gap.high
    apart = math.hypot(
        _width(one.doubly_robust.low, one.doubly_robust.high),
        _width(other.doubly_robust.low, other.doubly_robust.high),
    )
    assert _width(gap.low, gap.high) < apart


def test_a_policy_does_not_differ_from_itself() -> None:
    log = world(seed=10, rows=500)
    one = evaluate(log, personal(log), name="", model=truth)
    gap = difference(one, one)
    assert (gap.value, gap.low, gap.high) == (0.0, None, None)


def _width(low: float | None, high: float | None) -> float:
    assert low is not None
    assert high is not None
    return high - low


def _value(found: Evaluated) -> float:
    assert found.doubly_robust.value is not None
    return found.doubly_robust.value
