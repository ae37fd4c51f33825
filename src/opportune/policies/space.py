"""What can be chosen: dimensions and the names of their options."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from opportune.errors import nearest
from opportune.policies.errors import BadActionSpace

__all__ = ["MAX_OPTIONS", "ActionSpace", "Dimension"]

MAX_OPTIONS = 63
"""Most options of one dimension: eligibility is a bitmask in a signed 64-bit integer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """One thing that is chosen (channel, hour), and the names of its options in a fixed order."""

    name: str
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        given = len(self.options)
        if not 1 <= given <= MAX_OPTIONS:
            raise BadActionSpace(
                f"Dimension '{self.name}' has {given} options; 1 to {MAX_OPTIONS} are allowed. "
                "Split it into two dimensions or drop options."
            )
        if len(set(self.options)) != given:
            raise BadActionSpace(
                f"Dimension '{self.name}' names an option twice: {', '.join(self.options)}. "
                "Give every option its own name."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpace:
    """All that can be chosen: one option per dimension. Names only, no profiles.

    >>> channel = Dimension(name="channel", options=("email", "push"))
    >>> hour = Dimension(name="hour", options=("09", "13", "18"))
    >>> space = ActionSpace(dimensions=(channel, hour))
    >>> space.sizes, space.combinations, space.indices(("push", "18"))
    ((2, 3), 6, (1, 2))
    """

    dimensions: tuple[Dimension, ...]
    sizes: tuple[int, ...] = field(init=False, repr=False, compare=False)
    """Options per dimension."""
    full: NDArray[np.int64] = field(init=False, repr=False, compare=False)
    """The bitmask of all options of each dimension: ``(D,)``."""

    def __post_init__(self) -> None:
        names = [dimension.name for dimension in self.dimensions]
        if not names:
            raise BadActionSpace("An action space has no dimension. Give it at least one.")
        if len(set(names)) != len(names):
            raise BadActionSpace(
                f"Two dimensions share a name: {', '.join(names)}. Give each its own name."
            )
        sizes = tuple(len(dimension.options) for dimension in self.dimensions)
        full = np.array([(1 << size) - 1 for size in sizes], dtype=np.int64)
        full.setflags(write=False)
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "full", full)

    @property
    def combinations(self) -> int:
        """How many actions there are when every option is eligible."""
        return math.prod(self.sizes)

    def actions(self) -> NDArray[np.int16]:
        """Every combination once, ``(combinations, D)`` option indices, last dimension fastest."""
        grid = np.indices(self.sizes, dtype=np.int16)
        return np.ascontiguousarray(grid.reshape(len(self.sizes), -1).T)

    def codes(self, actions: NDArray[np.int16]) -> NDArray[np.int64]:
        """The place of each action ``(n, D)`` among the combinations: ``(n,)``, as in `actions`."""
        wide = tuple(actions.astype(np.int64).T)
        return np.asarray(np.ravel_multi_index(wide, self.sizes), dtype=np.int64)

    def indices(self, names: Sequence[str]) -> tuple[int, ...]:
        """Turn one option name per dimension into option indices; `BadActionSpace` if unknown."""
        if len(names) != len(self.dimensions):
            raise BadActionSpace(
                f"An action of {len(names)} options was given; this space has "
                f"{len(self.dimensions)} dimensions. Name one option for each."
            )
        return tuple(map(_option_index, self.dimensions, names))


def _option_index(dimension: Dimension, option: str) -> int:
    if option not in dimension.options:
        raise BadActionSpace(
            f"Dimension '{dimension.name}' has no option '{option}'. "
            f"{nearest(option, dimension.options)}"
        )
    return dimension.options.index(option)
