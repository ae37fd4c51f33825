"""Check arrays that come from outside the room against the action space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import BadArray, NothingEligible
from opportune.policies.model import ActionSpace

__all__ = ["require_actions", "require_eligible", "require_options"]


def require_eligible(space: ActionSpace, eligible: NDArray[np.int64]) -> None:
    """Refuse masks ``(n, D)`` that do not fit the space or leave a profile without an option.

    Every policy calls this first: it knows the dimensions' names, `draw` does not.

    >>> from opportune.policies import ActionSpace, Dimension
    >>> space = ActionSpace(dimensions=(Dimension(name="channel", options=("email", "push")),))
    >>> require_eligible(space, np.array([[1], [0]]))
    Traceback (most recent call last):
    ...
    opportune.policies.errors.NothingEligible: No option of dimension 'channel' is eligible for \
1 of 2 profiles. Make one eligible, for example a fallback option, or leave these profiles out.
    """
    if eligible.ndim != 2 or eligible.shape[1] != len(space.dimensions):
        raise BadArray(
            f"Eligibility has shape {eligible.shape}; allowed is (profiles, "
            f"{len(space.dimensions)}): one bitmask per profile and dimension."
        )
    require_options(eligible, tuple(dimension.name for dimension in space.dimensions))
    stray = (eligible & ~space.everything(len(eligible))).any(axis=0)
    if stray.any():
        dimension = space.dimensions[int(stray.argmax())]
        raise BadArray(
            f"Eligibility of dimension '{dimension.name}' has bits beyond its "
            f"{len(dimension.options)} options. Allowed are 1 to "
            f"{(1 << len(dimension.options)) - 1}."
        )


def require_options(eligible: NDArray[np.int64], names: tuple[str, ...]) -> None:
    """Refuse masks ``(n, D)`` that leave a profile without an option in some dimension."""
    without = (eligible == 0).sum(axis=0)
    if without.any():
        worst = int(without.argmax())
        raise NothingEligible(
            f"No option of dimension '{names[worst]}' is eligible for {without[worst]} of "
            f"{len(eligible)} profiles. Make one eligible, for example a fallback option, or "
            "leave these profiles out."
        )


def require_actions(space: ActionSpace, actions: NDArray[np.int16]) -> None:
    """Refuse actions ``(n, D)`` with option indices that the space does not have."""
    if actions.ndim != 2 or actions.shape[1] != len(space.dimensions):
        raise BadArray(
            f"Actions have shape {actions.shape}; allowed is (rows, {len(space.dimensions)})."
        )
    outside = ((actions < 0) | (actions >= np.array(space.sizes))).any(axis=0)
    if outside.any():
        dimension = space.dimensions[int(outside.argmax())]
        raise BadArray(
            f"Actions name an option of dimension '{dimension.name}' that does not exist; "
            f"allowed are the indices 0 to {len(dimension.options) - 1}."
        )
