"""Compile the inner loops ahead of the first decision: for an installation, and for a server."""

from __future__ import annotations

from functools import cache

import numpy as np

from opportune.policies.draw import draw
from opportune.policies.eligible import Eligibility, everything
from opportune.policies.factored import FactoredThompson
from opportune.policies.model import Batch
from opportune.policies.space import ActionSpace, Dimension

__all__ = ["warm_up"]

ROWS = 64


@cache
def warm_up() -> None:
    """Learn and decide once in small spaces, so that nothing is left to compile.

    Once in a process: what is compiled stays.
    """
    for sizes in ((2, 3), (2, 2, 2)):
        space = ActionSpace(
            dimensions=tuple(
                Dimension(name=str(d), options=tuple(map(str, range(size))))
                for d, size in enumerate(sizes)
            )
        )
        rows = Batch(
            features=np.arange(2.0 * ROWS).reshape(ROWS, 2) % 7,
            actions=space.actions()[np.arange(ROWS) % space.combinations],
            rewards=(np.arange(ROWS) % 3 == 0).astype(np.float64),
            propensities=np.full(ROWS, 1.0 / space.combinations),
        )
        policy = FactoredThompson(space, 2, reward="binary").update(rows)
        policy.expected(rows.features, rows.actions)
        allowed = np.ones((ROWS, space.combinations), dtype=bool)
        allowed[:, 0] = False
        for eligible in (everything(space, ROWS), Eligibility.of_combinations(space, allowed)):
            play = policy.distribution(rows.features, eligible, seed=1)
            policy.contributions(rows.features, rows.actions, eligible)
            draw(play, np.linspace(0.0, 0.999, ROWS))
            eligible.mean(space, [np.zeros(size) for size in sizes])
