"""A policy that weighs costs, small enough to see through."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune import policies

DRAWS = 4


@dataclass(frozen=True)
class Frugal:
    """Worth of an action: a table for each option times what is known of the profile, and noise.

    ``worth``: one array ``(K_d, q)`` per dimension. Of 4 draws of noise, each plays its best
    eligible action net of costs; 4 percent of play is uniform.
    """

    space: policies.ActionSpace
    worth: tuple[NDArray[np.float64], ...]

    name = "frugal"

    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: policies.Eligibility,
        *,
        seed: int,
        costs: policies.Costs | None = None,
    ) -> policies.ActionDistribution:
        policies.require_eligible(self.space, eligible)
        grid = self.space.actions()
        net = sum(features @ table[grid[:, d]].T for d, table in enumerate(self.worth))
        if costs is not None:
            paid = zip(costs.sent, costs.rewarded, strict=True)
            net = net - sum((a + b)[grid[:, d]] for d, (a, b) in enumerate(paid))
        net = np.where(_allowed(self.space, eligible), net, -np.inf)
        noise = np.random.default_rng(seed % 2**32).normal(0, 0.3, (DRAWS, len(grid)))
        support = np.stack([grid[(net + each).argmax(axis=1)] for each in noise], axis=1)
        return policies.ActionDistribution(
            space=self.space,
            support=support,
            weights=np.full((len(eligible), DRAWS), 0.96 / DRAWS),
            uniform_share=0.04,
            eligible=eligible,
        )

    def update(self, evidence: policies.Batch) -> Frugal:
        return self

    def to_bytes(self) -> bytes:
        return b""

    @classmethod
    def from_bytes(cls, data: bytes) -> Frugal:
        raise ValueError(f"{len(data)} bytes given: this policy is not kept.")


def _allowed(space: policies.ActionSpace, eligible: policies.Eligibility) -> NDArray[np.bool_]:
    grid = space.actions()
    columns = [
        eligible.allows(space, np.broadcast_to(action, (len(eligible), len(action))))
        for action in grid
    ]
    return np.stack(columns, axis=1)
