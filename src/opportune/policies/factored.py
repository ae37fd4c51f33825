"""The learner: a factored model, kept as sums, played by a committee of posterior draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from types import MappingProxyType
from typing import ClassVar, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.errors import nearest
from opportune.policies.argmax import MAX_COMBINATIONS, Committee, best_actions
from opportune.policies.eligible import Eligibility, require_actions, require_eligible
from opportune.policies.encoding import StoredSpace, pack, space_of, stored_space, unpack
from opportune.policies.errors import BadArray, BadPolicySetting, WrongReward
from opportune.policies.evidence import Evidence, RewardKind, gather, grouped, sigmoid
from opportune.policies.features import Summary, basis, scale_of, summarise
from opportune.policies.knowledge import (
    Knowledge,
    arrays_of,
    knowledge_of,
    nothing_known,
    unscaled,
)
from opportune.policies.layout import Layout, fold, indices, layout
from opportune.policies.model import ActionDistribution, Batch, Costs
from opportune.policies.posterior import committee, fit, mode
from opportune.policies.settings import read_settings
from opportune.policies.space import ActionSpace

__all__ = ["FactoredThompson"]


@dataclass(frozen=True, slots=True, eq=False)
class FactoredThompson:
    """Learns which option suits whom, dimension by dimension with pairs, and explores narrowly.

    ``reward``: "binary" (0 or 1, logistic model) or "amount" (any number, linear model with
    estimated residual variance). ``draws``: committee size S. ``uniform_share``: share of play
    that is uniform over the eligible combinations. Features are raw, NaN is missing: they are
    standardised with the moments of the first rows seen, then clipped at +-4.

    One machine: `update`. Rows in shards, every sum over all of them: first `prepared(summary)`;
    then for each update `stepped(evidence)` (binary only) and `absorb(evidence)`.

    >>> from opportune.policies import Dimension
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
    >>> policy = FactoredThompson(space, 1, reward="binary")
    >>> rows = Batch(
    ...     features=np.zeros((400, 1)),
    ...     actions=np.tile(np.array([[0], [1]], dtype=np.int16), (200, 1)),
    ...     rewards=np.tile([0.0, 1.0, 0.0, 0.0], 100),
    ...     propensities=np.full(400, 0.5),
    ... )
    >>> after = policy.update(rows)
    >>> after.expected(np.zeros((2, 1)), np.array([[0], [1]], dtype=np.int16)).round(2).tolist()
    [0.04, 0.5]
    """

    name: ClassVar[str] = "factored_thompson"

    space: ActionSpace
    n_features: int
    _: KW_ONLY
    reward: RewardKind
    draws: int = 32
    uniform_share: float = 0.01
    knowledge: Knowledge | None = None

    def __post_init__(self) -> None:
        kinds = get_args(RewardKind)
        if self.reward not in kinds:
            raise BadPolicySetting(
                f"The reward kind '{self.reward}' is unknown. {nearest(self.reward, kinds)}"
            )
        if self.draws < 1 or not 0.0 <= self.uniform_share <= 1.0 or self.n_features < 0:
            raise BadPolicySetting(
                f"draws={self.draws}, uniform_share={self.uniform_share}, n_features="
                f"{self.n_features} were given; allowed are draws >= 1, 0 <= uniform_share <= 1 "
                "and n_features >= 0."
            )
        if self.space.combinations > MAX_COMBINATIONS:
            raise BadPolicySetting(
                f"The space has {self.space.combinations} combinations; this policy keeps a "
                f"table of them, up to {MAX_COMBINATIONS}. Drop options or a dimension."
            )

    @classmethod
    def start(
        cls,
        space: ActionSpace,
        *,
        features: int,
        reward: RewardKind,
        settings: Mapping[str, object] = MappingProxyType({}),
    ) -> FactoredThompson:
        """A learner of this space and reward that has seen nothing."""
        given = read_settings(cls.name, _Settings, settings)
        return cls(
            space,
            features,
            reward=reward,
            draws=given.draws,
            uniform_share=given.uniform_share,
        )

    def distribution(
        self,
        features: NDArray[np.float64],
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        """Each draw's best eligible action at equal weight, and the uniform share.

        Features ``(n, n_features)`` raw. Scores are compared in
        single precision: the probabilities are exact for the committee that resulted.
        """
        require_eligible(self.space, eligible)
        self._require_features(features, len(eligible))
        shape, known = self._layout(), self._known()
        drawn = committee(shape, known.total, known.fitted, draws=self.draws, seed=seed)
        grid = basis(known.total.scale, features)
        weight = np.float64((1.0 - self.uniform_share) / self.draws)
        return ActionDistribution(
            space=self.space,
            support=best_actions(
                self.space,
                _members(shape, drawn),
                lambda rows: grid[rows].astype(np.float32),
                eligible,
            ),
            weights=np.broadcast_to(weight, (len(eligible), self.draws)),
            uniform_share=self.uniform_share,
            eligible=eligible,
        )

    def expected(
        self, features: NDArray[np.float64], actions: NDArray[np.int16]
    ) -> NDArray[np.float64]:
        """The reward to expect of given actions, at the posterior mean of the coefficients.

        Features ``(n, n_features)`` raw, actions ``(n, D)`` -> ``(n,)``: a probability for binary
        rewards, else in the reward's unit.
        """
        self._require_features(features, len(actions))
        require_actions(self.space, actions)
        shape, known = self._layout(), self._known()
        order, present, slices = grouped(shape, actions)
        folded = fold(shape, known.fitted.mean, indices(shape, present))
        grid = basis(known.total.scale, features)
        eta = np.empty(len(actions))
        for vector, here in zip(folded, slices, strict=True):
            eta[order[here]] = grid[order[here]] @ vector
        return sigmoid(eta) if self.reward == "binary" else eta

    def update(self, evidence: Batch) -> FactoredThompson:
        """A new policy that has also learned from these rows. Give every row once."""
        policy = self if self.knowledge is not None else self.prepared(self.summary(evidence))
        if self.reward == "binary":
            # A linear model is exact after one step, a logistic one near enough after two.
            policy = policy.stepped(policy.evidence(evidence))
        return policy.absorb(policy.evidence(evidence))

    def summary(self, batch: Batch) -> Summary:
        """Moments of raw features and rewards, for `prepared`. Summaries of shards add."""
        self._require_batch(batch)
        return summarise(batch)

    def prepared(self, summary: Summary) -> FactoredThompson:
        """A new policy that knows the scale of the features and the average reward, no more.

        Only before any evidence, `BadPolicySetting` afterwards: the scale is frozen then. A
        summary of no rows changes nothing.
        """
        if self.knowledge is not None and self.knowledge.total.rows:
            raise BadPolicySetting(
                f"The policy has learned from {self.knowledge.total.rows:.0f} rows, so its "
                "feature scale is frozen. Prepare a new policy."
            )
        if not summary.rows:
            return replace(self)
        rate = (summary.rewards + 0.5) / (summary.rows + 1.0)
        intercept = float(np.log(rate / (1.0 - rate))) if self.reward == "binary" else 0.0
        known = nothing_known(
            self._layout(), scale_of(summary), reward=self.reward, intercept=intercept
        )
        return replace(self, knowledge=known)

    def evidence(self, batch: Batch) -> Evidence:
        """What the rows say, linearised at this policy's mean. Evidence of shards adds."""
        self._require_batch(batch)
        known = self._known()
        return gather(
            self._layout(), known.total.scale, known.fitted.mean, batch, reward=self.reward
        )

    def stepped(self, evidence: Evidence) -> FactoredThompson:
        """A new policy that has not absorbed the evidence, but linearises where it points."""
        if not evidence.rows:
            return replace(self)
        known = self._known()
        mean = mode(self._layout(), known.total + evidence, known.fitted.variances)
        return replace(self, knowledge=replace(known, fitted=replace(known.fitted, mean=mean)))

    def absorb(self, evidence: Evidence) -> FactoredThompson:
        """A new policy that also knows this evidence; `MixedEvidence` if it is another's.

        Evidence of no rows changes nothing: an empty day must not narrow the prior.
        """
        known = self._known()
        total = known.total + evidence
        if not evidence.rows:
            return replace(self)
        fitted = fit(self._layout(), total, known.fitted.variances, reward=self.reward)
        return replace(self, knowledge=Knowledge(total=total, fitted=fitted))

    def to_bytes(self) -> bytes:
        """Settings, sums and conclusions, as in `encoding`."""
        settings = _Stored(
            space=stored_space(self.space),
            n_features=self.n_features,
            reward=self.reward,
            draws=self.draws,
            uniform_share=self.uniform_share,
        )
        arrays = arrays_of(self.knowledge) if self.knowledge is not None else {}
        return pack(self.name, settings, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> FactoredThompson:
        """The policy that `to_bytes` wrote; `UnreadablePolicy` for anything else."""
        stored, arrays = unpack(data, cls.name, _Stored)
        policy = cls(
            space_of(stored.space),
            stored.n_features,
            reward=stored.reward,
            draws=stored.draws,
            uniform_share=stored.uniform_share,
        )
        if not arrays:
            return policy
        return replace(policy, knowledge=knowledge_of(arrays, like=policy._known()))

    def _layout(self) -> Layout:
        return layout(self.space.sizes, self.n_features)

    def _known(self) -> Knowledge:
        if self.knowledge is not None:
            return self.knowledge
        return nothing_known(self._layout(), unscaled(self.n_features), reward=self.reward)

    def _require_features(self, features: NDArray[np.float64], rows: int) -> None:
        if features.shape != (rows, self.n_features):
            raise BadArray(
                f"Features have shape {features.shape}; allowed is ({rows}, {self.n_features}): "
                "one row per profile, one column per feature the policy was built for."
            )

    def _require_batch(self, batch: Batch) -> None:
        self._require_features(batch.features, len(batch.rewards))
        require_actions(self.space, batch.actions)
        if self.reward == "binary":
            wrong, allowed = (batch.rewards != 0) & (batch.rewards != 1), "0 and 1"
        else:
            wrong, allowed = ~np.isfinite(batch.rewards), "finite numbers"
        if wrong.any():
            raise WrongReward(
                f"{wrong.sum()} of {len(wrong)} rewards are not of the kind '{self.reward}'; the "
                f"first is {batch.rewards[wrong][0]}. Allowed are {allowed}. Correct the rewards, "
                "or build a policy of the other kind."
            )


def _members(shape: Layout, drawn: NDArray[np.float64]) -> Committee:
    own = drawn[:, shape.width : shape.width * (1 + shape.options)].astype(np.float32)
    unary = own.reshape(len(drawn), shape.options, shape.width).transpose(2, 0, 1)
    pairs = []
    for d, e, start in shape.pairs:
        sizes = (shape.sizes[d], shape.sizes[e])
        table = drawn[:, start : start + sizes[0] * sizes[1]].astype(np.float32)
        pairs.append((d, e, table.reshape(-1, *sizes)))
    return Committee(unary=unary, pairs=tuple(pairs))


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    space: StoredSpace
    n_features: int
    reward: RewardKind
    draws: int
    uniform_share: float


class _Settings(msgspec.Struct):
    draws: int = 32
    uniform_share: float = 0.01
