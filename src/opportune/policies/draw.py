"""Choose. The only place in the program where a distribution becomes a decision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import require_eligible
from opportune.policies.errors import BadArray
from opportune.policies.model import ActionDistribution, Draw
from opportune.policies.probability import probabilities

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
    if len(played):
        candidates = _candidates(distribution.weights, uniforms)[played]
        actions[played] = distribution.support[played, candidates]
    if len(rest):
        # Stretching can round up to 1, which would be one past the last combination.
        stretched = np.minimum((uniforms[rest] - (1.0 - share)) / share, 1.0 - 2.0**-53)
        actions[rest] = eligible.take(rest).at(distribution.space, stretched)
    whole, each = probabilities(distribution, actions)
    return Draw(actions=actions, propensities=whole, dimension_propensities=each, explored=explored)


def _candidates(weights: NDArray[np.float64], uniforms: NDArray[np.float64]) -> NDArray[np.int64]:
    from opportune.policies.tally import choose

    chosen = np.empty(len(uniforms), dtype=np.int64)
    choose(weights, uniforms, chosen)
    return chosen
