"""The best combination of one profile under every draw: exact branch and bound, compiled.

All draws of a profile are searched together, one lane of a vector each, because draws of one
posterior are alike: what cannot win under one of them seldom wins under another. Dimensions are
fixed one after the other. Below a partial choice no score is higher than

    unary so far + best unary of each later dimension + best sum of pairs below

and a partial choice is followed only where, under some draw, this is above the best score found.
The bound adds numbers that are no smaller in the order in which a score adds its own, and rounding
keeps order, so the bound holds for rounded sums: nothing is lost, and no margin is needed.
Combinations come in the order of `ActionSpace.actions` and only a higher score replaces one,
so the first of equals wins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opportune.policies.compiled import compiled, inlined

__all__ = ["Found", "Rows", "Scratch", "Tables", "score_options", "search"]

Single = NDArray[np.float32]
Ints = NDArray[np.int64]

LOWEST = np.float32(-np.inf)

A_FEW = 8
"""One of so many draws stands for all of them where the search is to begin."""


class Tables(NamedTuple):
    """What is the same for all profiles.

    ``sizes``, ``first``: options of each dimension, and the number of its first option over all
    dimensions. ``starts``: the first row of each level in ``bounds`` ``(rows, draws)``, whose
    level d holds for each choice in dimensions 0 to d the best sum of pairs below it; the last
    level is the sum of pairs of each combination. ``allowed`` ``(patterns, rows)``: whether any
    combination below is; no patterns at all if everything is.
    """

    sizes: Ints
    first: Ints
    starts: Ints
    bounds: Single
    allowed: NDArray[np.bool_]


class Rows(NamedTuple):
    """Some profiles: score of every option under every draw ``(m, K, draws)``, eligibility."""

    unary: Single
    masks: Ints
    pattern: Ints


class Scratch(NamedTuple):
    """Memory that one thread works in."""

    options: Ints
    counts: Ints
    current: Ints
    code: Ints
    place: Ints
    likely: Ints
    ends: Ints
    best: Single
    prefix: Single
    sums: Single
    top: Single
    winner: Ints


class Found(NamedTuple):
    """Where answers go: from this row and draw on, and scores only if there is room for them."""

    actions: NDArray[np.int16]
    scores: Single
    row: int
    draw: int


@compiled
def score_options(basis: Single, weights: Single, unary: Single) -> None:
    """Products ``(m, q)`` x ``(q, columns)``; two profiles at a time.

    ``unary`` has room for an even number of rows.

    One profile's sums do not depend on who is decided with it: no product of a library says that.
    """
    functions, columns = weights.shape
    for i in range(0, len(basis), 2):
        j = min(i + 1, len(basis) - 1)
        one, two = unary[i], unary[i + 1]
        one[:] = 0
        two[:] = 0
        k = 0
        while k + 4 <= functions:
            w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
            a0, a1, a2, a3 = basis[i, k], basis[i, k + 1], basis[i, k + 2], basis[i, k + 3]
            b0, b1, b2, b3 = basis[j, k], basis[j, k + 1], basis[j, k + 2], basis[j, k + 3]
            for c in range(columns):
                one[c] += a0 * w0[c] + a1 * w1[c] + a2 * w2[c] + a3 * w3[c]
                two[c] += b0 * w0[c] + b1 * w1[c] + b2 * w2[c] + b3 * w3[c]
            k += 4
        while k < functions:
            w0, a0, b0 = weights[k], basis[i, k], basis[j, k]
            for c in range(columns):
                one[c] += a0 * w0[c]
                two[c] += b0 * w0[c]
            k += 1


@compiled
def search(tables: Tables, rows: Rows, scratch: Scratch, found: Found) -> int:
    """Write the best action of each profile under each draw; how often there was none.

    There is none only where a score is not a number.
    """
    missing = 0
    for i in range(len(rows.masks)):
        _open(tables, rows, scratch, i)
        _climb(tables, rows, scratch, i)
        _descend(tables, rows, scratch, i)
        missing += _write(tables.sizes, scratch, found, i)
    return missing


# References to arrays are counted, which costs more than a bound: so the loops below take arrays
# out of their tuples once per profile, and read single numbers instead of rows.


@inlined
def _open(tables: Tables, rows: Rows, scratch: Scratch, i: int) -> None:
    """List each dimension's eligible options, and their best unary score under every draw."""
    unary, best, options = rows.unary, scratch.best, scratch.options
    for d in range(len(tables.sizes)):
        count = 0
        highest = LOWEST
        for option in range(tables.sizes[d]):
            if not (rows.masks[i, d] >> option) & 1:
                continue
            here = tables.first[d] + option
            total = np.float32(0)
            for s in range(best.shape[1]):
                score = unary[i, here, s]
                best[d, s] = score if count == 0 or score > best[d, s] else best[d, s]
            for s in range(0, best.shape[1], A_FEW):
                total += unary[i, here, s]
            if count == 0 or total > highest:
                highest = total
                scratch.current[d] = option
            options[d, count] = option
            count += 1
        scratch.counts[d] = count


