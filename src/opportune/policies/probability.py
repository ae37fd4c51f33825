"""How likely an action was: the number that makes a decision log worth keeping."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.policies.model import ActionDistribution

__all__ = ["dimension_probability", "probabilities", "probability"]

ROWS = 1 << 16
"""Profiles whose counts are held at once: a million at once would take more than their actions."""


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
    return probabilities(distribution, actions)[0]


def dimension_probability(
    distribution: ActionDistribution, actions: NDArray[np.int16]
) -> NDArray[np.float64]:
    """The exact probability of each option by itself: ``(n, D)`` indices -> ``(n, D)``.

    ``sum_s weight_s [candidate_s,d = o_d] + uniform_share |eligible with o_d| / |eligible|``: what
    the pseudo-inverse estimator for combinations needs.
    """
    return probabilities(distribution, actions)[1]


def probabilities(
    distribution: ActionDistribution, actions: NDArray[np.int16]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both in one pass: of the whole action ``(n,)``, and of each option by itself ``(n, D)``."""
    whole, each = np.zeros(len(actions)), np.zeros(actions.shape)
    if distribution.uniform_share:
        for start in range(0, len(actions), ROWS):
            _add_uniform(distribution, actions, slice(start, start + ROWS), (whole, each))
    if distribution.support.shape[1]:
        from opportune.policies.tally import add_shares

        add_shares(distribution.support, distribution.weights, actions, whole, each)
    return whole, each


def _add_uniform(
    distribution: ActionDistribution,
    actions: NDArray[np.int16],
    here: slice,
    totals: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    space, eligible, share = (
        distribution.space,
        distribution.eligible.take(here),
        distribution.uniform_share,
    )
    counts = eligible.counts(space)
    totals[0][here] += share * (eligible.allows(space, actions[here]) / counts)
    options = eligible.option_counts(space, actions[here])
    totals[1][here] += share * (options / counts[:, None])
