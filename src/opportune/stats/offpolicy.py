"""What another policy would have earned, read from the log of the one that played.

A row is one decision: its reward, the propensity it was logged with, and the probability the target
policy gives to the same action. Intervals come from the influence function, rows taken as
independent, and allow for its skewness (``skewed_interval``): large weights are rare. With many
combinations see ``offpolicy_options``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.stats.columns import Estimate, column, estimate, row_weights
from opportune.stats.errors import InvalidSample

__all__ = ["doubly_robust", "ips", "snips", "switch_dr"]

Floats = NDArray[np.float64]


def ips(
    rewards: Floats, *, propensities: Floats, targets: Floats, confidence: float = 0.95
) -> Estimate:
    """Weigh every reward by target over propensity: no bias, most variance.

    mean(w r) with w = targets / propensities (Horvitz and Thompson, 1952). Given the probabilities
    of some of an action's options together, it weighs these dimensions alone: without bias if the
    others change nothing, and with less variance (MIPS: Saito and Joachims, "Off-policy evaluation
    for large action spaces via embeddings", 2022).

    Parameters
    ----------
    rewards:
        (n,) of the logged actions; the unit of the result.
    propensities:
        (n,) logged probability of the logged action, above 0 and at most 1.
    targets:
        (n,) probability the target policy gives to the logged action, 0 to 1.

    Raises ``InvalidPropensity`` and ``InvalidSample``, each naming the number of bad rows and the
    first.

    >>> import numpy as np
    >>> half = np.full(4, 0.5)
    >>> ips(np.array([1.0, 0, 1, 0]), propensities=half, targets=np.array([1.0, 0, 1, 0])).value
    1.0
    """
    earned, weights = row_weights(rewards, propensities=propensities, targets=targets)
    return estimate(
        weights * earned, rewards=earned, weights=weights, confidence=confidence, bare=True
    )


def snips(
    rewards: Floats, *, propensities: Floats, targets: Floats, confidence: float = 0.95
) -> Estimate:
    """Weigh as ``ips`` does and divide by the weights: a little bias, less variance, in range.

    sum(w r) / sum(w) (Swaminathan and Joachims, "The self-normalized estimator for counterfactual
    learning", 2015); influence of a row w (r - value) / mean(w). Parameters and errors as for
    ``ips``.

    >>> import numpy as np
    >>> half = np.full(4, 0.5)
    >>> targets = np.array([0.75, 0.25, 0.75, 0.25])
    >>> snips(np.array([1.0, 0, 1, 0]), propensities=half, targets=targets).value
    0.75
    """
    earned, weights = row_weights(rewards, propensities=propensities, targets=targets)
    total = float(weights.sum())
    if total == 0:
        return estimate(earned, rewards=earned, weights=weights, confidence=confidence)
    value = float(weights @ earned) / total
    influence = value + weights * (earned - value) * (weights.size / total)
    return estimate(influence, rewards=earned, weights=weights, confidence=confidence)


def doubly_robust(
    rewards: Floats,
    *,
    propensities: Floats,
    targets: Floats,
    predicted: Floats,
    expected: Floats,
    confidence: float = 0.95,
) -> Estimate:
    """Correct a reward model by its weighted misses: right if model or propensities are.

    mean(expected + w (r - predicted)) (Dudik, Langford and Li, "Doubly robust policy evaluation and
    learning", 2011). The model must not have been fitted on these rows. Given the probabilities of
    some of an action's options together, as for ``ips``, the model only has to be right about the
    differences that the other dimensions make (OffCEM: Saito, Ren and Joachims, "Off-policy
    evaluation for large action spaces via conjunct effect modeling", 2023).

    Parameters
    ----------
    rewards, propensities, targets:
        As for ``ips``.
    predicted:
        (n,) the model's reward of the logged action.
    expected:
        (n,) the model's mean reward under the target policy's probabilities.

    >>> import numpy as np
    >>> half, prediction = np.full(4, 0.5), np.array([0.75, 0.25, 0.75, 0.25])
    >>> doubly_robust(
    ...     np.array([1.0, 0, 1, 0]), propensities=half, targets=np.array([1.0, 0, 1, 0]),
    ...     predicted=prediction, expected=np.full(4, 0.75),
    ... ).value
    1.0
    """
    earned, weights = row_weights(rewards, propensities=propensities, targets=targets)
    model = column(predicted, name="predicted", count=earned.size)
    base = column(expected, name="expected", count=earned.size)
    return estimate(
        base + weights * (earned - model), rewards=earned, weights=weights, confidence=confidence
    )


def switch_dr(  # noqa: PLR0913 - the columns of a log
    rewards: Floats,
    *,
    propensities: Floats,
    targets: Floats,
    predicted: Floats,
    expected: Floats,
    cap: float = 100.0,
    confidence: float = 0.95,
) -> Estimate:
    """Correct a reward model as ``doubly_robust`` does, but by no row of more weight than ``cap``.

    mean(expected + w [w <= cap] (r - predicted)) (Wang, Agarwal and Dudik, "Optimal and adaptive
    off-policy evaluation in contextual bandits", 2017). What a few rows of huge weight would say is
    left to the model: far less variance, and for that part the model's bias, which no interval
    shows. Effective sample size and mean weight are those of the rows that do correct. Parameters
    and errors as for ``doubly_robust``; ``cap`` above 0.

    >>> import numpy as np
    >>> switch_dr(
    ...     np.array([1.0, 0.0]), propensities=np.array([0.5, 0.001]), targets=np.array([0.5, 0.5]),
    ...     predicted=np.array([0.5, 0.5]), expected=np.array([0.5, 0.5]),
    ... ).value
    0.75
    """
    if not cap > 0:
        raise InvalidSample(f"cap is {cap}. Allowed: a weight above 0, such as 100.")
    earned, weights = row_weights(rewards, propensities=propensities, targets=targets)
    model = column(predicted, name="predicted", count=earned.size)
    base = column(expected, name="expected", count=earned.size)
    kept = np.where(weights <= cap, weights, 0.0)
    return estimate(
        base + kept * (earned - model), rewards=earned, weights=kept, confidence=confidence
    )
