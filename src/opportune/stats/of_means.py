"""The evidence of what is calculated of several means, such as a ratio of two sums."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from opportune.stats.moments import Moments, finite

__all__ = ["of_means"]

Floats = NDArray[np.float64]

# The cube root of a double's precision: where the error of a central difference is least.
STEP = float(np.cbrt(np.finfo(np.float64).eps))
NOBODY = Moments(count=0, mean=0.0, m2=0.0)


def of_means(parts: Floats, value: Callable[[Floats], float]) -> Moments:
    """The evidence of ``value``, a smooth function of the means of ``parts``, for ``lift``.

    ``parts`` are ``(n, k)`` finite numbers, a row a unit; ``value`` takes the k means and returns
    one number, NaN where there is none. By the delta method (Deng, Knoblich and Lu, "Applying the
    delta method in metric analytics", KDD 2018) each unit moves the value by the gradient times its
    distance from the means, and these products are the sample whose spread is returned. The
    gradient is taken by central differences. Nothing is known where the value, or one beside it,
    cannot be calculated: the moments of nobody.

    >>> orders, revenue = np.array([1.0, 3.0, 0.0]), np.array([10.0, 60.0, 0.0])
    >>> parts = np.stack([revenue, orders], axis=1)
    >>> found = of_means(parts, lambda means: float(means[0] / means[1]))
    >>> found.count, found.mean, round(found.m2, 6)
    (3, 17.5, 63.28125)
    """
    count = len(parts)
    if count == 0:
        return NOBODY
    means = finite(parts.reshape(-1), name="parts").reshape(parts.shape).mean(axis=0)
    distances = parts - means
    found, gradient = value(means), np.zeros(len(means))
    for place, step in enumerate(STEP * np.maximum(np.abs(means), distances.std(axis=0))):
        if step == 0:
            # All units have 0 there: what a change of it would do, nobody can see.
            continue
        beside = np.zeros(len(means))
        beside[place] = step
        gradient[place] = (value(means + beside) - value(means - beside)) / (2 * step)
    if not (math.isfinite(found) and np.isfinite(gradient).all()):
        return NOBODY
    moved = distances @ gradient
    return Moments(count=count, mean=found, m2=float(moved @ moved))
