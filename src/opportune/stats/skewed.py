"""An interval around a mean of skewed values: weights of a few rare rows make such values."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from opportune.stats.intervals import Interval, mean_interval
from opportune.stats.moments import finite, moments

__all__ = ["skewed_interval"]


def skewed_interval(values: NDArray[np.generic], *, confidence: float = 0.95) -> Interval:
    """Bound the mean of ``values``, allowing for their skewness; right at one planned look.

    A sample of rows with rare large weights that happens to miss some of them has a low mean and a
    small spread at once, so the plain normal interval too often ends below the truth. Hall, "On the
    removal of skewness by transformation" (Journal of the Royal Statistical Society B 54, 1992),
    bends Student's ratio t = (mean - truth) / se by a cubic that only grows, so that it is normal
    to the order 1 / n. With a = skewness / sqrt(n)::

        g(t) = t + a t^2 / 3 + a^2 t^3 / 27 + a / 6
        g^-1(z) = 3 (z - a / 6) / (c^2 + c + 1),   c = cbrt(1 + a (z - a / 6))

    The bounds are mean - se g^-1(z) and mean - se g^-1(-z), z the normal quantile: of unequal
    distance to the mean, the longer one on the side of the long tail; the plain interval where
    a = 0. ``values``: (n,), finite. As in ``mean_interval`` there are no bounds for fewer than
    two values and for values that never differ.

    >>> import numpy as np
    >>> found = skewed_interval(np.r_[np.zeros(990), np.full(10, 20.0)])
    >>> round(found.low, 4), found.value, round(found.high, 4)
    (0.098, 0.2, 0.3698)
    """
    numbers = finite(values, name="values")
    evidence = moments(numbers)
    plain = mean_interval(evidence, confidence=confidence, method="fixed")
    if plain.reason:
        return plain
    # The standardised values first: the cube of a large value would overflow.
    standardised = (numbers - evidence.mean) / math.sqrt(evidence.m2 / evidence.count)
    bend = float(np.mean(standardised**3)) / math.sqrt(evidence.count)
    error = math.sqrt(evidence.mean_variance)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return replace(
        plain,
        low=evidence.mean - error * _unbent(z, bend),
        high=evidence.mean - error * _unbent(-z, bend),
    )


def _unbent(z: float, bend: float) -> float:
    """The ratio that Hall's cubic takes to ``z``."""
    shifted = z - bend / 6
    root = float(np.cbrt(1 + bend * shifted))
    return 3 * shifted / (root * root + root + 1)
