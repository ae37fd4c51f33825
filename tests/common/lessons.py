"""Spaces and rows for tests of what learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from opportune.policies import ActionSpace, Batch, Dimension

__all__ = ["rewarded", "rows_of", "space_of"]

Floats = NDArray[np.float64]


def space_of(*sizes: int) -> ActionSpace:
    """Dimensions d0, d1, ... of these sizes, with options o0, o1, ..."""
    return ActionSpace(
        dimensions=tuple(
            Dimension(name=f"d{d}", options=tuple(f"o{o}" for o in range(size)))
            for d, size in enumerate(sizes)
        )
    )


def rows_of(
    space: ActionSpace, count: int, *, seed: int, features: int = 2, rate: float = 0.2
) -> Batch:
    """Uniform play whose rewards (0 or 1) depend on nothing."""
    numbers = np.random.default_rng(seed)
    return Batch(
        features=numbers.normal(size=(count, features)),
        actions=space.actions()[numbers.integers(0, space.combinations, count)],
        rewards=(numbers.random(count) < rate).astype(np.float64),
        propensities=np.full(count, 1 / space.combinations),
    )


def rewarded(rows: Batch, logit: Floats, *, seed: int) -> Batch:
    """The same rows, rewarded with the chance that belongs to each logit."""
    chance = 1 / (1 + np.exp(-logit))
    luck = np.random.default_rng(seed).random(len(chance))
    return replace(rows, rewards=(luck < chance).astype(np.float64))
