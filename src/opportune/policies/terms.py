"""The functions of a customer's features that the model is linear in.

``B(x) = [1, x, products x_j x_k, steps 1[x_j > c]]``, features standardised; products and steps
less their average, so that they say something new beside the main effect. Which of them matter is
not decided here: each is shrunk to nothing until data say otherwise (`shrinkage`).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from opportune.policies.features import FeatureScale, Summary, scale_of, standardised

__all__ = [
    "CONSTANT",
    "LINEAR",
    "PRODUCT",
    "STEP",
    "Terms",
    "basis",
    "same_terms",
    "terms_of",
    "unscaled",
]

CONSTANT, LINEAR, PRODUCT, STEP = range(4)
"""Kinds of terms."""

PRODUCT_CLIP = 6.0
QUARTILES = (0.25, 0.5, 0.75)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Terms:
    """The terms of B(x), in order: 1, every feature, ``products``, ``steps``.

    ``products``: ``(P, 2)`` features. ``steps``: ``(T,)`` features, ``levels``: ``(T,)`` where
    each step is, standardised. ``averages``: ``(P + T,)``, taken off.
    """

    scale: FeatureScale
    products: Ints
    steps: Ints
    levels: Floats
    averages: Floats

    @property
    def width(self) -> int:
        """Length q of B(x)."""
        return 1 + len(self.scale.center) + len(self.averages)

    @property
    def kinds(self) -> Ints:
        """The kind of each term: ``(q,)``."""
        counts = (1, len(self.scale.center), len(self.products), len(self.steps))
        return np.repeat(np.arange(4), counts)


def same_terms(one: Terms, other: Terms) -> bool:
    """Whether evidence gathered under both can be added: equal to the last bit."""
    return all(
        np.array_equal(a, b)
        for a, b in (
            (one.scale.center, other.scale.center),
            (one.scale.spread, other.scale.spread),
            (one.products, other.products),
            (one.steps, other.steps),
            (one.levels, other.levels),
            (one.averages, other.averages),
        )
    )


def unscaled(n_features: int) -> Terms:
    """The terms before any data: features as they are, only clipped."""
    scale = FeatureScale(center=np.zeros(n_features), spread=np.ones(n_features))
    return _terms(scale, np.empty((0, 2), dtype=np.int64), _no_steps(), np.zeros((1, n_features)))


def terms_of(summary: Summary, *, most: int, most_with_steps: int) -> Terms:
    """The terms for features like these: every product and quartile step, if there is room.

    A feature of two values has no steps (it is one), nor is it multiplied with itself; one that
    does not vary has no terms of its own. Beyond ``most_with_steps`` terms there are no steps,
    beyond ``most`` no products either.
    """
    scale = scale_of(summary)
    sample = standardised(scale, summary.sample)
    varying = np.flatnonzero(np.ptp(sample, axis=0) > 0)
    products = np.array(list(combinations(varying.tolist(), 2)), dtype=np.int64).reshape(-1, 2)
    steps = [_steps(sample[:, j], int(j)) for j in varying]
    cuts = np.concatenate([_no_steps(), *steps])
    plain = 1 + len(scale.center)
    if plain + len(products) > most:
        products = products[:0]
    if plain + len(products) + len(cuts) > most_with_steps:
        cuts = _no_steps()
    return _terms(scale, products, cuts, sample)


def _no_steps() -> Floats:
    return np.empty((0, 2))


def _steps(values: Floats, feature: int) -> Floats:
    """Feature and level of each step, ``(t, 2)``: quartiles, each on a gap between values."""
    distinct = np.unique(values)
    if len(distinct) <= 2:
        return _no_steps()
    wanted = np.quantile(values, QUARTILES)
    # Between the quartile's value and the next larger one, so that rounding moves nobody.
    above = np.minimum(np.searchsorted(distinct, wanted, side="right"), len(distinct) - 1)
    levels = np.unique((distinct[above - 1] + distinct[above]) / 2)
    return np.column_stack([np.full(len(levels), float(feature)), levels])


def _terms(scale: FeatureScale, products: Ints, steps: Floats, sample: Floats) -> Terms:
    terms = Terms(
        scale=scale,
        products=products,
        steps=steps[:, 0].astype(np.int64),
        levels=steps[:, 1],
        averages=np.zeros(len(products) + len(steps)),
    )
    grid = np.empty((len(sample), terms.width))
    _fill(terms, sample, grid)
    start = 1 + len(scale.center)
    averages = grid[:, start:].mean(axis=0) if len(sample) else np.zeros(len(terms.averages))
    return Terms(
        scale=scale,
        products=products,
        steps=terms.steps,
        levels=terms.levels,
        averages=averages,
    )


def basis(terms: Terms, features: Floats) -> Floats:
    """B(x) of each row of raw features: ``(n, n_features)`` -> ``(n, q)``."""
    grid = np.empty((len(features), terms.width))
    _fill(terms, standardised(terms.scale, features), grid)
    return grid


def _fill(terms: Terms, body: Floats, grid: Floats) -> None:
    from opportune.policies import rows

    parts = rows.Parts(
        products=terms.products, steps=terms.steps, levels=terms.levels, averages=terms.averages
    )
    rows.fill(body, parts, PRODUCT_CLIP, grid)
