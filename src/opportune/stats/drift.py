"""How far a distribution has moved from what it was."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.stats.errors import InvalidSample

__all__ = ["MOVED", "population_stability"]

MOVED = 0.25
"""From here on a distribution counts as another one; below 0.1 as the same (Siddiqi, 2006)."""

BINS = 10


def population_stability(before: NDArray[np.generic], now: NDArray[np.generic]) -> float:
    """The population stability index of two sets of counts over the same ordered values, from 0.

    ``before`` and ``now``, shape (n,), count how often each value was there. Neighbours are taken
    together so that each of at most ten bins has about a tenth of ``before``; then it is
    ``sum((q - p) log(q / p))`` over the shares of the bins, half a count added to each (Siddiqi,
    "Credit risk scorecards", 2006). 0 where either has nothing. Beside thousands of counts chance
    makes far less than 0.1.

    Raises ``InvalidSample`` for counts that are negative, not finite or of two shapes.

    >>> import numpy as np
    >>> round(population_stability(np.array([50, 50]), np.array([50, 50])), 3)
    0.0
    >>> round(population_stability(np.array([500, 500]), np.array([200, 800])), 3)
    0.415
    """
    old, new = (np.asarray(each, dtype=np.float64) for each in (before, now))
    usable = old.shape == new.shape and old.ndim == 1
    if not usable or not all(np.isfinite(each).all() and (each >= 0).all() for each in (old, new)):
        raise InvalidSample(
            f"Counts of shapes {old.shape} and {new.shape} cannot be compared. Allowed: finite "
            "numbers from 0, of one shape (n,)."
        )
    if not old.sum() or not new.sum():
        return 0.0
    middle = (np.cumsum(old) - old / 2) / old.sum()
    bins = np.minimum((middle * BINS).astype(np.int64), BINS - 1)
    _, places = np.unique(bins, return_inverse=True)
    shares = []
    for counts in (old, new):
        binned = np.bincount(places, weights=counts) + 0.5
        shares.append(binned / binned.sum())
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
