"""Where each coefficient of the factored model lives.

``eta(x, o) = w'B(x) + sum_d theta_{d,o_d}'B(x) + sum_{d<e} G_de[o_d, o_e]`` with the basis
``B(x) = [1, x]`` of length q. One flat vector holds, in this order: w (q), theta (q for every
option of every dimension), then the pair tables. Coefficients of one (dimension, basis function)
or one pair of dimensions form a *group*: they share a prior variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layout", "coefficients", "fold", "indices", "layout", "places"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """The shape of the coefficient vector.

    ``width``: q. ``size``: length p of the vector. ``pairs``: (d, e, first index of the table).
    ``groups``: ``(p,)`` group of each coefficient; group 0 is the intercept alone.
    """

    sizes: tuple[int, ...]
    width: int
    size: int
    pairs: tuple[tuple[int, int, int], ...]
    groups: NDArray[np.int64]

    @property
    def options(self) -> int:
        """Options over all dimensions."""
        return sum(self.sizes)

    @property
    def offsets(self) -> NDArray[np.int64]:
        """Number of the first option of each dimension, counting options over all dimensions."""
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)


def layout(sizes: tuple[int, ...], n_features: int) -> Layout:
    """The layout for these dimensions and this many features."""
    width = n_features + 1
    basis = np.arange(width)
    groups = [basis]
    for d, size in enumerate(sizes):
        groups.append(np.tile(width * (1 + d) + basis, size))
    pairs = []
    start = width * (1 + sum(sizes))
    for number, (d, e) in enumerate(combinations(range(len(sizes)), 2)):
        cells = sizes[d] * sizes[e]
        pairs.append((d, e, start))
        groups.append(np.full(cells, width * (1 + len(sizes)) + number))
        start += cells
    return Layout(
        sizes=sizes, width=width, size=start, pairs=tuple(pairs), groups=np.concatenate(groups)
    )


def coefficients(shape: Layout, options: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread one number per option over the coefficients: ``(options,)`` -> ``(p,)``.

    Pairs take the larger of their two, the customer's own part takes 0.
    """
    spread = np.zeros(shape.size)
    spread[shape.width : shape.width * (1 + shape.options)] = np.repeat(options, shape.width)
    starts = shape.offsets
    for d, e, start in shape.pairs:
        first = options[starts[d] : starts[d] + shape.sizes[d]]
        second = options[starts[e] : starts[e] + shape.sizes[e]]
        table = np.maximum.outer(first, second).ravel()
        spread[start : start + len(table)] = table
    return spread


def indices(shape: Layout, actions: NDArray[np.int16]) -> NDArray[np.int64]:
    """The coefficients that are active for each action: ``(C, D)`` -> ``(C, q(1+D) + pairs)``."""
    wide = actions.astype(np.int64)
    baseline = np.zeros((len(wide), 1), dtype=np.int64)
    blocks = np.concatenate([baseline, 1 + shape.offsets + wide], axis=1) * shape.width
    length = blocks.shape[1] * shape.width
    unary = (blocks[:, :, None] + np.arange(shape.width)).reshape(len(wide), length)
    cells = [start + wide[:, d] * shape.sizes[e] + wide[:, e] for d, e, start in shape.pairs]
    return np.concatenate([unary, *(cell[:, None] for cell in cells)], axis=1)


def places(shape: Layout) -> NDArray[np.int64]:
    """The basis function that each active coefficient multiplies, in the order of `indices`."""
    unary = np.tile(np.arange(shape.width), 1 + len(shape.sizes))
    return np.concatenate([unary, np.zeros(len(shape.pairs), dtype=np.int64)])


def fold(
    shape: Layout, vector: NDArray[np.float64], active: NDArray[np.int64]
) -> NDArray[np.float64]:
    """One coefficient per basis function for each action: ``(C, q)``, so eta = B(x)'row."""
    blocks = 1 + len(shape.sizes)
    unary, pairs = np.split(active, [blocks * shape.width], axis=1)
    folded = vector[unary].reshape(len(active), blocks, shape.width).sum(axis=1)
    folded[:, 0] += vector[pairs].sum(axis=1)
    return np.asarray(folded)
