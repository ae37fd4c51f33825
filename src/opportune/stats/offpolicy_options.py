"""What another policy would have earned, where an action is a combination of options.

With thousands of combinations the target's own are simply missing from the log, and weights of
whole actions say nothing. These estimators weigh the options of each dimension by themselves. They
trade that variance for a bias where options matter together; a reward model as control variate
takes most of it away again. To weigh only some dimensions, give their probabilities to ``ips``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.stats.columns import Estimate, column, estimate, option_weights

__all__ = ["pseudo_inverse", "pseudo_inverse_dr"]

Floats = NDArray[np.float64]


def pseudo_inverse(
    rewards: Floats, *, propensities: Floats, targets: Floats, confidence: float = 0.95
) -> Estimate:
    """Weigh every dimension by itself: as if the reward were a sum over the options.

    mean(G r) with G = sum over d of targets_d / propensities_d - (D - 1) (Swaminathan,
    Krishnamurthy, Agarwal, Dudik, Langford, Jose and Zitouni, "Off-policy evaluation for slate
    recommendation", 2017, in the closed form for options that are drawn independently). No bias if
    the reward is such a sum and the log drew each option independently of the others, else some. G
    may be negative. With one dimension it is ``ips``.

    Parameters
    ----------
    rewards:
        (n,) of the logged actions; the unit of the result.
    propensities:
        (n, D) logged probability of each logged option by itself, above 0 and at most 1.
    targets:
        (n, D) probability the target policy gives to each logged option by itself, 0 to 1.

    Raises ``InvalidPropensity`` and ``InvalidSample`` as ``ips`` does.

    >>> import numpy as np
    >>> pseudo_inverse(
    ...     np.array([1.0, 0.0]), propensities=np.full((2, 2), 0.5),
    ...     targets=np.array([[0.75, 0.5], [0.25, 0.5]]),
    ... ).value
    0.75
    """
    earned, weights = option_weights(rewards, propensities=propensities, targets=targets)
    joint = _joined(weights)
    return estimate(joint * earned, rewards=earned, weights=joint, confidence=confidence, bare=True)


def pseudo_inverse_dr(
    rewards: Floats,
    *,
    propensities: Floats,
    targets: Floats,
    predicted: Floats,
    expected: Floats,
    confidence: float = 0.95,
) -> Estimate:
    """Correct a reward model by its misses, each dimension weighed by itself.

    mean(expected + G (r - predicted)), G and its paper as for ``pseudo_inverse``, the model as
    control variate as in ``doubly_robust``. Only what the model misses needs to be a sum over the
    options, so that pairs of options which the model knows cost no bias. ``predicted`` and
    ``expected`` as for ``doubly_robust``, the rest as for ``pseudo_inverse``.

    >>> import numpy as np
    >>> pseudo_inverse_dr(
    ...     np.array([1.0, 0.0]), propensities=np.full((2, 2), 0.5),
    ...     targets=np.array([[0.75, 0.5], [0.25, 0.5]]),
    ...     predicted=np.array([1.0, 0.5]), expected=np.array([0.875, 0.875]),
    ... ).value
    0.75
    """
    earned, weights = option_weights(rewards, propensities=propensities, targets=targets)
    model = column(predicted, name="predicted", count=earned.size)
    base = column(expected, name="expected", count=earned.size)
    joint = _joined(weights)
    return estimate(
        base + joint * (earned - model), rewards=earned, weights=joint, confidence=confidence
    )


def _joined(weights: Floats) -> Floats:
    """One weight a row ``(n,)`` of those of its dimensions ``(n, D)``."""
    return np.asarray(weights.sum(axis=1) - (weights.shape[1] - 1))
