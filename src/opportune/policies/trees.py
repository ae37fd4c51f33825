"""Boosted trees: a T-learner over options, played by a committee of bootstraps."""

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
from opportune.policies.forest import Forest, Growth, Rows, grow, require_lightgbm, unary
from opportune.policies.model import ActionDistribution, Batch, Costs
from opportune.policies.rewards import require_complete, require_features, require_rewards
from opportune.policies.settings import read_settings
from opportune.policies.space import ActionSpace

__all__ = ["Trees"]

MAX_COMBINATIONS = 20_000
"""Beyond this, scoring every combination of every profile is the wrong method."""

Floats = NDArray[np.float64]


class _Settings(msgspec.Struct, frozen=True):
    """What a use case may set.

    Parameters
    ----------
    members:
        Bootstraps; each has a vote of the same weight.
    uniform_share:
        Share of play that is uniform over the eligible combinations.
    trees:
        Trees per option and member.
    leaves:
        Most leaves of a tree.
    rate:
        How far each tree goes: the learning rate.
    memory:
        Rows that are kept, the newest. Trees are grown anew from them at each update.
    """

    members: int = 10
    uniform_share: float = 0.02
    trees: int = 40
    leaves: int = 4
    rate: float = 0.1
    memory: int = 100_000


_DEFAULTS = _Settings()


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """LightGBM for every option, one dimension on top of the other; needs the extra ``trees``.

    With one dimension this is a T-learner: separate trees for each option. With several, the
    trees of an option explain what the dimensions before it do not, so effects add over
    dimensions (log-odds for binary rewards) and pairs of options are not told apart. Each member
    of the committee has its own bootstrap of the rows; its best action gets its share of the play,
    so propensities are exact. Evidence does not add: the newest ``memory`` rows are kept, inside
    the stored policy too. Costs are taken off the expected reward: ``sent`` as they are,
    ``rewarded`` times the chance of a reward, which for amounts is the expected amount divided by
    the average amount of a rewarded row.
    """

    name: ClassVar[str] = "trees"

    space: ActionSpace
    n_features: int
    _: KW_ONLY
    reward: RewardKind
    settings: _Settings = _DEFAULTS
    rows: Rows | None = None
    forests: tuple[Forest, ...] = ()

    def __post_init__(self) -> None:
        given = self.settings
        least = min(given.members, given.trees, given.memory)
        if least < 1 or given.leaves < 2 or not given.rate > 0 or not 0 <= given.uniform_share <= 1:
            raise BadPolicySetting(
                f"{given} was given; allowed are members, trees and memory >= 1, leaves >= 2, "
                "rate > 0 and 0 <= uniform_share <= 1."
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
    ) -> Trees:
        """A learner of this space and reward that has seen nothing."""
        require_lightgbm()
        given = read_settings(cls.name, _Settings, settings)
        return cls(space, features, reward=reward, settings=given)

    def distribution(
        self,
        features: Floats,
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        """Each member's best eligible action. Before any rows, uniform play; no use of the seed."""
        require_eligible(self.space, eligible)
        require_features(features, len(eligible), self.n_features)
        members = len(self.forests)
        share = self.settings.uniform_share if members else 1.0
        support = np.empty((len(eligible), members, len(self.space.sizes)), dtype=np.int16)
        charge = charges(self.space, costs) if costs is not None else None
        for place, forest in enumerate(self.forests):
            support[:, place] = self._best(forest, features, eligible, charge)
        weight = np.float64((1.0 - share) / max(members, 1))
        return ActionDistribution(
            space=self.space,
            support=support,
            weights=np.broadcast_to(weight, (len(eligible), members)),
            uniform_share=share,
            eligible=eligible,
        )

    def expected(self, features: Floats, actions: NDArray[np.int16]) -> Floats:
        """The mean reward of given actions ``(n, D)`` over the members: ``(n,)``."""
        require_features(features, len(actions), self.n_features)
        require_actions(self.space, actions)
        total = np.zeros(len(actions))
        options = actions + _starts(self.space)
        for forest in self.forests:
            score = np.take_along_axis(unary(forest, features), options, axis=1).sum(axis=1)
            total += self._reward(forest.base + score)
        return total / max(len(self.forests), 1)

    def update(self, evidence: Batch) -> Trees:
        """A new policy, grown from the newest rows: those kept and these."""
        require_features(evidence.features, len(evidence.rewards), self.n_features)
        require_actions(self.space, evidence.actions)
        require_rewards(evidence.rewards, self.reward)
        require_complete(evidence, self.name)
        if not len(evidence.rewards):
            return replace(self)
        rows = _newest(self.rows, evidence, self.settings.memory)
        given = self.settings
        growth = Growth(trees=given.trees, leaves=given.leaves, rate=given.rate)
        forests = tuple(
            grow(self.space, rows, member=member, reward=self.reward, growth=growth)
            for member in range(given.members)
        )
        return replace(self, rows=rows, forests=forests)

    def to_bytes(self) -> bytes:
        """Settings, kept rows, and trees in LightGBM's text format, as in `encoding`."""
        stored = _Stored(
            space=stored_space(self.space),
            n_features=self.n_features,
            reward=self.reward,
            settings=self.settings,
            first=self.rows.first if self.rows else 0,
            texts=tuple(forest.texts for forest in self.forests),
        )
        if self.rows is None:
            return pack(self.name, stored, {})
        arrays = {
            "features": self.rows.features,
            "actions": self.rows.actions.astype(np.float64),
            "rewards": self.rows.rewards,
            "bases": np.array([forest.base for forest in self.forests]),
            "shifts": np.stack([forest.shifts for forest in self.forests]),
        }
        return pack(self.name, stored, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Trees:
        """The policy that `to_bytes` wrote; `UnreadablePolicy` for anything else."""
        stored, arrays = unpack(data, cls.name, _Stored)
        space = space_of(stored.space)
        policy = cls(space, stored.n_features, reward=stored.reward, settings=stored.settings)
        if not arrays:
            return policy
        _require_arrays(arrays, stored, space)
        rows = Rows(
            features=arrays["features"],
            actions=arrays["actions"].astype(np.int16),
            rewards=arrays["rewards"],
            first=stored.first,
        )
        known = zip(arrays["bases"].tolist(), arrays["shifts"], stored.texts, strict=True)
        forests = tuple(
            Forest(base=base, shifts=shifts, texts=texts) for base, shifts, texts in known
        )
        return replace(policy, rows=rows, forests=forests)

    def _best(
        self,
        forest: Forest,
        features: Floats,
        eligible: Eligibility,
        charge: tuple[Floats, Floats] | None,
    ) -> NDArray[np.int16]:
        options = unary(forest, features)
        columns = (self.space.actions() + _starts(self.space)).T
        per_reward = self._average_reward()

        def score(here: slice) -> Floats:
            total = np.full((len(options[here]), columns.shape[1]), forest.base)
            for column in columns:
                total += options[here][:, column]
            if charge is None:
                return total
            sent, rewarded = charge
            expected = self._reward(total)
            return np.asarray(expected - sent - rewarded * np.clip(expected / per_reward, 0, 1))

        return best_of(self.space, eligible, score)

    def _reward(self, score: Floats) -> Floats:
        if self.reward == "amount":
            return score
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(score, -30.0, 30.0))))

    def _average_reward(self) -> float:
        """What a rewarded row brings on average; 1 for binary rewards."""
        if self.reward == "binary" or self.rows is None:
            return 1.0
        rewarded = self.rows.rewards[self.rows.rewards > 0]
        return float(rewarded.mean()) if len(rewarded) else 1.0


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    space: StoredSpace
    n_features: int
    reward: RewardKind
    settings: _Settings
    first: int
    texts: tuple[tuple[str, ...], ...]


