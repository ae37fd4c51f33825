"""What rows say about the coefficients, as sums: shards, days and machines merge by adding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from opportune.policies.layout import Layout
from opportune.policies.model import Batch
from opportune.policies.terms import Terms, basis

__all__ = [
    "RewardKind",
    "Sums",
    "chunks",
    "fold",
    "gather",
    "mirror",
    "no_sums",
    "scores",
    "sigmoid",
]

RewardKind = Literal["binary", "amount"]
"""Whether anything happened (0 or 1), or how much it was worth (0 or more)."""

CHUNK_ROWS = 1 << 15
MIRRORED = 256
"""Side of the blocks in which a square is mirrored: two fit into a cache."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """Sufficient statistics of a linearised model. They add.

    ``precision``: ``(p, p)`` H = sum W phi phi', in double precision or, as kept, in single.
    ``weighted``: ``(p,)`` h = sum W z phi with the working response z. ``rows``: how many.
    ``squares``: sum of W z^2.
    """

    precision: NDArray[Any]
    weighted: Floats
    rows: float
    squares: float

    def part(self, rows: Ints, columns: Ints) -> Floats:
        """The entries of H in these rows and columns, in double precision."""
        return self.precision[np.ix_(rows, columns)].astype(np.float64, copy=False)

    def __add__(self, other: Sums) -> Sums:
        """The statistics of both sets of rows."""
        return Sums(
            precision=self.precision + other.precision,
            weighted=self.weighted + other.weighted,
            rows=self.rows + other.rows,
            squares=self.squares + other.squares,
        )

    def times(self, share: float) -> Sums:
        """As if there had been ``share`` of every row."""
        return Sums(
            precision=self.precision * share,
            weighted=self.weighted * share,
            rows=self.rows * share,
            squares=self.squares * share,
        )


def no_sums(shape: Layout) -> Sums:
    """The statistics of no rows."""
    size = shape.size
    return Sums(precision=np.zeros((size, size)), weighted=np.zeros(size), rows=0.0, squares=0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Chunk:
    """Rows of a batch, sorted by combination: what they are, and where each combination lies."""

    rows: Ints
    grid: Floats
    present: NDArray[np.int16]
    which: Ints


def chunks(terms: Terms, shape: Layout, batch: Batch) -> Iterator[_Chunk]:
    """The rows sorted by combination, some thousand at a time, with their basis."""
    wide = tuple(batch.actions.astype(np.int64).T)
    codes = np.ravel_multi_index(wide, shape.sizes)
    order = np.argsort(codes, kind="stable")
    for start in range(0, len(order), CHUNK_ROWS):
        rows = order[start : start + CHUNK_ROWS]
        _, first, which = np.unique(codes[rows], return_index=True, return_inverse=True)
        yield _Chunk(
            rows=rows,
            grid=basis(terms, batch.features[rows]),
            present=batch.actions[rows[first]],
            which=which,
        )


def fold(shape: Layout, vectors: Floats, actions: NDArray[np.int16]) -> Floats:
    """One coefficient per term for each vector and action: ``(M, p)`` -> ``(M, C, q)``.

    Then eta of a row is its basis times its action's row.
    """
    blocks = vectors[:, : shape.unary].reshape(len(vectors), 1 + shape.options, shape.width)
    wide = actions.astype(np.int64)
    folded = np.repeat(blocks[:, :1], len(wide), axis=1)
    for d, offset in enumerate(shape.offsets):
        folded += blocks[:, 1 + offset + wide[:, d]]
    for d, e, start in shape.pairs:
        folded[:, :, 0] += vectors[:, start + wide[:, d] * shape.sizes[e] + wide[:, e]]
    return folded


def scores(shape: Layout, chunk: _Chunk, vectors: Floats) -> Floats:
    """eta of every row of the chunk under each vector: ``(M, p)`` -> ``(M, rows)``."""
    from opportune.policies import rows

    found = np.empty((len(vectors), len(chunk.rows)))
    rows.dot_rows(chunk.grid, chunk.which, fold(shape, vectors, chunk.present), found)
    return found


def arrived(batch: Batch, rows: Ints) -> Floats | float:
    """The share of rewards that have come by now, for these rows."""
    return 1.0 if batch.arrived is None else batch.arrived[rows]


def sigmoid(eta: Floats) -> Floats:
    """``1 / (1 + exp(-eta))``, cut at +-30 where a double no longer tells it from 0 or 1."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(eta, -30.0, 30.0))))


