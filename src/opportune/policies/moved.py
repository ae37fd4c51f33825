"""Take what was learned over to other options: new ones, retired ones, other dimensions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opportune.policies.algebra import factor, solve
from opportune.policies.evidence import Sums
from opportune.policies.knowledge import Knowledge, Model, refitted, single
from opportune.policies.layout import Layout, layout
from opportune.policies.shrinkage import Beliefs, prior_beliefs
from opportune.policies.space import ActionSpace

__all__ = ["moved"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Move:
    """From one layout to another: where each new coefficient, option, group was; -1: it is new."""

    old: Layout
    new: Layout
    coefficients: Ints
    options: Ints
    groups: Ints

    @property
    def kept(self) -> Ints:
        """The new coefficients that were there before."""
        return np.flatnonzero(self.coefficients >= 0)

    @property
    def dropped(self) -> Ints:
        """The old coefficients that are no more."""
        return np.setdiff1d(np.arange(self.old.size), self.coefficients)


def moved(known: Knowledge, old: ActionSpace, new: ActionSpace) -> Knowledge:
    """The knowledge for the options of ``new``; dimensions and options are known by their names.

    A new option starts from what its dimension's options have in common. A retired one is
    integrated out of the posterior, so what it taught of the others stays.
    """
    move = _move(known, old, new)
    amount = known.amount
    responses = np.where(move.options >= 0, known.responses[:, np.maximum(move.options, 0)], 0.0)
    point = np.zeros(move.new.size)
    point[move.kept] = known.point[move.coefficients[move.kept]]
    return refitted(
        move.new,
        replace(
            known,
            chance=_model(move, known.chance),
            amount=None if amount is None else _model(move, amount),
            responses=responses,
            point=point,
            trials=np.empty((0, move.new.size)),
        ),
        learn=False,
    )


def _move(known: Knowledge, old: ActionSpace, new: ActionSpace) -> _Move:
    before, after = layout(old.sizes, known.terms.kinds), layout(new.sizes, known.terms.kinds)
    width = before.width
    dimensions = {each.name: place for place, each in enumerate(old.dimensions)}
    numbers = {
        (each.name, option): int(before.offsets[d]) + o
        for d, each in enumerate(old.dimensions)
        for o, option in enumerate(each.options)
    }
    options = np.array(
        [numbers.get((each.name, option), -1) for each in new.dimensions for option in each.options]
    )
    blocks = np.concatenate([[0], np.where(options >= 0, 1 + options, -1)])
    unary = np.where(blocks[:, None] >= 0, blocks[:, None] * width + np.arange(width), -1)
    came = [dimensions.get(each.name, -1) for each in new.dimensions]
    shared = np.concatenate([[0], [1 + place if place >= 0 else -1 for place in came]])
    groups = [np.where(shared[:, None] >= 0, shared[:, None] * width + np.arange(width), -1)]
    cells, tables = _cells(before, after, options, came)
    groups.append(np.where(tables >= 0, width * (1 + len(old.sizes)) + tables, -1))
    return _Move(
        old=before,
        new=after,
        coefficients=np.concatenate([unary.ravel(), *cells]).astype(np.int64),
        options=options,
        groups=np.concatenate([each.ravel() for each in groups]).astype(np.int64),
    )


def _cells(
    before: Layout, after: Layout, options: Ints, came: list[int]
) -> tuple[list[Ints], Ints]:
    """Where each new table's cells were, and the number of that table; -1: it is new."""
    tables = {(d, e): (number, start) for number, (d, e, start) in enumerate(before.pairs)}
    cells, numbers = [], []
    for d, e, _ in after.pairs:
        first, second = _local(before, options, after, d), _local(before, options, after, e)
        a, b = came[d], came[e]
        number, start = tables.get((min(a, b), max(a, b)), (-1, -1))
        numbers.append(number)
        if number < 0:
            cells.append(np.full(len(first) * len(second), -1))
            continue
        if a < b:
            place = first[:, None] * before.sizes[b] + second[None, :]
        else:
            place = second[None, :] * before.sizes[a] + first[:, None]
        known_both = (first[:, None] >= 0) & (second[None, :] >= 0)
        cells.append(np.where(known_both, start + place, -1).ravel())
    return cells, np.array(numbers, dtype=np.int64)


def _local(before: Layout, options: Ints, after: Layout, d: int) -> Ints:
    """The former number, within its dimension, of each option of new dimension ``d``; -1: new."""
    mine = options[after.offsets[d] : after.offsets[d] + after.sizes[d]]
    starts = before.offsets
    dimension = np.searchsorted(starts, np.maximum(mine, 0), side="right") - 1
    return np.where(mine >= 0, mine - starts[dimension], -1)


def _model(move: _Move, model: Model) -> Model:
    return replace(
        model,
        beliefs=_beliefs(move, model.beliefs),
        sums=tuple(single(_sums(move, model.beliefs, sums)) for sums in model.sums),
        members=(),
    )


def _beliefs(move: _Move, beliefs: Beliefs) -> Beliefs:
    fresh = prior_beliefs(move.new)
    shares = np.where(move.groups >= 0, beliefs.shares[np.maximum(move.groups, 0)], fresh.shares)
    inclusion = shares[move.new.groups]
    precision = 1.0 / (inclusion * beliefs.slabs[move.new.types])
    weight = np.zeros(move.new.size)
    kept, source = move.kept, move.coefficients[move.kept]
    inclusion[kept] = beliefs.inclusion[source]
    precision[kept] = beliefs.precision[source]
    weight[kept] = beliefs.weight[source]
    return replace(beliefs, precision=precision, weight=weight, inclusion=inclusion, shares=shares)


def _sums(move: _Move, beliefs: Beliefs, sums: Sums) -> Sums:
    kept, source, dropped = move.kept, move.coefficients[move.kept], move.dropped
    square, weighted = sums.part(source, source), sums.weighted[source]
    squares = sums.squares
    if len(dropped):
        # Sums are in units of the noise, the prior is not.
        prior = beliefs.noise * beliefs.precision[dropped]
        weight = beliefs.noise * beliefs.weight[dropped]
        own = sums.part(dropped, dropped)
        own[np.diag_indices(len(dropped))] += prior
        lower = factor(own)
        across = sums.part(dropped, source)
        square = square - across.T @ solve(lower, across)
        rest = sums.weighted[dropped] + weight
        solved = solve(lower, rest)
        weighted = weighted - across.T @ solved
        # What is left unexplained with the retired ones at their best.
        squares += float(weight @ (weight / prior) - rest @ solved)
    whole, vector = np.zeros((move.new.size, move.new.size)), np.zeros(move.new.size)
    whole[np.ix_(kept, kept)] = (square + square.T) / 2.0
    vector[kept] = weighted
    return Sums(precision=whole, weighted=vector, rows=sums.rows, squares=squares)
