"""The best eligible action of every profile, by scoring each combination: for moderate spaces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from opportune.policies.argmax import MAX_COMBINATIONS
from opportune.policies.eligible import Eligibility
from opportune.policies.errors import BadPolicySetting
from opportune.policies.model import Costs
from opportune.policies.space import ActionSpace

__all__ = ["best_of", "charges", "require_moderate"]

SCORES_AT_ONCE = 1 << 20
"""Scores held at once: 8 MB."""

Floats = NDArray[np.float64]


def best_of(
    space: ActionSpace, eligible: Eligibility, score: Callable[[slice], Floats]
) -> NDArray[np.int16]:
    """The eligible action of the highest score for n profiles: ``(n, D)``.

    ``score`` gives the scores ``(m, C)`` of the combinations, in the order of
    `ActionSpace.actions`, for a slice of m profiles. They are compared to nine decimals, and equal
    ones go to the combination that comes first: the last bits of a matrix product depend on who
    else is asked about, the choice must not.
    """
    actions = space.actions()
    found = np.empty(eligible.options.shape, dtype=np.int16)
    step = max(1, SCORES_AT_ONCE // len(actions))
    for start in range(0, len(eligible), step):
        here = slice(start, min(start + step, len(eligible)))
        scores = np.round(score(here), 9)
        for rows, allowed in eligible.take(here).alike(space):
            open_ = np.flatnonzero(allowed)
            found[start + rows] = actions[open_[scores[np.ix_(rows, open_)].argmax(axis=1)]]
    return found


def charges(space: ActionSpace, costs: Costs) -> tuple[Floats, Floats]:
    """What each combination costs when sent, and further when rewarded: ``(C,)`` each."""
    actions = space.actions()
    sent, rewarded = (
        np.sum([each[actions[:, d]] for d, each in enumerate(kind)], axis=0)
        for kind in (costs.sent, costs.rewarded)
    )
    return np.asarray(sent), np.asarray(rewarded)


def require_moderate(space: ActionSpace, most: int, name: str) -> None:
    """Refuse a space of more than ``most`` combinations for the policy ``name``."""
    if space.combinations > most:
        other = "" if most == MAX_COMBINATIONS else ", or use factored_thompson"
        raise BadPolicySetting(
            f"The space has {space.combinations} combinations; the policy '{name}' takes up to "
            f"{most}. Drop options or a dimension{other}."
        )