def gather(
    shape: Layout, terms: Terms, batch: Batch, mean: Floats, *, kind: Literal["logit", "linear"]
) -> Sums:
    """The sums over the rows, linearised at the coefficients ``mean`` ``(p,)``.

    One step of Fisher scoring. That a reward has come by now has the chance F p, with F the share
    that has ``arrived`` and p the sigmoid of eta (Chapelle, "Modeling delayed feedback in display
    advertising", KDD 2014). With F = 1 that is the usual step of a logit.
    """
    total = no_sums(shape)
    rows = squares = 0.0
    for chunk in chunks(terms, shape, batch):
        y = batch.rewards[chunk.rows]
        if kind == "linear":
            weights, response = np.ones(len(y)), y
        else:
            eta = scores(shape, chunk, mean[None])[0]
            chance = sigmoid(eta)
            seen = arrived(batch, chunk.rows) * chance
            slope = (1.0 - chance) / (1.0 - seen)
            weights = seen * (1.0 - chance) * slope
            response = weights * eta + (y - seen) * slope
        _add(shape, chunk, weights, response, total)
        rows += len(y)
        squares += float((response * response / weights).sum())
    mirror(total.precision)
    return Sums(precision=total.precision, weighted=total.weighted, rows=rows, squares=squares)


def _add(shape: Layout, chunk: _Chunk, weights: Floats, response: Floats, total: Sums) -> None:
    """Add a chunk to the upper triangle of ``total``, in place."""
    pairs, present = len(shape.pairs), len(chunk.present)
    by_combination = 2 * present * (1 + len(shape.sizes) + pairs) < max(pairs - 1, 1) * len(
        chunk.rows
    )
    # Of rows times their transpose, only half has to be computed.
    roots = np.sqrt(weights)
    rooted = chunk.grid * roots[:, None]
    if by_combination or not pairs:
        _by_combination(shape, chunk, rooted, total.precision)
    else:
        _by_pair(shape, chunk, rooted, total.precision)
        _cells(shape, chunk, weights, total.precision)
    _responses(shape, chunk, response, total.weighted)


def _blocks(shape: Layout, precision: Floats) -> Floats:
    """The unary part as blocks of one option and another: a view ``(b, q, b, q)``."""
    count = 1 + shape.options
    unary = precision[: shape.unary, : shape.unary]
    return unary.reshape(count, shape.width, count, shape.width)


def _by_combination(shape: Layout, chunk: _Chunk, rooted: Floats, precision: Floats) -> None:
    blocks, offsets = _blocks(shape, precision), shape.offsets
    bounds = np.searchsorted(chunk.which, np.arange(len(chunk.present) + 1))
    for place, action in enumerate(chunk.present.astype(np.int64)):
        here = slice(bounds[place], bounds[place + 1])
        square = rooted[here].T @ rooted[here]
        at = [0, *(1 + offsets + action).tolist()]
        for first, a in enumerate(at):
            for b in at[first:]:
                blocks[a, :, b, :] += square
        cells = [start + action[d] * shape.sizes[e] + action[e] for d, e, start in shape.pairs]
        for first, cell in enumerate(cells):
            for a in at:
                precision[a * shape.width : (a + 1) * shape.width, cell] += square[0]
            precision[cell, cells[first:]] += square[0, 0]


