"""The customers of a world: twelve raw features each, new customers every day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEATURES", "customers"]

FEATURES = (
    "age_years",
    "spend",
    "visits_30d",
    "days_since_visit",
    "basket_items",
    "rating",
    "has_app",
    "subscribed",
    "paid_by_card",
    "lives_in_town",
    "noise_1",
    "noise_2",
)

Floats = NDArray[np.float64]

_LOADINGS = np.array(
    [[0.7, 0.0], [0.5, 0.4], [0.0, 0.7], [-0.2, -0.6], [0.6, 0.3], [0.1, 0.3]], dtype=np.float64
)
_TASTE = np.array([0.6, 0.5, 0.6, -0.5])  # how a binary feature follows one of the numeric ones
_USUAL = np.array([0.0, -0.9, 0.4, -0.4])


def customers(stream: tuple[int, ...], count: int) -> Floats:
    """Raw features ``(count, 12)``, no gaps, in the order of `FEATURES`.

    Six correlated numeric ones (``spend`` is log-normal, ``visits_30d`` a count,
    ``days_since_visit`` a recency), four that are 0 or 1, two that mean nothing. The same stream
    gives the same customers; more customers begin with the fewer.

    >>> customers((1, 0), 3).shape, bool((customers((1, 0), 2) == customers((1, 0), 3)[:2]).all())
    ((3, 12), True)
    """
    draw = [np.random.default_rng([*stream, column]) for column in range(6)]
    common = draw[0].standard_normal((count, 2))
    own = draw[1].standard_normal((count, 6))
    numeric = common @ _LOADINGS.T + own * np.sqrt(1.0 - (_LOADINGS**2).sum(axis=1))
    tilt = draw[2].standard_normal((count, 4)) + _TASTE * numeric[:, :4] + _USUAL
    return np.column_stack(
        [
            40.0 + 12.0 * numeric[:, 0],
            50.0 * np.exp(0.8 * numeric[:, 1]),
            draw[3].poisson(np.exp(0.5 + 0.6 * numeric[:, 2])),
            7.0 * np.exp(0.5 * numeric[:, 3]) * draw[4].standard_exponential(count),
            3.0 + 0.8 * numeric[:, 4],
            3.5 + 0.6 * numeric[:, 5],
            (tilt > 0).astype(np.float64),
            draw[5].standard_normal((count, 2)),
        ]
    )