def _starts(space: ActionSpace) -> NDArray[np.int64]:
    return np.cumsum([0, *space.sizes])[:-1]


def _newest(rows: Rows | None, batch: Batch, memory: int) -> Rows:
    if rows is None:
        features, actions, rewards, first = batch.features, batch.actions, batch.rewards, 0
    else:
        features = np.concatenate([rows.features, batch.features])
        actions = np.concatenate([rows.actions, batch.actions])
        rewards = np.concatenate([rows.rewards, batch.rewards])
        first = rows.first
    drop = max(0, len(rewards) - memory)
    return Rows(
        features=features[drop:],
        actions=actions[drop:].astype(np.int16),
        rewards=rewards[drop:],
        first=first + drop,
    )


def _require_arrays(arrays: Mapping[str, Floats], stored: _Stored, space: ActionSpace) -> None:
    rows = len(arrays.get("rewards", ()))
    members, options = stored.settings.members, sum(space.sizes)
    expected = {
        "features": (rows, stored.n_features),
        "actions": (rows, len(space.sizes)),
        "rewards": (rows,),
        "bases": (members,),
        "shifts": (members, options),
    }
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected or [len(texts) for texts in stored.texts] != [options] * members:
        raise UnreadablePolicy(
            f"The policy's arrays have shapes {found}; its dimensions, features and members need "
            f"{expected}, and trees for {options} options each. Train a new policy."
        )
