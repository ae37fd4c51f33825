"""The learner: a factored model, kept as sums, played by a committee of posterior draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import ClassVar, Protocol, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from opportune.errors import nearest
from opportune.policies.argmax import MAX_COMBINATIONS, Committee, best_actions
from opportune.policies.best import require_moderate
from opportune.policies.committee import committee, drawn
from opportune.policies.contributions import Conclusions, Contributions, conclusions
from opportune.policies.eligible import Eligibility, require_actions, require_eligible
from opportune.policies.encoding import StoredSpace, pack, space_of, stored_space, unpack
from opportune.policies.errors import BadPolicySetting
from opportune.policies.evidence import RewardKind
from opportune.policies.features import Summary, summarise
from opportune.policies.knowledge import Knowledge, nothing_known, refitted
from opportune.policies.layout import Layout, layout
from opportune.policies.memory import (
    Evidence,
    Glance,
    absorbed,
    discounted,
    evidence,
    glance,
    stepped,
)
from opportune.policies.model import ActionDistribution, Batch, Costs
from opportune.policies.moved import moved
from opportune.policies.priced import best_priced_actions
from opportune.policies.rewards import require_features, require_rewards
from opportune.policies.settings import read_settings
from opportune.policies.space import ActionSpace
from opportune.policies.stored import arrays_of, knowledge_of
from opportune.policies.terms import basis, terms_of, unscaled
from opportune.policies.uniform import Uniform

__all__ = ["FactoredThompson"]

MAX_COEFFICIENTS = 2_500
MAX_WITH_STEPS = 1_500
"""Most coefficients with products, and with steps as well; a larger space goes without."""

Floats = NDArray[np.float64]


class Play(Protocol):
    """A policy's probabilities for one seed."""

    def __call__(
        self, features: Floats, eligible: Eligibility, costs: Costs | None = None
    ) -> ActionDistribution:
        """The probabilities for n profiles."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class FactoredThompson:
    """Learns which option suits whom, dimension by dimension with pairs, and explores narrowly.

    ``reward``: "binary" (0 or 1) or "amount" (0 or more: a chance of anything, times a log-normal
    amount). ``draws``: committee size S. ``uniform_share``: share of play that is uniform over
    the eligible combinations. Features are raw, NaN is missing: they are standardised with the
    moments of the first rows seen, then clipped at +-4; products and steps of them are found
    where they matter.

    One machine: `update`. Rows in shards, every sum over all of them: first `prepared(summary)`;
    then for each update `stepped(glance)` and `absorb(evidence)`.

    >>> from opportune.policies import Dimension
    >>> space = ActionSpace(dimensions=(Dimension(name="hour", options=("09", "18")),))
    >>> policy = FactoredThompson(space, 1, reward="binary")
    >>> rows = Batch(
    ...     features=np.zeros((4000, 1)),
    ...     actions=np.tile(np.array([[0], [1]], dtype=np.int16), (2000, 1)),
    ...     rewards=np.tile([0.0, 1.0, 0.0, 0.0], 1000),
    ...     propensities=np.full(4000, 0.5),
    ... )
    >>> after = policy.update(rows)
    >>> after.expected(np.zeros((2, 1)), np.array([[0], [1]], dtype=np.int16)).round(1).tolist()
    [0.0, 0.5]
    """

    name: ClassVar[str] = "factored_thompson"

    space: ActionSpace
    n_features: int
    _: KW_ONLY
    reward: RewardKind
    draws: int = 32
    uniform_share: float = 0.003
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
        require_moderate(self.space, MAX_COMBINATIONS, self.name)

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
        features: Floats,
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        """Each draw's best eligible action at equal weight, and the uniform share.

        Before anything was learned, uniform play.

        Features ``(n, n_features)`` raw. Scores are compared in single precision: the
        probabilities are exact for the committee that resulted. With costs the best action is the
        one of the largest expected reward less costs.
        """
        return self.seeded(seed)(features, eligible, costs)

    def seeded(self, seed: int) -> Play:
        """What `distribution` does with this seed, made ready: its draws are made once."""
        known = self._known()
        shape = self._layout(known)
        draws = drawn(shape, known, draws=self.draws, seed=seed)
        together = draws[0] if draws[1] is None else draws[0] + draws[1]
        return partial(self._play, draws, committee(shape, together))

    def _play(
        self,
        draws: tuple[Floats, Floats | None],
        tables: Committee,
        features: Floats,
        eligible: Eligibility,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        require_eligible(self.space, eligible)
        require_features(features, len(eligible), self.n_features)
        known = self._known()
        if not known.rows:
            # Nothing teaches more than balanced play.
            return Uniform(self.space).distribution(features, eligible, seed=0)
        if costs is not None:
            support = best_priced_actions(self.space, known, draws, features, eligible, costs)
        else:
            support = best_actions(
                self.space,
                tables,
                lambda here: basis(known.terms, features[here]).astype(np.float32),
                eligible,
            )
        weight = np.float64((1.0 - self.uniform_share) / self.draws)
        return ActionDistribution(
            space=self.space,
            support=support,
            weights=np.broadcast_to(weight, (len(eligible), self.draws)),
            uniform_share=self.uniform_share,
            eligible=eligible,
        )

    def expected(self, features: Floats, actions: NDArray[np.int16]) -> Floats:
        """The reward to expect of given actions, at the mean of the memory trusted most.

        Features ``(n, n_features)`` raw, actions ``(n, D)`` -> ``(n,)``: a probability for binary
        rewards, else in the reward's unit.
        """
        return self.conclusions().expected(features, actions)

    def contributions(
        self, features: Floats, actions: NDArray[np.int16], eligible: Eligibility
    ) -> Contributions:
        """Why given actions score as they do, at the mean of the memory trusted most.

        Features ``(n, n_features)`` raw, actions ``(n, D)``.
        """
        return self.conclusions().contributions(features, actions, eligible)

    def conclusions(self) -> Conclusions:
        """What `expected` and `contributions` do, made ready once."""
        known = self._known()
        return conclusions(self.space, self._layout(known), known)

    def update(self, evidence: Batch) -> FactoredThompson:
        """A new policy that has also learned from these rows. Give every row once."""
        policy = self if self.knowledge is not None else self.prepared(self.summary(evidence))
        policy = policy.stepped(policy.glance(evidence))
        return policy.absorb(policy.evidence(evidence))

    def provisional(self, waiting: Batch) -> FactoredThompson:
        """This policy for today's decisions: it has also seen rows whose rewards may still come.

        ``waiting.arrived`` corrects for those. Do not keep it: when all rewards are there, `update`
        this one with them. It plays as that would play now, for two thirds of the work and a
        quarter of the bytes: it has no memory but the one that it plays by.
        """
        if not len(waiting.rewards):
            return self
        policy = self if self.knowledge is not None else self.prepared(self.summary(waiting))
        policy = policy.stepped(policy.glance(waiting))
        return policy._absorbed(policy.evidence(waiting), to_decide=True)

    def summary(self, batch: Batch) -> Summary:
        """Moments of raw features and rewards, for `prepared`. Summaries of shards add."""
        self._require_batch(batch)
        return summarise(batch)

    def prepared(self, summary: Summary) -> FactoredThompson:
        """A new policy that knows the features' scale and kind and the average reward, no more.

        Only before any evidence, `BadPolicySetting` afterwards: the scale is frozen then. A
        summary of no rows changes nothing.
        """
        if self.knowledge is not None and self.knowledge.rows:
            raise BadPolicySetting(
                f"The policy has learned from {self.knowledge.rows:.0f} rows, so its "
                "feature scale is frozen. Prepare a new policy."
            )
        if not summary.rows:
            return replace(self)
        rate = (summary.rewarded + 0.5) / (summary.rows + 1.0)
        blocks = 1 + sum(self.space.sizes)
        terms = terms_of(
            summary,
            most=MAX_COEFFICIENTS // blocks,
            most_with_steps=MAX_WITH_STEPS // blocks,
        )
        known = nothing_known(
            layout(self.space.sizes, terms.kinds),
            terms,
            amount=self.reward == "amount",
            intercept=float(np.log(rate / (1.0 - rate))),
        )
        return replace(self, knowledge=known)

    def glance(self, batch: Batch) -> Glance:
        """A first look at rows, for `stepped`. Glances of shards add."""
        self._require_batch(batch)
        known = self._known()
        return glance(self._layout(known), known, batch)

    def stepped(self, glance: Glance) -> FactoredThompson:
        """A new policy that has not learned the rows, but linearises where they point.

        It also weighs its memories by how well they predicted the rows.
        """
        if not glance.rows:
            return replace(self)
        known = self._known()
        return replace(self, knowledge=stepped(self._layout(known), known, glance))

    def evidence(self, batch: Batch) -> Evidence:
        """What the rows say, linearised at this policy's point. Evidence of shards adds."""
        self._require_batch(batch)
        known = self._known()
        return evidence(self._layout(known), known, batch)

    def absorb(self, evidence: Evidence) -> FactoredThompson:
        """A new policy that also knows this evidence; `MixedEvidence` if it is another's.

        Evidence of no rows changes nothing: an empty day must not narrow the prior.
        """
        return self._absorbed(evidence, to_decide=False)

    def _absorbed(self, evidence: Evidence, *, to_decide: bool) -> FactoredThompson:
        if not evidence.chance.rows:
            return replace(self)
        known = self._known()
        shape = self._layout(known)
        after = refitted(shape, absorbed(shape, known, evidence), to_decide=to_decide)
        return replace(self, knowledge=after)

    def moved(self, space: ActionSpace) -> FactoredThompson:
        """This policy for other options; dimensions and options are known by their names.

        A new option starts from what its dimension's options have in common and is explored. What
        a retired one taught of the others stays.
        """
        if self.knowledge is None or space == self.space:
            return replace(self, space=space)
        return replace(self, space=space, knowledge=moved(self.knowledge, self.space, space))

    def discounted(self, share: float) -> FactoredThompson:
        """This policy as if it had seen ``share`` (0 to 1) of every row: for a warm start.

        Logged rows of another time or system say something, but less than own ones. If the first
        own rows contradict them, the memory is cut as after any change.
        """
        if not 0.0 <= share <= 1.0:
            raise BadPolicySetting(f"A share of {share} was given; allowed is 0 to 1.")
        if self.knowledge is None:
            return replace(self)
        known = self.knowledge
        return replace(self, knowledge=refitted(self._layout(known), discounted(known, share)))

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
        known = knowledge_of(
            arrays, policy.space, n_features=stored.n_features, amount=stored.reward == "amount"
        )
        return replace(policy, knowledge=known)

    def _layout(self, known: Knowledge) -> Layout:
        return layout(self.space.sizes, known.terms.kinds)

    def _known(self) -> Knowledge:
        if self.knowledge is not None:
            return self.knowledge
        terms = unscaled(self.n_features)
        shape = layout(self.space.sizes, terms.kinds)
        return nothing_known(shape, terms, amount=self.reward == "amount", intercept=0.0)

    def _require_batch(self, batch: Batch) -> None:
        require_features(batch.features, len(batch.rewards), self.n_features)
        require_actions(self.space, batch.actions)
        require_rewards(batch.rewards, self.reward, least=0.0)


class _Stored(msgspec.Struct, forbid_unknown_fields=True):
    space: StoredSpace
    n_features: int
    reward: RewardKind
    draws: int
    uniform_share: float


class _Settings(msgspec.Struct, frozen=True):
    """What a use case may set.

    Parameters
    ----------
    draws:
        Draws of the committee; each has a vote of the same weight.
    uniform_share:
        Share of play that is uniform over the eligible combinations.
    """

    draws: int = 32
    uniform_share: float = 0.003
