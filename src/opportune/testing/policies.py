"""Proves that a policy keeps the promises of `policies.Policy`: for authors of plugins."""

from __future__ import annotations

from typing import Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from opportune.policies import (
    ActionDistribution,
    ActionSpace,
    Batch,
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


def check_policy(policy: Policy, space: ActionSpace, *, n_features: int, additive: bool) -> None:
    """Raise ``AssertionError``, in words, at the first promise that ``policy`` breaks.

    ``space`` and ``n_features`` are what it was built for; it must accept rewards of 0 and 1.
    ``additive``: whether it claims that evidence adds. Then it has ``evidence(batch)``, whose
    results add, and ``absorb(evidence)``. Probabilities are summed over all combinations of
    spaces of up to 4,096.

    >>> from opportune.policies import Dimension, Uniform
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
    >>> check_policy(Uniform(space), space, n_features=2, additive=False)
    """
    _require(bool(policy.name), "name is empty: the decision log says which kind of policy played.")
    features, eligible = _profiles(space, n_features)
    _check_play(policy, space, features, eligible)
    before = policy.to_bytes()
    batch = _batch(policy, features, eligible)
    updated = policy.update(batch)
    _require(policy.to_bytes() == before, "update changed the old policy; it must make a new one.")
    _require(
        policy.update(batch).to_bytes() == updated.to_bytes(),
        "update gives another policy when asked again with the same rows.",
    )
    _check_play(updated, space, features, eligible)
    if additive:
        _check_adding(updated, batch, features, eligible)


def _profiles(space: ActionSpace, n_features: int) -> tuple[Features, Eligibility]:
    """Profiles of whom half may get everything, the others at least one option each."""
    numbers = np.random.default_rng(_SEED)
    features = numbers.normal(size=(_PROFILES, n_features))
    full = everything(space, _PROFILES).options
    options = full.copy()
    sizes = np.array(space.sizes)
    half = _PROFILES // 2
    masks = (numbers.random((half, len(sizes))) * (2.0**sizes - 1)).astype(np.int64)
    options[half:] = np.minimum(masks + 1, options[half:])
    return features, Eligibility(options=options)


def _batch(policy: Policy, features: Features, eligible: Eligibility) -> Batch:
    chosen = draw(policy.distribution(features, eligible, seed=_SEED), _numbers())
    return Batch(
        features=features,
        actions=chosen.actions,
        rewards=(np.arange(_PROFILES) % 3 == 0).astype(np.float64),
        propensities=chosen.propensities,
    )


def _numbers() -> NDArray[np.float64]:
    return uniforms("check_policy", np.arange(_PROFILES))


def _check_play(
    policy: Policy, space: ActionSpace, features: Features, eligible: Eligibility
) -> None:
    play = policy.distribution(features, eligible, seed=_SEED)
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
