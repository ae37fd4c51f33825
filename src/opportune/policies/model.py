"""The nouns of the room: how likely each choice is, what was chosen, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import Eligibility
from opportune.policies.errors import BadArray
from opportune.policies.space import ActionSpace

__all__ = ["ActionDistribution", "Batch", "Costs", "Draw", "LearnsEarly", "Policy"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Costs:
    """What options cost, in the unit of the reward: one array ``(K_d,)`` per dimension each.

    ``sent``: due whenever the option is played (a printed letter, a gift). ``rewarded``: due only
    when the reward comes (a coupon that is redeemed). An action costs the sum over its options. A
    shadow price (Lagrange multiplier) of a budget is worked in by multiplying.
    """

    sent: tuple[NDArray[np.float64], ...]
    rewarded: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActionDistribution:
    """How likely each action is for each profile: exact and sparse.

    A mixture of S candidate actions per profile and, for the rest, uniform play over the
    eligible combinations. Never a full matrix of combinations.

    ``space``: what the indices mean. ``support``: ``(n, S, D)`` int16 option indices of the
    candidates; an action may repeat, then its weights add. ``weights``: ``(n, S)`` float64, each
    row sums to ``1 - uniform_share``. ``uniform_share``: 0 to 1. ``eligible``: who may get what.
    """

    space: ActionSpace
    support: NDArray[np.int16]
    weights: NDArray[np.float64]
    uniform_share: float
    eligible: Eligibility


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
    ``arrived``: ``(n,)`` in (0, 1], of rows as old as this one the share of all rewards that have
    come by now; None where all have.
    """

    features: NDArray[np.float64]
    actions: NDArray[np.int16]
    rewards: NDArray[np.float64]
    propensities: NDArray[np.float64]
    arrived: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        rows = len(self.rewards)
        if self.arrived is not None and not (
            self.arrived.shape == (rows,) and ((self.arrived > 0) & (self.arrived <= 1)).all()
        ):
            raise BadArray(
                f"Shares of rewards that have arrived were given for a batch of {rows} rows. "
                "Allowed: one for each row, above 0 and at most 1."
            )
        shapes = (self.features.shape, self.actions.shape, self.propensities.shape)
        if [len(shape) for shape in shapes] != [2, 2, 1] or {s[0] for s in shapes} != {rows}:
            raise BadArray(
                f"A batch of {rows} rewards has features {shapes[0]}, actions {shapes[1]} and "
                f"propensities {shapes[2]}. Allowed: (n, features), (n, dimensions) and (n,) with "
                "the same n."
            )

    def take(self, rows: slice | NDArray[np.bool_] | NDArray[np.int64]) -> Batch:
        """Some of the rows."""
        return Batch(
            features=self.features[rows],
            actions=self.actions[rows],
            rewards=self.rewards[rows],
            propensities=self.propensities[rows],
            arrived=None if self.arrived is None else self.arrived[rows],
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
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        """The probabilities for n profiles: features ``(n, q)``.

        A policy that learns weighs the reward it expects against ``costs``; others ignore them.
        """
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


@runtime_checkable
class LearnsEarly(Policy, Protocol):
    """A policy that need not be blind until rewards are complete."""

    def provisional(self, waiting: Batch) -> Policy:
        """This policy for today: it has also seen rows whose rewards may still come.

        ``waiting.arrived`` says how many of them have. It is not kept: when all rewards are there,
        this one learns them.
        """
        ...
