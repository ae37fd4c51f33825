"""Counting in columns too long and too many for one pass each: compiled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from opportune.policies.compiled import compiled, inlined

__all__ = ["Alike", "Counted", "add_shares", "add_up", "choose", "walk"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Alike(NamedTuple):
    """Profiles of equal eligibility, neighbours sharing the masks of as many last dimensions
    as possible.

    ``masks`` ``(groups, D)``, ``pattern`` ``(groups,)``; the profiles of group g are
    ``rows[bounds[g]:bounds[g + 1]]``.
    """

    masks: Ints
    pattern: Ints
    rows: Ints
    bounds: Ints


@compiled
def add_shares(
    support: NDArray[np.int16],
    weights: Floats,
    actions: NDArray[np.int16],
    whole: Floats,
    each: Floats,
) -> None:
    """Add the weights of candidates ``(n, S, D)`` that are the action, and that have its option."""
    for i in range(support.shape[0]):
        for s in range(support.shape[1]):
            weight = weights[i, s]
            same = True
            for d in range(support.shape[2]):
                if support[i, s, d] == actions[i, d]:
                    each[i, d] += weight
                else:
                    same = False
            if same:
                whole[i] += weight


@compiled
def choose(weights: Floats, numbers: Floats, chosen: Ints) -> None:
    """The last candidate of positive weight whose interval starts at or before the number.

    So rounding in the sum of weights can never choose a candidate of weight zero.
    """
    for i in range(len(numbers)):
        start = 0.0
        chosen[i] = 0
        for s in range(weights.shape[1]):
            if weights[i, s] > 0 and start <= numbers[i]:
                chosen[i] = s
            start += weights[i, s]


class Counted(NamedTuple):
    """Of one group: how many actions are left after each choice in the first d dimensions.

    ``left[starts[d]:]`` has one number per such choice; d = 0 is the group's whole count.
    """

    sizes: Ints
    starts: Ints
    left: Ints


@compiled
def walk(
    counted: Counted,
    alike: Alike,
    combinations: NDArray[np.bool_],
    counts: Floats,
    shares: Floats,
    actions: NDArray[np.int16],
) -> None:
    """How many actions each group may get; with ``shares`` in [0, 1), also which one lies there.

    Counted from the last dimension to the first, and kept while the next group has the same masks
    there.
    """
    for g in range(len(alike.masks)):
        d = alike.masks.shape[1] - 1
        if g > 0 and alike.pattern[g] == alike.pattern[g - 1]:
            while d >= 0 and alike.masks[g, d] == alike.masks[g - 1, d]:
                d -= 1
        while d >= 0:
            _count(counted, alike.masks[g, d], combinations[alike.pattern[g]], d)
            d -= 1
        counts[g] = counted.left[0]
        if len(shares) > 0:
            allowed = combinations[alike.pattern[g]]
            for place in range(alike.bounds[g], alike.bounds[g + 1]):
                row = alike.rows[place]
                _pick(counted, alike.masks[g], allowed, shares[row], actions[row])


@compiled
def add_up(
    counted: Counted,
    alike: Alike,
    combinations: NDArray[np.bool_],
    values: Floats,
    means: Floats,
) -> None:
    """What the actions of each group are worth on average: ``values`` ``(D, most options)`` each.

    Walks as `walk` does.
    """
    worth = np.zeros(len(counted.left))
    for g in range(len(alike.masks)):
        d = alike.masks.shape[1] - 1
        if g > 0 and alike.pattern[g] == alike.pattern[g - 1]:
            while d >= 0 and alike.masks[g, d] == alike.masks[g - 1, d]:
                d -= 1
        while d >= 0:
            allowed = combinations[alike.pattern[g]]
            _count(counted, alike.masks[g, d], allowed, d)
            _weigh(counted, alike.masks[g, d], allowed, d, values[d], worth)
            d -= 1
        means[g] = worth[0] / counted.left[0]


@inlined
def _weigh(
    counted: Counted,
    mask: int,
    allowed: NDArray[np.bool_],
    d: int,
    values: Floats,
    worth: Floats,
) -> None:
    sizes, starts, left = counted
    last = d + 1 == len(sizes)
    for choice in range(starts[d + 1] - starts[d]):
        total = 0.0
        for option in range(sizes[d]):
            if (mask >> option) & 1:
                child = choice * sizes[d] + option
                if last:
                    total += values[option] * allowed[child]
                else:
                    place = starts[d + 1] + child
                    total += values[option] * left[place] + worth[place]
        worth[starts[d] + choice] = total


@inlined
def _count(counted: Counted, mask: int, allowed: NDArray[np.bool_], d: int) -> None:
    sizes, starts, left = counted
    for choice in range(starts[d + 1] - starts[d]):
        total = 0
        for option in range(sizes[d]):
            if (mask >> option) & 1:
                child = choice * sizes[d] + option
                total += left[starts[d + 1] + child] if d + 1 < len(sizes) else allowed[child]
        left[starts[d] + choice] = total


@inlined
def _pick(
    counted: Counted,
    masks: Ints,
    allowed: NDArray[np.bool_],
    share: float,
    action: NDArray[np.int16],
) -> None:
    sizes, starts, left = counted
    rank = min(int(share * left[0]), left[0] - 1)
    choice = 0
    for d in range(len(sizes)):
        for option in range(sizes[d]):
            if not (masks[d] >> option) & 1:
                continue
            child = choice * sizes[d] + option
            here = left[starts[d + 1] + child] if d + 1 < len(sizes) else int(allowed[child])
            if rank < here:
                action[d] = option
                choice = child
                break
            rank -= here