@inlined
def _climb(tables: Tables, rows: Rows, scratch: Scratch, i: int) -> None:
    """Improve one dimension at a time, and note just less than the best scores that were met.

    Just less, so that the search itself finds the first combination of this score.
    """
    current, sums, top, allowed = scratch.current, scratch.sums, scratch.top, tables.allowed
    for s in range(len(top)):
        top[s] = LOWEST
    for d in range(len(current)):
        highest = LOWEST
        kept = current[d]
        for k in range(scratch.counts[d]):
            current[d] = scratch.options[d, k]
            row = _score(tables, rows.unary, current, sums, i)
            if len(allowed) and not allowed[rows.pattern[i], row]:
                continue
            total = np.float32(0)
            for s in range(0, len(top), A_FEW):
                total += sums[s]
            for s in range(len(top)):
                top[s] = sums[s] if sums[s] > top[s] else top[s]
            if total > highest:
                highest = total
                kept = current[d]
        current[d] = kept
    for s in range(len(top)):
        top[s] = top[s] - abs(top[s]) * np.float32(2e-7) - np.float32(1e-37)


@inlined
def _score(tables: Tables, unary: Single, current: Ints, sums: Single, i: int) -> int:
    """Score the current combination under every draw; its row in the tables."""
    bounds = tables.bounds
    code = 0
    for s in range(len(sums)):
        sums[s] = 0
    for d in range(len(current)):
        code = code * tables.sizes[d] + current[d]
        option = tables.first[d] + current[d]
        for s in range(len(sums)):
            sums[s] += unary[i, option, s]
    row: int = tables.starts[len(current) - 1] + code
    for s in range(len(sums)):
        sums[s] += bounds[row, s]
    return row


@inlined
def _descend(tables: Tables, rows: Rows, scratch: Scratch, i: int) -> None:
    """Go through all combinations in order, but for those below a choice that cannot win.

    At each choice it first lists the options of the next dimension that may win, then follows
    them one by one.
    """
    sizes, first, starts, bounds, allowed = tables
    options, counts, _, code, place, likely, ends, best, prefix, sums, top, winner = scratch
    unary, rule, draws, last = rows.unary, rows.pattern[i], len(top), len(sizes) - 1
    for s in range(draws):
        prefix[0, s] = 0
        winner[s] = -1
    level = 0
    code[0] = 0
    ends[0] = -1
    while level >= 0:
        if ends[level] < 0:
            row0, score0 = starts[level] + code[level] * sizes[level], first[level]
            count = 0
            for k in range(counts[level]):
                option = options[level, k]
                likely[level, count] = option
                count += len(allowed) == 0 or allowed[rule, row0 + option]
            kept = 0
            if level == last:
                for k in range(count):
                    row, score = row0 + likely[level, k], score0 + likely[level, k]
                    wins = False
                    for s in range(draws):
                        wins |= (prefix[level, s] + unary[i, score, s]) + bounds[row, s] > top[s]
                    if wins:
                        for s in range(draws):
                            value = (prefix[level, s] + unary[i, score, s]) + bounds[row, s]
                            if value > top[s]:
                                top[s] = value
                                winner[s] = row - starts[last]
            elif level == last - 1:
                for k in range(count):
                    row, score = row0 + likely[level, k], score0 + likely[level, k]
                    wins = False
                    for s in range(draws):
                        most = (prefix[level, s] + unary[i, score, s]) + best[last, s]
                        wins |= most + bounds[row, s] > top[s]
                    likely[level, kept] = likely[level, k]
                    kept += wins
            elif level == last - 2:
                for k in range(count):
                    row, score = row0 + likely[level, k], score0 + likely[level, k]
                    wins = False
                    for s in range(draws):
                        most = (prefix[level, s] + unary[i, score, s]) + best[last - 1, s]
                        wins |= (most + best[last, s]) + bounds[row, s] > top[s]
                    likely[level, kept] = likely[level, k]
                    kept += wins
            else:
                for k in range(count):
                    row, score = row0 + likely[level, k], score0 + likely[level, k]
                    wins = False
                    for s in range(draws):
                        sums[s] = prefix[level, s] + unary[i, score, s]
                    for d in range(level + 1, last + 1):
                        for s in range(draws):
                            sums[s] += best[d, s]
                    for s in range(draws):
                        wins |= sums[s] + bounds[row, s] > top[s]
                    likely[level, kept] = likely[level, k]
                    kept += wins
            place[level] = 0
            ends[level] = kept
        if place[level] == ends[level]:
            level -= 1
            continue
        option = likely[level, place[level]]
        place[level] += 1
        score = first[level] + option
        for s in range(draws):
            prefix[level + 1, s] = prefix[level, s] + unary[i, score, s]
        code[level + 1] = code[level] * sizes[level] + option
        level += 1
        ends[level] = -1


@inlined
def _write(sizes: Ints, scratch: Scratch, found: Found, i: int) -> int:
    missing = 0
    actions, scores, row, draw = found
    for s in range(len(scratch.winner)):
        code = scratch.winner[s]
        missing += code < 0
        for d in range(len(sizes) - 1, -1, -1):
            above = code // sizes[d]
            actions[row + i, draw + s, d] = code - above * sizes[d]
            code = above
        if len(scores):
            scores[row + i, draw + s] = scratch.top[s]
    return missing
