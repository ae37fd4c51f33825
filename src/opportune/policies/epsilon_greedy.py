"""The honest baseline: play what a linear model expects most of, and now and then anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.policies.best import best_of, charges, require_moderate
from opportune.policies.eligible import Eligibility, require_actions, require_eligible
from opportune.policies.encoding import StoredSpace, pack, space_of, stored_space, unpack
from opportune.policies.errors import BadPolicySetting, UnreadablePolicy
from opportune.policies.evidence import RewardKind
from opportune.policies.model import ActionDistribution, Batch, Costs
from opportune.policies.rewards import require_complete, require_features, require_rewards
from opportune.policies.ridge import (
    Model,
    Scale,
    Sums,
    fit,
    gather,
    scale_from,
    standardised,
    width,
)
from opportune.policies.settings import read_settings
from opportune.policies.space import ActionSpace

__all__ = ["EpsilonGreedy"]

MAX_COMBINATIONS = 20_000
"""Beyond this, scoring every combination of every profile is the wrong method."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class EpsilonGreedy:
    """The action with the highest expected reward; a share of ``epsilon`` is uniform play.

    The mean reward is a ridge regression on features, options, features x options and pairs of
    options; binary rewards as well, as a linear probability model. Every coefficient but the
    intercept is drawn to 0 as if by ``shrinkage`` further rows. It knows no doubt: what looked bad
    early is only tried again by the uniform part. Evidence adds. Costs are taken off the expected
    reward: ``sent`` as they are, ``rewarded`` times the modelled chance of a reward.

    >>> from opportune.policies import Dimension, everything
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
    >>> rows = Batch(
    ...     features=np.zeros((400, 0)),
    ...     actions=np.tile(np.array([[0], [1]], dtype=np.int16), (200, 1)),
    ...     rewards=np.tile([0.0, 1.0, 0.0, 0.0], 100),
    ...     propensities=np.full(400, 0.5),
    ... )
    >>> learned = EpsilonGreedy(space, 0, reward="binary").update(rows)
    >>> learned.distribution(np.zeros((1, 0)), everything(space, 1), seed=1).support.tolist()
    [[[1]]]
    """

    name: ClassVar[str] = "epsilon_greedy"

    space: ActionSpace
    n_features: int
    _: KW_ONLY
    reward: RewardKind
    epsilon: float = 0.05
    shrinkage: float = 50.0
    sums: Sums | None = None
    model: Model | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.epsilon <= 1.0 or not self.shrinkage > 0.0:
            raise BadPolicySetting(
                f"epsilon={self.epsilon} and shrinkage={self.shrinkage} were given; allowed are "
                "0 <= epsilon <= 1 and shrinkage > 0."
            )
        require_moderate(self.space, MAX_COMBINATIONS, self.name)

    @classmethod
    def start(
        cls,
        space: ActionSpace,
        *,
        features: int,
        reward: RewardKind,
        settings: Mapping[str, object] = MappingProxyType({}),
    ) -> EpsilonGreedy:
        """A learner of this space and reward that has seen nothing."""
        given = read_settings(cls.name, _Settings, settings)
        return cls(space, features, reward=reward, epsilon=given.epsilon, shrinkage=given.shrinkage)

    def distribution(
        self,
        features: Floats,
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        """Before any rows, uniform play. The seed changes nothing."""
        require_eligible(self.space, eligible)
        require_features(features, len(eligible), self.n_features)
        greedy = 1 if self.model is not None else 0
        share = self.epsilon if greedy else 1.0
        support = np.empty((len(eligible), greedy, len(self.space.sizes)), dtype=np.int16)
        if self.model is not None:
            support[:, 0] = self._best(self.model, features, eligible, costs)
        return ActionDistribution(
            space=self.space,
            support=support,
            weights=np.broadcast_to(np.float64(1.0 - share), (len(eligible), greedy)),
            uniform_share=share,
            eligible=eligible,
        )

    def expected(self, features: Floats, actions: NDArray[np.int16]) -> Floats:
        """The mean reward of given actions ``(n, D)``: ``(n,)``, 0 before any rows."""
        require_features(features, len(actions), self.n_features)
        require_actions(self.space, actions)
        if self.model is None:
            return np.zeros(len(actions))
        x = standardised(self.model.scale, features)
        found = (x * self.model.reward[self.space.codes(actions)]).sum(axis=1)
        return np.asarray(np.clip(found, 0.0, 1.0) if self.reward == "binary" else found)

    def update(self, evidence: Batch) -> EpsilonGreedy:
        """A new policy that has also learned from these rows; the first ones set the scale."""
        return self.absorb(self.evidence(evidence)) if len(evidence.rewards) else replace(self)

    def evidence(self, batch: Batch) -> Sums:
        """What the rows say. After a first update the evidence of shards adds."""
        require_features(batch.features, len(batch.rewards), self.n_features)
        require_actions(self.space, batch.actions)
        require_rewards(batch.rewards, self.reward)
        require_complete(batch, self.name)
        if self.sums is None:
            return gather(self.space, scale_from(batch.features), batch)
        scale = Scale(center=self.sums.center, spread=self.sums.spread)
        return gather(self.space, scale, batch)

    def absorb(self, evidence: Sums) -> EpsilonGreedy:
        """A new policy that also knows this evidence; `MixedEvidence` if it is another's."""
        sums = evidence if self.sums is None else self.sums + evidence
        return replace(self, sums=sums, model=fit(self.space, sums, self.shrinkage))

    def to_bytes(self) -> bytes:
        """Settings and sums, as in `encoding`."""
        settings = _Stored(
            space=stored_space(self.space),
            n_features=self.n_features,
            reward=self.reward,
            epsilon=self.epsilon,
            shrinkage=self.shrinkage,
        )
        return pack(self.name, settings, self.sums.arrays() if self.sums is not None else {})

    @classmethod
    def from_bytes(cls, data: bytes) -> EpsilonGreedy:
        """The policy that `to_bytes` wrote; `UnreadablePolicy` for anything else."""
        stored, arrays = unpack(data, cls.name, _Stored)
        policy = cls(
            space_of(stored.space),
            stored.n_features,
            reward=stored.reward,
            epsilon=stored.epsilon,
            shrinkage=stored.shrinkage,
        )
        if not arrays:
            return policy
        size, features = width(policy.space, stored.n_features + 1), (stored.n_features,)
        expected = {
            "center": features,
            "spread": features,
            "products": (size, size),
            "rewards": (size,),
            "rewarded": (size,),
        }
        found = {name: array.shape for name, array in arrays.items()}
        if found != expected:
            raise UnreadablePolicy(
                f"The policy's arrays have shapes {found}; its dimensions and features need "
                f"{expected}. Train a new policy."
            )
        return policy.absorb(Sums(**arrays))

    def _best(
        self, model: Model, features: Floats, eligible: Eligibility, costs: Costs | None
    ) -> NDArray[np.int16]:
        x = standardised(model.scale, features)
        if costs is None:
            return best_of(self.space, eligible, lambda here: x[here] @ model.reward.T)
        sent, rewarded = charges(self.space, costs)

        def score(here: slice) -> Floats:
            chance = np.clip(x[here] @ model.rewarded.T, 0.0, 1.0)
            return np.asarray(x[here] @ model.reward.T - sent - rewarded * chance)

        return best_of(self.space, eligible, score)


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    space: StoredSpace
    n_features: int
    reward: RewardKind
    epsilon: float
    shrinkage: float


class _Settings(msgspec.Struct):
    """What a use case may set.

    Parameters
    ----------
    epsilon:
        Share of play that is uniform over the eligible combinations.
    shrinkage:
        Rows that speak for "no difference" in every coefficient of the model.
    """

    epsilon: float = 0.05
    shrinkage: float = 50.0
