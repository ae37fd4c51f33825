"""Proves that a policy keeps the promises of `policies.Policy`: for authors of plugins."""

from __future__ import annotations

from typing import Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from opportune.errors import InvalidInput
from opportune.policies import (
    ActionDistribution,
    ActionSpace,
    Batch,
    Costs,
    Eligibility,
    Policy,
    dimension_probability,
    draw,
    everything,
    probability,
    uniforms,
)

__all__ = ["check_policy"]

_PROFILES = 48
_ENUMERATED = 4096
_SEED = 7

Features = NDArray[np.float64]
E = TypeVar("E", bound="_Adds")


class _Adds(Protocol):
    def __add__(self: E, other: E) -> E: ...


class _Additive(Protocol):
    def evidence(self, batch: Batch) -> _Adds: ...

    def absorb(self, evidence: _Adds) -> Policy: ...


def check_policy(
    policy: Policy,
    space: ActionSpace,
    *,
    n_features: int,
    additive: bool,
    weighs_costs: bool = False,
    amounts: bool = False,
) -> None:
    """Raise ``AssertionError``, in words, at the first promise that ``policy`` breaks.

    ``space`` and ``n_features`` are what it was built for; it must accept rewards of 0 and 1, and
    with ``amounts`` any finite reward. ``additive``: whether it claims that evidence adds. Then it
    has ``evidence(batch)``, whose results add, and ``absorb(evidence)``. ``weighs_costs``: whether
    it claims to weigh what options cost; otherwise costs must change nothing. Up to 4,096
    combinations, some are forbidden to some profiles, and probabilities are summed over all.

    >>> from opportune.policies import Dimension, Uniform
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
    >>> check_policy(Uniform(space), space, n_features=2, additive=False)
    """
    _require(bool(policy.name), "name is empty: the decision log says which kind of policy played.")
    features, crowds = _profiles(space, n_features)
    eligible = crowds[0]
    for crowd in crowds:
        _check_play(policy, space, features, crowd)
    before = policy.to_bytes()
    batch = _batch(policy, features, eligible, amounts=amounts)
    updated = _updated(policy, batch)
    _require(policy.to_bytes() == before, "update changed the old policy; it must make a new one.")
    _require(
        policy.update(batch).to_bytes() == updated.to_bytes(),
        "update gives another policy when asked again with the same rows.",
    )
    for crowd in crowds:
        _check_play(updated, space, features, crowd)
    _check_empty_day(updated, batch, features, eligible)
    _check_alone(updated, features, crowds[-1])
    _check_costs(updated, space, features, eligible, weighs_costs=weighs_costs)
    if additive:
        _check_adding(updated, batch, features, eligible)


def _profiles(space: ActionSpace, n_features: int) -> tuple[Features, list[Eligibility]]:
    """Profiles of whom half may get everything, the others at least one option each.

    The same once more with some combinations forbidden, where a table of them stays small. One
    profile has no feature that is known.
    """
    numbers = np.random.default_rng(_SEED)
    features = numbers.normal(size=(_PROFILES, n_features))
    features[0] = np.nan
    full = everything(space, _PROFILES).options
    options = full.copy()
    sizes = np.array(space.sizes)
    half = _PROFILES // 2
    masks = (numbers.random((half, len(sizes))) * (2.0**sizes - 1)).astype(np.int64)
    options[half:] = np.minimum(masks + 1, options[half:])
    by_option = Eligibility(options=options)
    if space.combinations > _ENUMERATED:
        return features, [by_option]
    allowed = numbers.random((_PROFILES, space.combinations)) < 0.5
    rows = np.arange(_PROFILES)
    allowed[rows, numbers.integers(0, space.combinations, _PROFILES)] = True
    return features, [by_option, Eligibility.of_combinations(space, allowed)]


def _batch(policy: Policy, features: Features, eligible: Eligibility, *, amounts: bool) -> Batch:
    chosen = draw(policy.distribution(features, eligible, seed=_SEED), _numbers())
    rewarded = (np.arange(_PROFILES) % 3 == 0).astype(np.float64)
    return Batch(
        features=features,
        actions=chosen.actions,
        rewards=rewarded * (12.5 + np.arange(_PROFILES)) if amounts else rewarded,
        propensities=chosen.propensities,
    )


def _updated(policy: Policy, batch: Batch) -> Policy:
    try:
        return policy.update(batch)
    except InvalidInput as error:
        raise AssertionError(f"update refuses rewards of its kind: {error}") from error


def _numbers() -> NDArray[np.float64]:
    return uniforms("check_policy", np.arange(_PROFILES))


def _check_play(
    policy: Policy, space: ActionSpace, features: Features, eligible: Eligibility
) -> None:
    asked = features.copy()
    play = policy.distribution(asked, eligible, seed=_SEED)
    _require(np.array_equal(asked, features, equal_nan=True), "distribution changed the features.")
    _check_support(play, eligible)
    if space.combinations <= _ENUMERATED:
        _check_probabilities(play, space, eligible)
    _check_draw(play, eligible)
    again = policy.distribution(features, eligible, seed=_SEED)
    _require(_same(play, again), "distribution differs when asked again with the same seed.")
    stored = policy.to_bytes()
    read = type(policy).from_bytes(stored)
    _require(read.to_bytes() == stored, "from_bytes(to_bytes()) has other bytes.")
    _require(
        _same(play, read.distribution(features, eligible, seed=_SEED)),
        "from_bytes(to_bytes()) plays differently.",
    )


