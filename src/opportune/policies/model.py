"""The nouns of the room: what may be chosen, how likely each choice is, what came of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from opportune.errors import nearest
from opportune.policies.errors import BadActionSpace, BadArray

__all__ = [
    "MAX_OPTIONS",
    "ActionDistribution",
    "ActionSpace",
    "Batch",
    "Dimension",
    "Draw",
    "Policy",
]

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

    def __post_init__(self) -> None:
        names = [dimension.name for dimension in self.dimensions]
        if not names:
            raise BadActionSpace("An action space has no dimension. Give it at least one.")
        if len(set(names)) != len(names):
            raise BadActionSpace(
                f"Two dimensions share a name: {', '.join(names)}. Give each its own name."
            )

    @property
    def sizes(self) -> tuple[int, ...]:
        """Options per dimension."""
        return tuple(len(dimension.options) for dimension in self.dimensions)

    @property
    def combinations(self) -> int:
        """How many actions there are when every option is eligible."""
        return math.prod(self.sizes)

    def actions(self) -> NDArray[np.int16]:
        """Every combination once, ``(combinations, D)`` option indices, last dimension fastest."""
        grid = np.indices(self.sizes, dtype=np.int16)
        return np.ascontiguousarray(grid.reshape(len(self.sizes), -1).T)

    def everything(self, profiles: int) -> NDArray[np.int64]:
        """The masks ``(profiles, D)`` that make every option eligible; a read-only view."""
        full = np.array([(1 << size) - 1 for size in self.sizes], dtype=np.int64)
        return np.broadcast_to(full, (profiles, len(self.sizes)))

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActionDistribution:
    """How likely each action is for each profile: exact and sparse.

    A mixture of S candidate actions per profile and, for the rest, uniform play over the
    eligible combinations. Never a full matrix of combinations.

    ``support``: ``(n, S, D)`` int16 option indices of the candidates; an action may repeat, then
    its weights add. ``weights``: ``(n, S)`` float64, each row sums to ``1 - uniform_share``.
    ``uniform_share``: 0 to 1. ``eligible``: ``(n, D)`` int64 bitmasks of eligible options.
    """

    support: NDArray[np.int16]
    weights: NDArray[np.float64]
    uniform_share: float
    eligible: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draw:
    """What was chosen, with the exact propensities that belong in the decision log.

    ``actions``: ``(n, D)`` int16. ``propensities``: ``(n,)`` of the whole action.
    ``dimension_propensities``: ``(n, D)`` of each option by itself. ``explored``: ``(n,)``, true
    where the uniform part of the mixture chose.
    """

    actions: NDArray[np.int16]
    propensities: NDArray[np.float64]
    dimension_propensities: NDArray[np.float64]
    explored: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Batch:
    """Matured decisions with their rewards, one row each.

    ``features``: ``(n, q)`` float64 as they were when deciding (NaN: missing). ``actions``:
    ``(n, D)`` int16. ``rewards``: ``(n,)`` float64. ``propensities``: ``(n,)`` float64 in (0, 1].
    """

    features: NDArray[np.float64]
    actions: NDArray[np.int16]
    rewards: NDArray[np.float64]
    propensities: NDArray[np.float64]

    def __post_init__(self) -> None:
        rows = len(self.rewards)
        shapes = (self.features.shape, self.actions.shape, self.propensities.shape)
        if [len(shape) for shape in shapes] != [2, 2, 1] or {s[0] for s in shapes} != {rows}:
            raise BadArray(
                f"A batch of {rows} rewards has features {shapes[0]}, actions {shapes[1]} and "
                f"propensities {shapes[2]}. Allowed: (n, features), (n, dimensions) and (n,) with "
                "the same n."
            )


class Policy(Protocol):
    """What turns context into probabilities, and learns. It never chooses: `draw` does.

    A policy is a value: `update` gives a new one and leaves the old one as it was. The same
    bytes, seed and arrays give the same distribution.
    """

    @property
    def name(self) -> str:
        """What logs and reports call this kind of policy."""
        ...

    def distribution(
        self, features: NDArray[np.float64], eligible: NDArray[np.int64], *, seed: int
    ) -> ActionDistribution:
        """The probabilities for n profiles: features ``(n, q)``, eligible ``(n, D)`` bitmasks."""
        ...

    def update(self, evidence: Batch) -> Policy:
        """A new policy that has also learned from these rows."""
        ...

    def to_bytes(self) -> bytes:
        """Everything the policy is, in a versioned format that runs no code when read."""
        ...

    @classmethod
    def from_bytes(cls, data: bytes) -> Policy:
        """The policy that `to_bytes` wrote; `InvalidInput` for anything else."""
        ...
