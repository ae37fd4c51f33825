"""Choose. The only place in the program where a distribution becomes a decision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import Eligibility, require_eligible
from opportune.policies.errors import BadArray
from opportune.policies.model import ActionDistribution, Draw
from opportune.policies.probability import dimension_probability, probability
from opportune.policies.space import ActionSpace

__all__ = ["draw"]


def draw(distribution: ActionDistribution, uniforms: NDArray[np.float64]) -> Draw:
    """Choose one action per profile with one number in [0, 1) each, and say how likely it was.

    The number picks the candidate whose interval holds it. The last ``uniform_share`` of [0, 1)
    is the uniform part: there the same number, stretched back to [0, 1), picks one eligible
    combination, so no second source of randomness is needed. Below some 10^10
    eligible combinations the resolution of a double is no limit.

    >>> from opportune.policies import ActionSpace, Dimension, Eligibility, Uniform
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "13", "18")),))
    >>> eligible = Eligibility(options=np.array([[0b111], [0b101]]))
    >>> play = Uniform(space).distribution(np.zeros((2, 0)), eligible, seed=1)
    >>> chosen = draw(play, np.array([0.4, 0.9]))
    >>> chosen.actions.tolist(), chosen.propensities.round(3).tolist()
    ([[1], [2]], [0.333, 0.5])
    """
    eligible, share = distribution.eligible, distribution.uniform_share
    if uniforms.shape != (len(eligible),) or not ((uniforms >= 0) & (uniforms < 1)).all():
        raise BadArray(
            f"Uniforms have shape {uniforms.shape} or values outside [0, 1); allowed is one "
            f"number per profile, here {len(eligible)}. Use policies.uniforms."
        )
    require_eligible(distribution.space, eligible)
    explored = uniforms >= 1.0 - share
    actions = np.empty(eligible.options.shape, dtype=np.int16)
    played, rest = np.flatnonzero(~explored), np.flatnonzero(explored)
    actions[played] = distribution.support[played, _component(distribution, uniforms)[played]]
    if len(rest):
        # Stretching can round up to 1, which would be one past the last combination.
        stretched = np.minimum((uniforms[rest] - (1.0 - share)) / share, 1.0 - 2.0**-53)
        actions[rest] = _uniform_actions(distribution.space, eligible.take(rest), stretched)
    return Draw(
        actions=actions,
        propensities=probability(distribution, actions),
        dimension_propensities=dimension_probability(distribution, actions),
        explored=explored,
    )


def _component(
    distribution: ActionDistribution, uniforms: NDArray[np.float64]
) -> NDArray[np.int64]:
    """The last candidate of positive weight whose interval starts at or before the number.

    So rounding in the sum of weights can never choose a candidate of weight zero.
    """
    chosen = np.zeros(len(uniforms), dtype=np.int64)
    start = np.zeros(len(uniforms))
    for s in range(distribution.support.shape[1]):
        weight = distribution.weights[:, s]
        chosen[(weight > 0) & (start <= uniforms)] = s
        start = start + weight
    return chosen


def _uniform_actions(
    space: ActionSpace, eligible: Eligibility, uniforms: NDArray[np.float64]
) -> NDArray[np.int16]:
    if eligible.combinations is None:
        return _option_by_option(eligible.options, uniforms)
    actions = np.empty(eligible.options.shape, dtype=np.int16)
    grid = space.actions()
    for rows, allowed in eligible.alike(space):
        open_ = np.flatnonzero(allowed)
        actions[rows] = grid[open_[(uniforms[rows] * len(open_)).astype(np.int64)]]
    return actions


def _option_by_option(
    eligible: NDArray[np.int64], uniforms: NDArray[np.float64]
) -> NDArray[np.int16]:
    actions = np.empty(eligible.shape, dtype=np.int16)
    rest = uniforms
    for d in range(eligible.shape[1]):
        scaled = rest * np.bitwise_count(eligible[:, d])
        rank = np.floor(scaled)
        rest = scaled - rank
        actions[:, d] = _nth_option(eligible[:, d], rank.astype(np.int64))
    return actions


def _nth_option(masks: NDArray[np.int64], ranks: NDArray[np.int64]) -> NDArray[np.int16]:
    """The index of the rank-th set bit of each mask."""
    found = np.zeros(len(masks), dtype=np.int16)
    seen = np.zeros(len(masks), dtype=np.int64)
    for option in range(int(masks.max(initial=0)).bit_length()):
        here = (masks >> option) & 1
        found[(here == 1) & (seen == ranks)] = option
        seen += here
    return found