def _by_pair(shape: Layout, chunk: _Chunk, rooted: Floats, precision: Floats) -> None:
    blocks, offsets = _blocks(shape, precision), shape.offsets
    actions = chunk.present.astype(np.int64)[chunk.which]
    dimensions = range(len(shape.sizes))
    for d, e in combinations(dimensions, 2):
        codes = actions[:, d] * shape.sizes[e] + actions[:, e]
        order = np.argsort(codes, kind="stable")
        cells = shape.sizes[d] * shape.sizes[e]
        bounds = np.searchsorted(codes[order], np.arange(cells + 1))
        sorted_rows = rooted[order]
        for cell in range(cells):
            here = slice(bounds[cell], bounds[cell + 1])
            if here.start == here.stop:
                continue
            square = sorted_rows[here].T @ sorted_rows[here]
            a, b = 1 + offsets[d] + cell // shape.sizes[e], 1 + offsets[e] + cell % shape.sizes[e]
            blocks[a, :, b, :] += square
            if e == d + 1:
                # Each dimension's own blocks once: from its pair with the next one.
                blocks[a, :, a, :] += square
                blocks[0, :, a, :] += square
                if e == len(shape.sizes) - 1:
                    blocks[b, :, b, :] += square
                    blocks[0, :, b, :] += square
                    blocks[0, :, 0, :] += square


def _cells(shape: Layout, chunk: _Chunk, weights: Floats, precision: Floats) -> None:
    """Pair tables with everything: sums over the rows of each cell and option."""
    actions = chunk.present.astype(np.int64)[chunk.which]
    width = shape.width
    own = [actions[:, d] * shape.sizes[e] + actions[:, e] for d, e, _ in shape.pairs]
    for (d, e, start), code in zip(shape.pairs, own, strict=True):
        count = shape.sizes[d] * shape.sizes[e]
        precision[:width, start : start + count] += _summed(chunk.grid, code, weights, count).T
        for f, offset in enumerate(shape.offsets):
            size = shape.sizes[f]
            found = _summed(chunk.grid, code * size + actions[:, f], weights, count * size)
            table = found.reshape(count, size, width)
            for option in range(size):
                at = (1 + offset + option) * width
                precision[at : at + width, start : start + count] += table[:, option].T
    for i, (d, e, start) in enumerate(shape.pairs):
        count = shape.sizes[d] * shape.sizes[e]
        for j in range(i, len(shape.pairs)):
            f, g, other = shape.pairs[j]
            size = shape.sizes[f] * shape.sizes[g]
            both = np.bincount(own[i] * size + own[j], weights=weights, minlength=count * size)
            block = precision[start : start + count, other : other + size]
            block += both.reshape(count, size)


def _summed(grid: Floats, codes: Ints, weights: Floats, count: int) -> Floats:
    """The weighted sum of the rows ``grid`` ``(n, q)`` of each code: ``(count, q)``."""
    from opportune.policies import rows

    sums = np.zeros((count, grid.shape[1]))
    rows.add_rows(grid, codes, weights, sums)
    return sums


def _responses(shape: Layout, chunk: _Chunk, response: Floats, weighted: Floats) -> None:
    sums = _summed(chunk.grid, chunk.which, response, len(chunk.present))
    actions = chunk.present.astype(np.int64)
    blocks = weighted[: shape.unary].reshape(1 + shape.options, shape.width)
    blocks[0] += sums.sum(axis=0)
    for d, offset in enumerate(shape.offsets):
        np.add.at(blocks, 1 + offset + actions[:, d], sums)
    for d, e, start in shape.pairs:
        np.add.at(weighted, start + actions[:, d] * shape.sizes[e] + actions[:, e], sums[:, 0])


def mirror(square: NDArray[Any]) -> None:
    """Copy the upper triangle into the lower, in place."""
    for start in range(0, len(square), MIRRORED):
        here = slice(start, start + MIRRORED)
        own = np.triu(square[here, here])
        square[here, here] = own + np.triu(own, 1).T
        square[start + MIRRORED :, here] = square[here, start + MIRRORED :].T
