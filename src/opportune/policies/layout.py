"""Where each coefficient of the factored model lives.

``eta(x, o) = w'B(x) + sum_d theta_{d,o_d}'B(x) + sum_{d<e} G_de[o_d, o_e]`` with a basis ``B(x)``
of length q (`terms`). One flat vector holds, in this order: w (q), theta (q for every option of
every dimension), then the pair tables.

Coefficients of one (dimension, basis function) or one pair of dimensions form a *group*: if one
of them matters, the others are likelier to. Groups of one *type* share how large effects are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

__all__ = ["TYPES", "Layout", "coefficients", "layout"]

TYPES = 9
"""The customer's own part by kind of term (4), options by kind of term (4), pairs."""

PAIR = 8

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """The shape of the coefficient vector.

    ``width``: q. ``size``: length p of the vector. ``pairs``: (d, e, first index of the table).
    ``groups``: ``(p,)`` group of each coefficient; group 0 is the intercept alone. ``types``:
    ``(p,)``. ``group_types``: ``(groups,)``.
    """

    sizes: tuple[int, ...]
    width: int
    size: int
    pairs: tuple[tuple[int, int, int], ...]
    groups: Ints
    types: Ints
    group_types: Ints
    offsets: Ints = field(init=False)
    """Number of the first option of each dimension, counting options over all dimensions."""
    cells: Ints = field(init=False)
    """``pairs`` with the size of the table's second dimension: ``(P, 4)``."""

    def __post_init__(self) -> None:
        offsets = np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)
        cells = [(d, e, start, self.sizes[e]) for d, e, start in self.pairs]
        object.__setattr__(self, "offsets", offsets)
        object.__setattr__(self, "cells", np.array(cells, dtype=np.int64).reshape(-1, 4))

    @property
    def options(self) -> int:
        """Options over all dimensions."""
        return sum(self.sizes)

    @property
    def unary(self) -> int:
        """Where the pair tables begin."""
        return self.width * (1 + self.options)


def layout(sizes: tuple[int, ...], kinds: Ints) -> Layout:
    """The layout for these dimensions and terms of these kinds ``(q,)``."""
    return _layout(sizes, tuple(kinds.tolist()))


@lru_cache(maxsize=64)
def _layout(sizes: tuple[int, ...], known_kinds: tuple[int, ...]) -> Layout:
    kinds = np.array(known_kinds, dtype=np.int64)
    width = len(kinds)
    basis = np.arange(width)
    groups, types = [basis], [kinds]
    for d, size in enumerate(sizes):
        groups.append(np.tile(width * (1 + d) + basis, size))
        types.append(np.tile(4 + kinds, size))
    pairs = []
    start = width * (1 + sum(sizes))
    for number, (d, e) in enumerate(combinations(range(len(sizes)), 2)):
        cells = sizes[d] * sizes[e]
        pairs.append((d, e, start))
        groups.append(np.full(cells, width * (1 + len(sizes)) + number))
        types.append(np.full(cells, PAIR))
        start += cells
    group, kind = np.concatenate(groups), np.concatenate(types)
    group_types = np.zeros(int(group.max()) + 1, dtype=np.int64)
    group_types[group] = kind
    return Layout(
        sizes=sizes,
        width=width,
        size=start,
        pairs=tuple(pairs),
        groups=group,
        types=kind,
        group_types=group_types,
    )


def coefficients(shape: Layout, options: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread one number per option over the coefficients: ``(options,)`` -> ``(p,)``.

    Pairs take the larger of their two, the customer's own part takes 0.
    """
    spread = np.zeros(shape.size)
    spread[shape.width : shape.unary] = np.repeat(options, shape.width)
    starts = shape.offsets
    for d, e, start in shape.pairs:
        first = options[starts[d] : starts[d] + shape.sizes[d]]
        second = options[starts[e] : starts[e] + shape.sizes[e]]
        table = np.maximum.outer(first, second).ravel()
        spread[start : start + len(table)] = table
    return spread
