"""The best action of every profile under every draw: exact, whatever the number of combinations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import Eligibility
from opportune.policies.errors import BadArray
from opportune.policies.space import ActionSpace

if TYPE_CHECKING:
    from opportune.policies.search import Scratch, Tables

__all__ = ["MAX_COMBINATIONS", "Basis", "Committee", "best_actions"]

MAX_COMBINATIONS = 1 << 24
"""Most combinations of a space: tables of this length are kept for a few draws at a time."""

TABLE_CELLS = 1 << 26
"""Most cells of the tables held at once: a quarter of a gigabyte."""

KEPT_CELLS = 1 << 20
"""Tables of at most so many cells stay with their committee: 4 MB."""

CHUNK_CELLS = 1 << 18
"""Unary scores held at once by a thread: 1 MB stays in the processor's cache."""

Single = NDArray[np.float32]

Basis = Callable[[slice], Single]
"""Values of the basis functions ``(m, q)`` of some of the profiles."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Committee:
    """What S draws of the coefficients say about every option and every pair of options.

    ``unary``: ``(q, S, K)`` float32, K counting the options of all dimensions one after the other:
    the coefficient of each basis function. ``pairs``: ``(d, e, table)`` with ``table``
    ``(S, K_d, K_e)`` float32 and d < e; pairs that are left out are zero.

    The score of an action for a profile is the sum of basis x unary over its options, and of its
    pairs, in this order, in single precision.
    """

    unary: Single
    pairs: tuple[tuple[int, int, Single], ...]
    # What follows from the tables for some of the draws: who asks for one profile at a time has
    # better things to do than to make it again.
    kept: dict[tuple[int, int], Kept] = field(default_factory=dict, init=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kept:
    """What is the same for everybody: ``bounds`` as in `search.Tables`, ``weights`` of a task.

    ``tables``: those where no combination is forbidden.
    """

    bounds: Single
    weights: Single
    tables: Tables


@overload
def best_actions(
    space: ActionSpace,
    committee: Committee,
    basis: Basis,
    eligible: Eligibility,
    *,
    with_scores: Literal[False] = False,
    threads: int | None = None,
) -> NDArray[np.int16]: ...
@overload
def best_actions(
    space: ActionSpace,
    committee: Committee,
    basis: Basis,
    eligible: Eligibility,
    *,
    with_scores: Literal[True],
    threads: int | None = None,
) -> tuple[NDArray[np.int16], Single]: ...
def best_actions(
    space: ActionSpace,
    committee: Committee,
    basis: Basis,
    eligible: Eligibility,
    *,
    with_scores: bool = False,
    threads: int | None = None,
) -> NDArray[np.int16] | tuple[NDArray[np.int16], Single]:
    """The eligible action of the highest score, ``(n, S, D)`` int16, and its score ``(n, S)``.

    Equal scores go to the action that comes first in `ActionSpace.actions`. A profile's answer
    does not depend on who is asked about with it. ``threads``: as many as there are processors,
    if not given. ``basis`` is asked for a few hundred profiles at a time, by several
    threads, and several times if the space is very large.

    Memory: the answer, 1 MB a thread, and S numbers per combination (`TABLE_CELLS` at most).

    >>> from opportune.policies import Dimension, everything
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "13", "18")),))
    >>> committee = Committee(unary=np.array([[[1, 3, 3], [2, 0, 1]]], dtype="f4"), pairs=())
    >>> everybody = np.ones((2, 1), dtype=np.float32)
    >>> best_actions(space, committee, lambda rows: everybody[rows], everything(space, 2)).tolist()
    [[[1], [0]], [[1], [0]]]
    """
    if not committee.kept:
        _require_committee(space, committee)
    profiles, draws = len(eligible), committee.unary.shape[1]
    actions = np.empty((profiles, draws, len(space.sizes)), dtype=np.int16)
    scores = np.empty((profiles if with_scores else 0, draws), dtype=np.float32)
    at_once = max(1, TABLE_CELLS // space.combinations)
    missing = 0
    for first in range(0, draws, at_once):
        some = slice(first, min(first + at_once, draws))
        kept = _kept(space, committee, some)
        task = _Task(
            tables=_with_patterns(kept.tables, eligible),
            weights=kept.weights,
            basis=basis,
            eligible=eligible,
            actions=actions,
            scores=scores,
            draw=first,
        )
        missing += _run(task, threads or _processors())
    if missing:
        raise BadArray(
            f"{missing} of {profiles * draws} best scores are not numbers, or nothing is eligible; "
            "allowed are finite basis functions and coefficients whose products are finite, and "
            "what `require_eligible` accepts."
        )
    return (actions, scores) if with_scores else actions


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Task:
    """All profiles under some of the draws. ``weights``: ``(q, K * draws)``, draws fastest."""

    tables: Tables
    weights: Single
    basis: Basis
    eligible: Eligibility
    actions: NDArray[np.int16]
    scores: Single
    draw: int


def _run(task: _Task, threads: int) -> int:
    """Hand chunks of profiles to threads; how many answers are missing."""
    rows = max(2, CHUNK_CELLS // task.weights.shape[1] // 2 * 2)
    starts = range(0, len(task.eligible), rows)
    waiting = iter(starts)
    if len(starts) <= 1 or threads == 1:
        return _work(task, waiting, rows)
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(lambda _: _work(task, waiting, rows), range(threads)))


def _work(task: _Task, waiting: Iterator[int], rows: int) -> int:
    """Take chunks until none is left."""
    from opportune.policies.search import Found, Rows, score_options, search

    options = int(task.tables.first[-1] + task.tables.sizes[-1])
    draws = task.tables.bounds.shape[1]
    unary = np.empty((min(rows, len(task.eligible) + 1), options * draws), dtype=np.float32)
    memory = _scratch(task.tables)
    missing = 0
    for start in waiting:
        here = slice(start, min(start + rows, len(task.eligible)))
        eligible = task.eligible.take(here)
        score_options(_basis(task, here), task.weights, unary)
        chunk = Rows(
            unary=unary.reshape(len(unary), options, draws),
            masks=np.ascontiguousarray(eligible.options),
            pattern=_pattern(eligible),
        )
        found = Found(task.actions, task.scores, start, task.draw)
        missing += search(task.tables, chunk, memory, found)
    return missing


def _basis(task: _Task, here: slice) -> Single:
    values = np.ascontiguousarray(task.basis(here), dtype=np.float32)
    wanted = (here.stop - here.start, len(task.weights))
    if values.shape != wanted:
        raise BadArray(f"The basis has shape {values.shape}; allowed is {wanted}.")
    return values


def _pattern(eligible: Eligibility) -> NDArray[np.int64]:
    if eligible.pattern is None:
        return np.zeros(len(eligible), dtype=np.int64)
    return np.ascontiguousarray(eligible.pattern)


def _weights(committee: Committee, draws: slice) -> Single:
    some = committee.unary[:, draws].transpose(0, 2, 1)
    return np.ascontiguousarray(some, dtype=np.float32).reshape(len(some), -1)


def _kept(space: ActionSpace, committee: Committee, draws: slice) -> Kept:
    known = committee.kept.get((draws.start, draws.stop))
    if known is not None:
        return known
    bounds = _bounds(space, committee, draws)
    found = Kept(bounds=bounds, weights=_weights(committee, draws), tables=_tables(space, bounds))
    if found.bounds.size + found.weights.size <= KEPT_CELLS:
        committee.kept[draws.start, draws.stop] = found
    return found


def _bounds(space: ActionSpace, committee: Committee, draws: slice) -> Single:
    """Sums of pairs of every combination, and from the last dimension to the first the best."""
    ends = np.cumsum(np.cumprod(space.sizes))
    starts = np.concatenate([[0], ends[:-1]])
    count = draws.stop - draws.start
    bounds = np.zeros((ends[-1], count), dtype=np.float32)
    sums = bounds[starts[-1] :].reshape(*space.sizes, count)
    for d, e, table in committee.pairs:
        shape = [1] * len(space.sizes) + [count]
        shape[d], shape[e] = space.sizes[d], space.sizes[e]
        sums += np.ascontiguousarray(np.moveaxis(table[draws], 0, -1)).reshape(shape)
    for d in range(len(space.sizes) - 1, 0, -1):
        below = bounds[starts[d] : ends[d]].reshape(-1, space.sizes[d], count)
        np.max(below, axis=1, out=bounds[starts[d - 1] : ends[d - 1]])
    return bounds


def _tables(space: ActionSpace, bounds: Single) -> Tables:
    from opportune.policies.search import Tables

    sizes = np.array(space.sizes, dtype=np.int64)
    ends = np.cumsum(np.cumprod(sizes))
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    allowed = np.zeros((0, ends[-1]), dtype=np.bool_)
    return Tables(sizes=sizes, first=first, starts=starts, bounds=bounds, allowed=allowed)


def _with_patterns(tables: Tables, eligible: Eligibility) -> Tables:
    """The same where some combinations are forbidden: which beginnings of one lead anywhere."""
    patterns = eligible.combinations
    if patterns is None:
        return tables
    sizes, starts, ends = tables.sizes, tables.starts, np.cumsum(np.cumprod(tables.sizes))
    allowed = np.zeros((len(patterns), ends[-1]), dtype=np.bool_)
    allowed[:, starts[-1] :] = patterns
    for d in range(len(sizes) - 1, 0, -1):
        below = (len(allowed), ends[d - 1] - starts[d - 1], sizes[d])
        here, above = slice(starts[d], ends[d]), slice(starts[d - 1], ends[d - 1])
        np.any(allowed[:, here].reshape(below), axis=2, out=allowed[:, above])
    return tables._replace(allowed=allowed)


def _scratch(tables: Tables) -> Scratch:
    from opportune.policies.search import Scratch

    dimensions, draws = len(tables.sizes), tables.bounds.shape[1]
    return Scratch(
        options=np.empty((dimensions, int(tables.sizes.max())), dtype=np.int64),
        counts=np.empty(dimensions, dtype=np.int64),
        current=np.zeros(dimensions, dtype=np.int64),
        code=np.empty(dimensions, dtype=np.int64),
        place=np.empty(dimensions, dtype=np.int64),
        likely=np.empty((dimensions, int(tables.sizes.max())), dtype=np.int64),
        ends=np.empty(dimensions, dtype=np.int64),
        best=np.empty((dimensions, draws), dtype=np.float32),
        prefix=np.empty((dimensions, draws), dtype=np.float32),
        sums=np.empty(draws, dtype=np.float32),
        top=np.empty(draws, dtype=np.float32),
        winner=np.empty(draws, dtype=np.int64),
    )


def _require_committee(space: ActionSpace, committee: Committee) -> None:
    unary, options = committee.unary, sum(space.sizes)
    if unary.ndim != 3 or unary.shape[2] != options or not unary.size:
        raise BadArray(
            f"The committee's coefficients have shape {unary.shape}; allowed is (basis functions, "
            f"draws, {options}), each at least 1."
        )
    for d, e, table in committee.pairs:
        if not 0 <= d < e < len(space.sizes):
            raise BadArray(
                f"A table of dimensions {d} and {e} was given; allowed are two of the dimensions "
                f"0 to {len(space.sizes) - 1}, in order."
            )
        wanted = (unary.shape[1], space.sizes[d], space.sizes[e])
        if table.shape != wanted:
            raise BadArray(
                f"The table of dimensions {d} and {e} has shape {table.shape}; allowed is {wanted}."
            )
    if not all(np.isfinite(each).all() for each in (unary, *(pair[2] for pair in committee.pairs))):
        raise BadArray("The committee has coefficients that are not finite. Refit the policy.")


def _processors() -> int:
    """Those that this process may use."""
    known = hasattr(os, "sched_getaffinity")
    return len(os.sched_getaffinity(0)) if known else os.cpu_count() or 1
