"""The best action of every profile under every draw: exact, by scoring all combinations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import Eligibility
from opportune.policies.space import ActionSpace

__all__ = ["Committee", "best_actions"]

Single = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Committee:
    """S draws of what options are worth.

    ``unary``: ``(q, S, options)`` float32, the coefficient of each term for each option of all
    dimensions. ``pairs``: (d, e, ``(S, K_d, K_e)`` float32).
    """

    unary: Single
    pairs: tuple[tuple[int, int, Single], ...]


def best_actions(
    space: ActionSpace,
    committee: Committee,
    basis: Callable[[slice], Single],
    eligible: Eligibility,
) -> NDArray[np.int16]:
    """The argmax over the eligible combinations: ``(n, S, D)`` int16."""
    actions = space.actions()
    wide = actions.astype(np.int64)
    _, draws, _ = committee.unary.shape
    offsets = np.concatenate([[0], np.cumsum(space.sizes)[:-1]])
    n = len(eligible)
    support = np.empty((n, draws, len(space.sizes)), dtype=np.int16)
    step = max(1, (1 << 22) // len(actions))
    folded = np.stack(
        [
            sum(committee.unary[:, s, offsets[d] + wide[:, d]] for d in range(len(space.sizes)))
            for s in range(draws)
        ]
    )
    for d, e, table in committee.pairs:
        folded[:, 0, :] += table[:, wide[:, d], wide[:, e]]
    free = (
        eligible.combinations is None
        and (eligible.options == (1 << np.array(space.sizes)) - 1).all()
    )
    for start in range(0, n, step):
        here = slice(start, min(n, start + step))
        grid = basis(here)
        if not free:
            part = eligible.take(here)
            barred = np.ones((len(part), len(actions)), dtype=bool)
            for rows, allowed in part.alike(space):
                barred[rows] = ~allowed
        for s in range(draws):
            scores = grid @ folded[s]
            if not free:
                scores[barred] = -np.inf
            support[here, s] = actions[scores.argmax(axis=1)]
    return support