def _check_support(play: ActionDistribution, eligible: Eligibility) -> None:
    profiles, dimensions = eligible.options.shape
    candidates = play.support.shape[1]
    _require(
        play.support.shape == (profiles, candidates, dimensions)
        and play.weights.shape == (profiles, candidates)
        and play.eligible is eligible,
        "support, weights or eligible do not have the shape or values that were asked for.",
    )
    _require(
        0.0 <= play.uniform_share <= 1.0 and bool((play.weights >= 0).all()),
        "A weight is negative or uniform_share is not within 0 and 1.",
    )
    total = play.weights.sum(axis=1) + play.uniform_share
    _require(bool(np.allclose(total, 1.0, atol=1e-9)), "Weights and uniform_share sum not to one.")
    for s in range(candidates):
        allowed = eligible.allows(play.space, play.support[:, s])
        _require(
            bool((allowed | (play.weights[:, s] == 0)).all()),
            "An ineligible action has positive weight.",
        )


def _check_probabilities(
    play: ActionDistribution, space: ActionSpace, eligible: Eligibility
) -> None:
    total = np.zeros(len(eligible))
    for action in space.actions():
        likely = probability(play, np.broadcast_to(action, eligible.options.shape))
        allowed = eligible.allows(space, np.broadcast_to(action, eligible.options.shape))
        _require(bool((likely[~allowed] == 0).all()), "An ineligible action is possible.")
        total += likely
    _require(bool(np.allclose(total, 1.0, atol=1e-9)), "Probabilities sum not to one.")


def _check_draw(play: ActionDistribution, eligible: Eligibility) -> None:
    chosen = draw(play, _numbers())
    allowed = eligible.allows(play.space, chosen.actions)
    _require(bool(allowed.all()), "draw chose an ineligible action.")
    _require(bool((chosen.propensities > 0).all()), "draw chose what has probability zero.")
    _require(
        np.array_equal(chosen.propensities, probability(play, chosen.actions))
        and np.array_equal(
            chosen.dimension_propensities, dimension_probability(play, chosen.actions)
        ),
        "The drawn propensities are not the probabilities of the distribution.",
    )


def _check_empty_day(
    policy: Policy, batch: Batch, features: Features, eligible: Eligibility
) -> None:
    after = policy.update(_rows(batch, slice(0)))
    play, again = (each.distribution(features, eligible, seed=_SEED) for each in (policy, after))
    _require(_same(play, again), "update without a single row changes the play.")


def _check_alone(policy: Policy, features: Features, eligible: Eligibility) -> None:
    """A profile gets the same whoever else is asked about: shards and one request agree."""
    crowd = policy.distribution(features, eligible, seed=_SEED)
    chosen = draw(crowd, _numbers())
    for row in range(0, _PROFILES, 5):
        one = slice(row, row + 1)
        alone = policy.distribution(features[one], eligible.take(one), seed=_SEED)
        _require(
            alone.uniform_share == crowd.uniform_share
            and np.allclose(
                probability(alone, chosen.actions[one]), chosen.propensities[one], atol=1e-9
            ),
            "A profile gets other probabilities alone than among others.",
        )


def _check_costs(
    policy: Policy,
    space: ActionSpace,
    features: Features,
    eligible: Eligibility,
    *,
    weighs_costs: bool,
) -> None:
    """Make one option dearer than any reward, then look how often it is still played."""
    free = policy.distribution(features, eligible, seed=_SEED)
    nothing = policy.distribution(features, eligible, seed=_SEED, costs=_costs(space, price=0.0))
    _require(_same(free, nothing), "Costs of zero change the play.")
    dear = policy.distribution(features, eligible, seed=_SEED, costs=_costs(space, price=1e6))
    _check_support(dear, eligible)
    if not weighs_costs:
        _require(
            _same(free, dear), "Costs change the play, though it does not claim to weigh them."
        )
        return
    others = (eligible.options[:, 0] & ~1) != 0
    played = (dear.weights * (dear.support[:, :, 0] == 0)).sum(axis=1)
    _require(
        bool((played[others] == 0).all()),
        "An option that costs more than any reward is chosen beside the uniform part.",
    )


def _costs(space: ActionSpace, *, price: float) -> Costs:
    """A price for sending the first option of the first dimension; the others are free."""
    free = [np.zeros(size) for size in space.sizes]
    first = free[0].copy()
    first[0] = price
    return Costs(sent=(first, *free[1:]), rewarded=tuple(free))


def _check_adding(policy: Policy, batch: Batch, features: Features, eligible: Eligibility) -> None:
    _require(
        hasattr(policy, "evidence") and hasattr(policy, "absorb"),
        "An additive policy needs evidence(batch) and absorb(evidence).",
    )
    adding = cast(_Additive, policy)
    third = len(batch.rewards) // 3
    parts = (_rows(batch, slice(None, third)), _rows(batch, slice(third, None)))
    first, second = (adding.evidence(part) for part in parts)
    _require(
        _same(
            adding.absorb(first + second).distribution(features, eligible, seed=_SEED),
            adding.absorb(adding.evidence(batch)).distribution(features, eligible, seed=_SEED),
        ),
        "Evidence does not add: two parts added teach something else than all rows at once.",
    )


def _rows(batch: Batch, rows: slice) -> Batch:
    return Batch(
        features=batch.features[rows],
        actions=batch.actions[rows],
        rewards=batch.rewards[rows],
        propensities=batch.propensities[rows],
    )


def _same(one: ActionDistribution, other: ActionDistribution) -> bool:
    """Whether both give the same probability to all that the first can play."""
    candidates = (one.support[:, s] for s in range(one.support.shape[1]))
    return one.uniform_share == other.uniform_share and all(
        np.allclose(probability(one, actions), probability(other, actions), atol=1e-9)
        for actions in candidates
    )


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise AssertionError(otherwise)
