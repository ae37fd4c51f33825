"""What is done to every row of a batch, in one pass: compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opportune.policies.compiled import compiled

__all__ = ["Parts", "add_rows", "dot_rows", "fill"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Parts(NamedTuple):
    """The terms beside 1 and the features, as `Terms` has them."""

    products: Ints
    steps: Ints
    levels: Floats
    averages: Floats


@compiled
def fill(body: Floats, parts: Parts, clip: float, grid: Floats) -> None:
    """B(x) of each row of standardised features: ``(n, n_features)`` -> ``(n, q)``."""
    products, steps, levels, averages = parts
    features, count = body.shape[1], len(products)
    for i in range(len(body)):
        grid[i, 0] = 1.0
        for j in range(features):
            grid[i, 1 + j] = body[i, j]
        for t in range(count):
            value = body[i, products[t, 0]] * body[i, products[t, 1]]
            grid[i, 1 + features + t] = min(max(value, -clip), clip) - averages[t]
        for s in range(len(steps)):
            above = 1.0 if body[i, steps[s]] > levels[s] else 0.0
            grid[i, 1 + features + count + s] = above - averages[count + s]


@compiled
def dot_rows(grid: Floats, which: Ints, vectors: Floats, found: Floats) -> None:
    """Each row ``(n, q)`` times its own vector ``(C, q)`` of every set ``(M, C, q)``: ``(M, n)``.

    Four sums at a time, as a processor adds.
    """
    width = grid.shape[1]
    even = width - width % 4
    for m in range(len(vectors)):
        for i in range(len(grid)):
            row, vector = grid[i], vectors[m, which[i]]
            a = b = c = d = 0.0
            for k in range(0, even, 4):
                a += row[k] * vector[k]
                b += row[k + 1] * vector[k + 1]
                c += row[k + 2] * vector[k + 2]
                d += row[k + 3] * vector[k + 3]
            for k in range(even, width):
                a += row[k] * vector[k]
            found[m, i] = (a + b) + (c + d)


@compiled
def add_rows(grid: Floats, which: Ints, weights: Floats, sums: Floats) -> None:
    """Add each row ``(n, q)``, weighted ``(n,)``, to the sum of its kind: ``(C, q)``."""
    for i in range(len(grid)):
        kind, weight = which[i], weights[i]
        for k in range(grid.shape[1]):
            sums[kind, k] += weight * grid[i, k]
