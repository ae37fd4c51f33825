"""The best action when options cost something: the largest expected reward less costs."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from opportune.policies.argmax import best_actions
from opportune.policies.committee import committee
from opportune.policies.eligible import Eligibility
from opportune.policies.errors import BadArray
from opportune.policies.evidence import sigmoid
from opportune.policies.knowledge import Knowledge
from opportune.policies.layout import Layout, layout
from opportune.policies.model import Costs
from opportune.policies.space import ActionSpace
from opportune.policies.terms import basis

__all__ = ["MAX_COST_CLASSES", "best_priced_actions"]

MAX_COST_CLASSES = 64
"""Most distinct costs of an action: the best action is found once for each."""

CHUNK_ROWS = 1 << 12

Floats = NDArray[np.float64]


def best_priced_actions(
    space: ActionSpace,
    known: Knowledge,
    draws: tuple[Floats, Floats | None],
    features: Floats,
    eligible: Eligibility,
    costs: Costs,
) -> NDArray[np.int16]:
    """The action of the largest ``chance x (amount - rewarded) - sent`` under each draw.

    Among actions of the same costs that is the one of the largest expected reward, so the best of
    each *cost class* is found as without costs, and then the classes are compared.
    """
    classes = _classes(space, costs)
    shape = layout(space.sizes, known.terms.kinds)
    n, (chance, amount) = len(eligible), draws
    tables = committee(shape, chance if amount is None else chance + amount)
    support = np.empty((n, len(chance), len(space.sizes)), dtype=np.int16)
    for start in range(0, n, CHUNK_ROWS):
        here = slice(start, min(n, start + CHUNK_ROWS))
        grid = basis(known.terms, features[here])
        single = grid.astype(np.float32)
        prospects = _Prospects(shape, known, draws, grid)
        part, there = eligible.take(here), support[here]
        best = np.full((len(part), len(chance)), -np.inf)
        for masks, sent, rewarded in classes:
            narrowed, rows = _narrowed(space, part, masks)
            if not len(rows):
                continue
            found = best_actions(space, tables, single[rows].__getitem__, narrowed)
            likely, value = prospects(rows, found)
            worth = likely * (value - rewarded) - sent
            better = worth > best[rows]
            best[rows] = np.where(better, worth, best[rows])
            there[rows] = np.where(better[:, :, None], found, there[rows])
    return support


def _narrowed(
    space: ActionSpace, eligible: Eligibility, masks: NDArray[np.int64]
) -> tuple[Eligibility, NDArray[np.int64]]:
    """The profiles that may get any action of these options: what they may get, and which."""
    narrowed = Eligibility(
        options=eligible.options & masks,
        combinations=eligible.combinations,
        pattern=eligible.pattern,
    )
    some = (narrowed.options != 0).all(axis=1)
    if narrowed.combinations is not None:
        some = narrowed.counts(space) > 0
    rows = np.flatnonzero(some)
    return narrowed.take(rows), rows


class _Prospects:
    """The chance of a reward, and its amount, for some profiles: every option is scored once.

    What is the customer's own is not drawn, but taken at the mean of the memory trusted most.
    """

    def __init__(
        self,
        shape: Layout,
        known: Knowledge,
        draws: tuple[Floats, Floats | None],
        grid: Floats,
    ) -> None:
        self._shape = shape
        self._noise = 0.0 if known.amount is None else known.amount.beliefs.noise
        self._scored = []
        given = [vectors for vectors in draws if vectors is not None]
        for model, vectors in zip(known.models, given, strict=True):
            own = grid @ model.members[known.best].whole(shape.size)[: shape.width]
            options = vectors[:, shape.width : shape.unary].reshape(-1, shape.width)
            table = (grid @ options.T).reshape(len(grid), len(vectors), shape.options)
            self._scored.append((vectors, own, table))

    def __call__(
        self, rows: NDArray[np.int64], actions: NDArray[np.int16]
    ) -> tuple[Floats, Floats | float]:
        """Of actions ``(r, S, D)`` for these rows: ``(r, S)`` each."""
        eta = [self._eta(scored, rows, actions.astype(np.int64)) for scored in self._scored]
        likely = sigmoid(eta[0])
        return likely, 1.0 if len(eta) == 1 else np.exp(eta[1] + self._noise / 2.0)

    def _eta(
        self,
        scored: tuple[Floats, Floats, Floats],
        rows: NDArray[np.int64],
        actions: NDArray[np.int64],
    ) -> Floats:
        vectors, own, table = scored
        found = np.repeat(own[rows, None], actions.shape[1], axis=1)
        mine = table[rows]
        for d, offset in enumerate(self._shape.offsets):
            found += np.take_along_axis(mine, offset + actions[:, :, d : d + 1], axis=2)[:, :, 0]
        draw = np.arange(actions.shape[1])
        for d, e, start in self._shape.pairs:
            cells = actions[:, :, d] * self._shape.sizes[e] + actions[:, :, e]
            found += vectors[draw, start + cells]
        return found


def _classes(space: ActionSpace, costs: Costs) -> list[tuple[NDArray[np.int64], float, float]]:
    """Masks ``(D,)`` of the options of each class; what its actions cost when sent, rewarded."""
    by_dimension = []
    for d, size in enumerate(space.sizes):
        sent, rewarded = costs.sent[d], costs.rewarded[d]
        if sent.shape != (size,) or rewarded.shape != (size,):
            raise BadArray(
                f"Costs of dimension '{space.dimensions[d].name}' have shapes {sent.shape} and "
                f"{rewarded.shape}; allowed is ({size},): one number per option."
            )
        groups: dict[tuple[float, float], int] = {}
        for option, pair in enumerate(zip(sent.tolist(), rewarded.tolist(), strict=True)):
            groups[pair] = groups.get(pair, 0) | (1 << option)
        by_dimension.append(sorted(groups.items()))
    count = int(np.prod([len(groups) for groups in by_dimension]))
    if count > MAX_COST_CLASSES:
        raise BadArray(
            f"Options make {count} different costs of an action; at most {MAX_COST_CLASSES} are "
            "allowed. Give options the same cost where the difference does not matter."
        )
    return [
        (
            np.array([mask for _, mask in chosen], dtype=np.int64),
            sum(pair[0] for pair, _ in chosen),
            sum(pair[1] for pair, _ in chosen),
        )
        for chosen in product(*by_dimension)
    ]
