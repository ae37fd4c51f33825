"""What an action is worth and why: the score of the model, taken apart without a remainder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import Eligibility, require_actions, require_eligible
from opportune.policies.evidence import sigmoid
from opportune.policies.knowledge import Knowledge
from opportune.policies.layout import Layout
from opportune.policies.rewards import require_features
from opportune.policies.space import ActionSpace
from opportune.policies.terms import Terms, basis

__all__ = ["Conclusions", "Contributions", "Explaining", "conclusions"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contributions:
    """What makes actions better or worse than the average of what each profile may get.

    A score is the log-odds of a reward; where rewards are amounts, plus the log of the amount. The
    average is over all combinations of the profile's eligible options, each counted once, forbidden
    combinations as well.

    ``options``: ``(n, D)`` what each chosen option is worth to everybody. ``features``: ``(n, D,
    n_features)`` what each feature of the profile adds to that; of a product of two features each
    has half. ``pairs``: ``(n, P)`` what two options are worth together, ``(0, 1), (0, 2), ...``.
    """

    options: Floats
    features: Floats
    pairs: Floats

    @property
    def total(self) -> Floats:
        """The score less the average score: the sum of all others, ``(n,)``."""
        by_feature = self.features.sum(axis=(1, 2))
        return np.asarray(self.options.sum(axis=1) + by_feature + self.pairs.sum(axis=1))


@runtime_checkable
class Explaining(Protocol):
    """A policy that can say why an action scores as it does."""

    def contributions(
        self, features: Floats, actions: NDArray[np.int16], eligible: Eligibility
    ) -> Contributions:
        """Take the scores of actions ``(n, D)`` apart; features ``(n, n_features)`` raw."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conclusions:
    """What a factored policy expects of actions and why, ready for whoever asks often.

    ``vectors``: ``(M, p)`` the coefficients of the chance, and of the amount where there is one;
    ``noise`` is then the variance of its logarithm. ``mean``: ``(p,)`` their sum. ``owners``:
    ``(q, 2)`` whose each term is, see `rows.Model`.
    """

    space: ActionSpace
    shape: Layout
    terms: Terms
    vectors: Floats
    mean: Floats
    noise: float | None
    owners: Ints

    def expected(self, features: Floats, actions: NDArray[np.int16]) -> Floats:
        """The reward to expect of given actions ``(n, D)``; features ``(n, n_features)`` raw."""
        from opportune.policies import rows

        self._require(features, actions)
        shape, grid = self.shape, basis(self.terms, features)
        eta = np.empty((len(self.vectors), len(grid)))
        rows.expect(grid, _wide(actions), self.vectors, shape.offsets, shape.cells, eta)
        value = sigmoid(eta[0])
        if self.noise is not None:
            # The mean of a log-normal amount.
            value *= np.exp(eta[1] + self.noise / 2.0)
        return value

    def contributions(
        self, features: Floats, actions: NDArray[np.int16], eligible: Eligibility
    ) -> Contributions:
        """Why given actions ``(n, D)`` score as they do; features ``(n, n_features)`` raw."""
        from opportune.policies import rows

        require_eligible(self.space, eligible)
        self._require(features, actions)
        shape, count = self.shape, len(actions)
        apart = rows.Apart(
            options=np.zeros((count, len(shape.sizes))),
            features=np.zeros((count, len(shape.sizes), features.shape[1])),
            pairs=np.empty((count, len(shape.cells))),
        )
        model = rows.Model(
            vector=self.mean,
            sizes=np.array(shape.sizes, dtype=np.int64),
            offsets=shape.offsets,
            cells=shape.cells,
            owners=self.owners,
        )
        masks = np.array(eligible.options, dtype=np.int64, order="C")
        rows.take_apart(basis(self.terms, features), _wide(actions), masks, model, apart)
        return Contributions(options=apart.options, features=apart.features, pairs=apart.pairs)

    def _require(self, features: Floats, actions: NDArray[np.int16]) -> None:
        require_features(features, len(actions), len(self.terms.scale.center))
        require_actions(self.space, actions)


def conclusions(space: ActionSpace, shape: Layout, known: Knowledge) -> Conclusions:
    """Conclude from the mean of the memory trusted most."""
    vectors = np.stack([each.members[known.best].whole(shape.size) for each in known.models])
    return Conclusions(
        space=space,
        shape=shape,
        terms=known.terms,
        vectors=vectors,
        mean=vectors.sum(axis=0),
        noise=None if known.amount is None else known.amount.beliefs.noise,
        owners=_owners(known.terms),
    )


def _wide(actions: NDArray[np.int16]) -> Ints:
    return np.array(actions, dtype=np.int64, order="C")


def _owners(terms: Terms) -> Ints:
    own = np.arange(-1, len(terms.scale.center))
    single = np.concatenate([own, terms.steps])
    pairs = np.stack([single, single], axis=1)
    first = len(own)
    return np.concatenate([pairs[:first], terms.products, pairs[first:]]).astype(np.int64)
