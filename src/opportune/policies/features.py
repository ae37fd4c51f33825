"""Bring raw features to one scale, in a way that shards agree on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.policies.model import Batch

__all__ = [
    "CLIP",
    "FeatureScale",
    "Summary",
    "mixed",
    "row_keys",
    "scale_of",
    "standardised",
    "summarise",
]

CLIP = 4.0
"""Standard deviations at which a feature is cut: no customer is so unusual that he decides all."""

SAMPLE = 2_048
"""Rows that a summary keeps: enough for quartiles and to see what kind of number a feature is."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FeatureScale:
    """The map from raw to standardised features: ``clip((x - center) / spread, -4, 4)``.

    Frozen from the first data on: evidence gathered under one map means nothing under another.
    """

    center: Floats
    spread: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Summary:
    """What must be known of the first rows before evidence can be gathered. It adds.

    ``counts``, ``means``, ``squares``: ``(n_features,)`` number, mean and sum of squared
    deviations of the finite values. ``rows``, ``rewarded``: number of rows, and of those whose
    reward is not 0. ``logs``: sum of the logarithms of rewards above 0. ``sample``: ``(k,
    n_features)`` raw rows, those of the smallest ``keys`` ``(k,)``: a hash of what a row holds, so
    that it does not matter which shard it came from.
    """

    rows: float
    rewarded: float
    logs: float
    counts: Floats
    means: Floats
    squares: Floats
    keys: NDArray[np.uint64]
    sample: Floats

    def __add__(self, other: Summary) -> Summary:
        """The summary of both sets of rows (Chan, Golub and LeVeque 1979)."""
        counts = self.counts + other.counts
        known = np.maximum(counts, 1)
        apart = other.means - self.means
        keys = np.concatenate([self.keys, other.keys])
        kept = np.argsort(keys, kind="stable")[:SAMPLE]
        return Summary(
            rows=self.rows + other.rows,
            rewarded=self.rewarded + other.rewarded,
            logs=self.logs + other.logs,
            counts=counts,
            means=(self.counts * self.means + other.counts * other.means) / known,
            squares=self.squares + other.squares + apart**2 * self.counts * other.counts / known,
            keys=keys[kept],
            sample=np.concatenate([self.sample, other.sample])[kept],
        )


def summarise(batch: Batch) -> Summary:
    """Sum up raw features and rewards; values that are not finite count as missing."""
    known = np.isfinite(batch.features)
    counts = known.sum(axis=0).astype(np.float64)
    values = np.where(known, batch.features, 0.0)
    means = values.sum(axis=0) / np.maximum(counts, 1)
    deviations = np.where(known, values - means, 0.0)
    keys = row_keys(batch)
    kept = np.argsort(keys, kind="stable")[:SAMPLE]
    paid = batch.rewards[batch.rewards > 0]
    return Summary(
        rows=float(len(batch.rewards)),
        rewarded=float(np.count_nonzero(batch.rewards)),
        logs=float(np.log(paid).sum()),
        counts=counts,
        means=means,
        squares=(deviations**2).sum(axis=0),
        keys=keys[kept],
        sample=batch.features[kept].astype(np.float64),
    )


def row_keys(batch: Batch) -> NDArray[np.uint64]:
    """A number for each row that follows from its features, action and propensity: ``(n,)``."""
    keys = np.full(len(batch.rewards), 0x9E3779B97F4A7C15, dtype=np.uint64)
    columns = [*batch.features.T, *batch.actions.T.astype(np.float64), batch.propensities]
    for column in columns:
        # Adding zero makes -0 and 0 the same bits.
        keys ^= np.ascontiguousarray(column + 0.0, dtype=np.float64).view(np.uint64)
        keys = mixed(keys)
    return keys


def mixed(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread the bits of 64-bit numbers (the finaliser of splitmix64, Steele et al. 2014)."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


def scale_of(summary: Summary) -> FeatureScale:
    """Mean and standard deviation; a feature that did not vary keeps a spread of 1."""
    spread = np.sqrt(summary.squares / np.maximum(summary.counts, 1))
    varies = spread > 1e-9 * np.maximum(np.abs(summary.means), 1e-3)
    return FeatureScale(center=summary.means, spread=np.where(varies, spread, 1.0))


def standardised(scale: FeatureScale, features: Floats) -> Floats:
    """Features on one scale ``(n, n_features)``, cut at 4. Missing counts as average."""
    from opportune.policies import rows

    body = np.ascontiguousarray(features - scale.center)
    rows.scale(body, scale.spread, CLIP)
    return body
