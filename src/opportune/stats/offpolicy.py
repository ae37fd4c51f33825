"""What another policy would have earned, read from the log of the one that played.

A row is one decision: its reward, the propensity it was logged with, and the probability the target
policy gives to the same action. Intervals come from the influence function, rows taken as
independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.stats.errors import InvalidPropensity, InvalidSample
from opportune.stats.intervals import mean_interval
from opportune.stats.moments import Moments, finite, moments

__all__ = ["Estimate", "doubly_robust", "ips", "snips"]

Floats = NDArray[np.float64]

# Below this an interval from the normal approximation says little.
TRUSTED_FROM = 100.0

# A weight of 1e100 still squares and sums; a smaller propensity is a zero that was computed badly.
LEAST_PROPENSITY = 1e-100


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The mean reward of the target policy, in the unit of the rewards, and how far to trust it.

    Parameters
    ----------
    value, low, high:
        None where ``reason`` says that the log cannot tell.
    effective_sample_size:
        (sum w)^2 / sum w^2 of the weights: rows of the target's own play that the log is worth.
    mean_weight:
        About 1 where the log covers what the target plays; well below 1 means that much of the
        target's play never occurs in the log, which no effective sample size shows.
    count:
        Rows read.
    trustworthy:
        There are bounds and the effective sample size is at least 100.
    """

    value: float | None
    low: float | None
    high: float | None
    effective_sample_size: float
    mean_weight: float
    count: int
    trustworthy: bool
    reason: str


def ips(
    rewards: Floats, *, propensities: Floats, targets: Floats, confidence: float = 0.95
) -> Estimate:
    """Weigh every reward by target over propensity: no bias, most variance.

    mean(w r) with w = targets / propensities (Horvitz and Thompson, 1952).

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
    earned, weights = _weights(rewards, propensities=propensities, targets=targets)
    return _estimate(weights * earned, weights=weights, confidence=confidence)


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
    earned, weights = _weights(rewards, propensities=propensities, targets=targets)
    total = float(weights.sum())
    if total == 0:
        return _estimate(earned, weights=weights, confidence=confidence)
    value = float(weights @ earned) / total
    influence = value + weights * (earned - value) * (weights.size / total)
    return _estimate(influence, weights=weights, confidence=confidence)


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
    learning", 2011). The model must not have been fitted on these rows.

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
    earned, weights = _weights(rewards, propensities=propensities, targets=targets)
    model = _column(predicted, name="predicted", count=earned.size)
    base = _column(expected, name="expected", count=earned.size)
    return _estimate(base + weights * (earned - model), weights=weights, confidence=confidence)


def _weights(rewards: Floats, *, propensities: Floats, targets: Floats) -> tuple[Floats, Floats]:
    earned = finite(rewards, name="rewards")
    logged: Floats = np.asarray(propensities, dtype=np.float64)
    if logged.shape != earned.shape:
        raise InvalidSample(_unequal("propensities", logged.shape, earned.size))
    bad = np.flatnonzero(~((logged >= LEAST_PROPENSITY) & (logged <= 1)))
    if bad.size:
        raise InvalidPropensity(
            _outside("propensities", logged, bad, "above 0 (1e-100 or more) and at most 1")
        )
    wanted = _column(targets, name="targets", count=earned.size)
    bad = np.flatnonzero((wanted < 0) | (wanted > 1))
    if bad.size:
        raise InvalidSample(_outside("targets", wanted, bad, "0 to 1"))
    return earned, wanted / logged


def _column(values: Floats, *, name: str, count: int) -> Floats:
    column = finite(values, name=name)
    if column.size != count:
        raise InvalidSample(_unequal(name, column.shape, count))
    return column


def _unequal(name: str, shape: tuple[int, ...], count: int) -> str:
    return f"{name} has shape {shape} for {count} rewards. Allowed: one per reward, ({count},)."


def _outside(name: str, values: Floats, bad: NDArray[np.intp], allowed: str) -> str:
    return (
        f"{bad.size} of {values.size} rows of {name} are outside the allowed range, the first at"
        f" index {bad[0]} ({values[bad[0]]}). Allowed: {allowed}. Leave out rows whose probability"
        " was not logged."
    )


def _estimate(influence: Floats, *, weights: Floats, confidence: float) -> Estimate:
    """Make an estimate of rows whose mean is the value and whose spread is its uncertainty."""
    evidence = moments(influence)
    interval = mean_interval(evidence, confidence=confidence, method="fixed")
    spent = moments(weights)
    reason = interval.reason
    if spent.count and spent.mean == 0:
        reason = "The target policy plays no logged action, so the log says nothing of it."
    unknown = spent.mean == 0
    size = _effective(spent)
    return Estimate(
        value=None if unknown else interval.value,
        low=None if reason else interval.low,
        high=None if reason else interval.high,
        effective_sample_size=size,
        mean_weight=spent.mean,
        count=spent.count,
        trustworthy=not reason and size >= TRUSTED_FROM,
        reason=reason,
    )


def _effective(weights: Moments) -> float:
    if weights.mean == 0:
        return 0.0
    scatter = math.sqrt(weights.m2) / weights.mean
    return weights.count / (1 + scatter * (scatter / weights.count))
