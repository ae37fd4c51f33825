"""How likely an action was: the number that makes a decision log worth keeping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.policies.model import ActionDistribution

__all__ = ["dimension_probability", "probability"]


def probability(
    distribution: ActionDistribution, actions: NDArray[np.int16]
) -> NDArray[np.float64]:
    """The exact probability of each row's whole action: ``(n, D)`` indices -> ``(n,)``.

    ``sum_s weight_s [candidate_s = action] + uniform_share [action eligible] / |eligible|``

    >>> from opportune.policies import ActionSpace, Dimension, Uniform, everything
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
    >>> play = Uniform(space).distribution(np.zeros((1, 0)), everything(space, 1), seed=1)
    >>> probability(play, np.array([[1]], dtype=np.int16)).tolist()
    [0.5]
    """
    total = np.zeros(len(actions))
    if distribution.uniform_share:
        eligible, space = distribution.eligible, distribution.space
        shares = eligible.allows(space, actions) / eligible.counts(space)
        total += distribution.uniform_share * shares
    # One candidate at a time: memory stays at a few columns whatever the number of candidates.
    for s in range(distribution.support.shape[1]):
        same = (distribution.support[:, s] == actions).all(axis=1)
        total += distribution.weights[:, s] * same
    return total


def dimension_probability(
    distribution: ActionDistribution, actions: NDArray[np.int16]
) -> NDArray[np.float64]:
    """The exact probability of each option by itself: ``(n, D)`` indices -> ``(n, D)``.

    ``sum_s weight_s [candidate_s,d = o_d] + uniform_share |eligible with o_d| / |eligible|``: what
    the pseudo-inverse estimator for combinations needs.
    """
    total = np.zeros(actions.shape)
    if distribution.uniform_share:
        eligible, space = distribution.eligible, distribution.space
        shares = eligible.option_counts(space, actions) / eligible.counts(space)[:, None]
        total += distribution.uniform_share * shares
    for s in range(distribution.support.shape[1]):
        same = distribution.support[:, s] == actions
        total += distribution.weights[:, s, None] * same
    return total
