"""What is done to every row of a batch, in one pass: compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opportune.policies.compiled import compiled

__all__ = [
    "Apart",
    "Model",
    "Parts",
    "add_rows",
    "dot_rows",
    "expect",
    "fill",
    "scale",
    "take_apart",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Parts(NamedTuple):
    """The terms beside 1 and the features, as `Terms` has them."""

    products: Ints
    steps: Ints
    levels: Floats
    averages: Floats


@compiled
def scale(body: Floats, spread: Floats, clip: float) -> None:
    """Features less their center ``(n, n_features)``, in place: divided, cut, missing as 0."""
    for i in range(len(body)):
        for j in range(body.shape[1]):
            value = body[i, j] / spread[j]
            # Only NaN is not equal to itself.
            body[i, j] = 0.0 if value != value else min(max(value, -clip), clip)


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


@compiled
def expect(
    grid: Floats, actions: Ints, vectors: Floats, offsets: Ints, cells: Ints, found: Floats
) -> None:
    """eta of each row ``(n, q)`` and action ``(n, D)`` under each vector ``(M, p)``: ``(M, n)``.

    ``offsets`` and ``cells`` as in `Layout`. Sums as `dot_rows` makes them.
    """
    width = grid.shape[1]
    folded = np.empty(width)
    even = width - width % 4
    for m in range(len(vectors)):
        vector = vectors[m]
        for i in range(len(grid)):
            for k in range(width):
                folded[k] = vector[k]
            for d in range(len(offsets)):
                start = (1 + offsets[d] + actions[i, d]) * width
                for k in range(width):
                    folded[k] += vector[start + k]
            for p in range(len(cells)):
                one, other = actions[i, cells[p, 0]], actions[i, cells[p, 1]]
                folded[0] += vector[cells[p, 2] + one * cells[p, 3] + other]
            row = grid[i]
            a = b = c = d_ = 0.0
            for k in range(0, even, 4):
                a += row[k] * folded[k]
                b += row[k + 1] * folded[k + 1]
                c += row[k + 2] * folded[k + 2]
                d_ += row[k + 3] * folded[k + 3]
            for k in range(even, width):
                a += row[k] * folded[k]
            found[m, i] = (a + b) + (c + d_)


class Apart(NamedTuple):
    """Where the parts of each row's score go: see `Contributions`."""

    options: Floats
    features: Floats
    pairs: Floats


class Model(NamedTuple):
    """Coefficients ``(p,)`` and where they are; ``owners``: ``(q, 2)`` the features of each term.

    A term of one feature names it twice, and 1 itself names -1.
    """

    vector: Floats
    sizes: Ints
    offsets: Ints
    cells: Ints
    owners: Ints


@compiled
def take_apart(grid: Floats, actions: Ints, masks: Ints, model: Model, apart: Apart) -> None:
    """Score of each action ``(n, D)`` less the average of what ``masks`` ``(n, D)`` allow."""
    vector, sizes, offsets, cells, owners = model
    options, features, pairs = apart
    width = grid.shape[1]
    average = np.empty(width)
    for i in range(len(grid)):
        for d in range(len(sizes)):
            average[:] = 0.0
            count = 0
            for option in range(sizes[d]):
                if (masks[i, d] >> option) & 1:
                    count += 1
                    start = (1 + offsets[d] + option) * width
                    for k in range(width):
                        average[k] += vector[start + k]
            start = (1 + offsets[d] + actions[i, d]) * width
            for k in range(width):
                adds = grid[i, k] * (vector[start + k] - average[k] / count)
                if owners[k, 0] < 0:
                    options[i, d] += adds
                else:
                    features[i, d, owners[k, 0]] += 0.5 * adds
                    features[i, d, owners[k, 1]] += 0.5 * adds
        for p in range(len(cells)):
            d, e, start, size = cells[p]
            total, count = 0.0, 0
            for one in range(sizes[d]):
                if not (masks[i, d] >> one) & 1:
                    continue
                for other in range(size):
                    if (masks[i, e] >> other) & 1:
                        total += vector[start + one * size + other]
                        count += 1
            chosen = vector[start + actions[i, d] * size + actions[i, e]]
            pairs[i, p] = chosen - total / count
