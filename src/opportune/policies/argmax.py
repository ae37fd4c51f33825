"""The best action of every profile under every draw: exact, by scoring all combinations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import Eligibility
from opportune.policies.layout import Layout, fold, indices

__all__ = ["MAX_COMBINATIONS", "best_actions"]

MAX_COMBINATIONS = 65_536
"""Beyond this, scoring every combination of every profile is the wrong method."""

CHUNK_SCORES = 1 << 18
"""Scores held at once (1 MB): a chunk stays in the processor's cache between product and max."""

BLOCKED = -1e6
"""Score of an ineligible option: far below any score, and exactly 0 for eligible ones."""

Single = NDArray[np.float32]


def best_actions(
    shape: Layout,
    actions: NDArray[np.int16],
    drawn: NDArray[np.float64],
    basis: NDArray[np.float64],
    eligible: Eligibility,
) -> NDArray[np.int16]:
    """The argmax over the combinations ``actions`` ``(C, D)``: ``(n, draws, D)`` int16.

    ``drawn``: ``(draws, p)``. A combination's score is linear in the basis, so all scores of a
    chunk are one matrix product; ineligibility rides along as further columns of it. Equal scores
    go to the combination that comes first. Memory: a chunk of scores, the basis once in single
    precision, and a few vectors per combination.
    """
    columns, penalties = _blocked(shape, actions, eligible.options)
    left = np.concatenate([basis.astype(np.float32), columns], axis=1)
    active = indices(shape, actions)
    profiles, combinations = len(left), len(actions)
    support = np.empty((profiles, len(drawn), len(shape.sizes)), dtype=np.int16)
    step = max(1, CHUNK_SCORES // combinations)
    scores = np.empty((min(step, profiles), combinations), dtype=np.float32)
    for s, vector in enumerate(drawn):
        right = np.concatenate([fold(shape, vector, active).T.astype(np.float32), penalties])
        for start in range(0, profiles, step):
            rows = left[start : start + step]
            chunk = np.matmul(rows, right, out=scores[: len(rows)])
            if eligible.combinations is not None and eligible.pattern is not None:
                chunk[~eligible.combinations[eligible.pattern[start : start + step]]] += BLOCKED
            support[start : start + step, s] = actions[chunk.argmax(axis=1)]
    return support


def _blocked(
    shape: Layout, actions: NDArray[np.int16], eligible: NDArray[np.int64]
) -> tuple[Single, Single]:
    """Columns ``(n, k)``: 1 where an option is ineligible, and its penalty rows ``(k, C)``.

    Only options that somebody may not get, so an unrestricted day pays nothing.
    """
    columns, penalties = [], []
    for d, size in enumerate(shape.sizes):
        for option in range(size):
            column = (eligible[:, d] >> option) & 1 == 0
            if column.any():
                columns.append(column)
                penalties.append(actions[:, d] == option)
    if not columns:
        none = np.empty((0, 0), dtype=np.float32)
        return none.reshape(len(eligible), 0), none.reshape(0, len(actions))
    return (
        np.stack(columns, axis=1).astype(np.float32),
        np.stack(penalties).astype(np.float32) * np.float32(BLOCKED),
    )
