"""Bring raw features to one scale, in a way that shards agree on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.policies.model import Batch

__all__ = ["FeatureScale", "Summary", "basis", "scale_of", "summarise"]

CLIP = 4.0
"""Standard deviations at which a feature is cut: no customer is so unusual that he decides all."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureScale:
    """The map from raw to standardised features: ``clip((x - center) / spread, -4, 4)``.

    Frozen from the first data on: evidence gathered under one map means nothing under another.
    """

    center: Floats
    spread: Floats

    def same_as(self, other: FeatureScale) -> bool:
        """Whether both maps are equal to the last bit."""
        return np.array_equal(self.center, other.center) and np.array_equal(
            self.spread, other.spread
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """What must be known of the first rows before evidence can be gathered. It adds.

    ``counts``, ``means``, ``squares``: ``(n_features,)`` number, mean and sum of squared
    deviations of the finite values. ``rows``, ``rewards``: number of rows and sum of rewards.
    """

    rows: float
    rewards: float
    counts: Floats
    means: Floats
    squares: Floats

    def __add__(self, other: Summary) -> Summary:
        """The summary of both sets of rows (Chan, Golub and LeVeque 1979)."""
        counts = self.counts + other.counts
        known = np.maximum(counts, 1)
        apart = other.means - self.means
        return Summary(
            rows=self.rows + other.rows,
            rewards=self.rewards + other.rewards,
            counts=counts,
            means=(self.counts * self.means + other.counts * other.means) / known,
            squares=self.squares + other.squares + apart**2 * self.counts * other.counts / known,
        )


def summarise(batch: Batch) -> Summary:
    """Sum up raw features and rewards; values that are not finite count as missing."""
    known = np.isfinite(batch.features)
    counts = known.sum(axis=0).astype(np.float64)
    values = np.where(known, batch.features, 0.0)
    means = values.sum(axis=0) / np.maximum(counts, 1)
    deviations = np.where(known, values - means, 0.0)
    return Summary(
        rows=float(len(batch.rewards)),
        rewards=float(batch.rewards.sum()),
        counts=counts,
        means=means,
        squares=(deviations**2).sum(axis=0),
    )


def scale_of(summary: Summary) -> FeatureScale:
    """Mean and standard deviation; a feature that did not vary keeps a spread of 1."""
    spread = np.sqrt(summary.squares / np.maximum(summary.counts, 1))
    varies = spread > 1e-9 * np.maximum(np.abs(summary.means), 1e-3)
    return FeatureScale(center=summary.means, spread=np.where(varies, spread, 1.0))


def basis(scale: FeatureScale, features: Floats) -> Floats:
    """``[1, standardised features]``: ``(n, q - 1)`` -> ``(n, q)``. Missing counts as average."""
    grid = np.empty((len(features), features.shape[1] + 1))
    grid[:, 0] = 1.0
    body = grid[:, 1:]
    np.subtract(features, scale.center, out=body)
    body /= scale.spread
    np.clip(body, -CLIP, CLIP, out=body)
    # clip passes NaN through (and has cut infinity, which is a value and not a gap).
    np.nan_to_num(body, copy=False, nan=0.0)
    return grid
