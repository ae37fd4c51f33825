"""Why an action scores as it does: the score of the model, taken apart without a remainder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from opportune.policies.eligible import Eligibility
from opportune.policies.layout import Layout
from opportune.policies.terms import Terms, basis

__all__ = ["Contributions", "Explaining", "contributions"]

Floats = NDArray[np.float64]


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


def contributions(
    shape: Layout,
    terms: Terms,
    mean: Floats,
    features: Floats,
    actions: NDArray[np.int16],
    eligible: Eligibility,
) -> Contributions:
    """Take the scores of actions ``(n, D)`` under the coefficients ``mean`` ``(p,)`` apart."""
    grid, owners = basis(terms, features), _owners(terms)
    blocks = mean[: shape.unary].reshape(1 + shape.options, shape.width)
    wide = actions.astype(np.int64)
    shares = [_shares(eligible, d, size) for d, size in enumerate(shape.sizes)]
    split = np.empty((len(grid), len(shape.sizes), owners.shape[1]))
    for d, offset in enumerate(shape.offsets):
        table = blocks[1 + offset : 1 + offset + shape.sizes[d]]
        split[:, d] = (grid * (table[wide[:, d]] - shares[d] @ table)) @ owners
    pairs = np.empty((len(grid), len(shape.pairs)))
    for place, (d, e, start) in enumerate(shape.pairs):
        cells = mean[start : start + shape.sizes[d] * shape.sizes[e]]
        table = cells.reshape(shape.sizes[d], shape.sizes[e])
        average = ((shares[d] @ table) * shares[e]).sum(axis=1)
        pairs[:, place] = table[wide[:, d], wide[:, e]] - average
    return Contributions(options=split[:, :, 0], features=split[:, :, 1:], pairs=pairs)


def _shares(eligible: Eligibility, d: int, size: int) -> Floats:
    """The same share for each eligible option of a dimension: ``(n, K_d)``."""
    allowed = (eligible.options[:, d, None] >> np.arange(size)) & 1
    return np.asarray(allowed / allowed.sum(axis=1, keepdims=True))


def _owners(terms: Terms) -> Floats:
    """Whose each term is: ``(q, 1 + n_features)``, 1 itself and then the features."""
    count = len(terms.scale.center)
    found = np.zeros((terms.width, 1 + count))
    found[np.arange(1 + count), np.arange(1 + count)] = 1.0
    places = 1 + count + np.arange(len(terms.products))
    found[places, 1 + terms.products[:, 0]] = found[places, 1 + terms.products[:, 1]] = 0.5
    first = 1 + count + len(terms.products)
    found[first + np.arange(len(terms.steps)), 1 + terms.steps] = 1.0
    return found
