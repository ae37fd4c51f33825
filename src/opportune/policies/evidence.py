"""What rows say about the coefficients, as sums: shards, days and machines merge by adding."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import MixedEvidence
from opportune.policies.features import FeatureScale, basis
from opportune.policies.layout import Layout, fold, indices, places
from opportune.policies.model import Batch

__all__ = ["Evidence", "RewardKind", "gather", "grouped", "no_evidence", "sigmoid"]

RewardKind = Literal["binary", "amount"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Sufficient statistics of rows, linearised at one coefficient vector. They add.

    ``precision``: ``(p, p)`` H = sum W phi phi'. ``weighted``: ``(p,)`` h = sum (W eta + y - mu)
    phi. ``responses``: ``(options,)`` rewarded plays per option. ``rows``, ``reward_squares``:
    number of rows and sum of y^2. ``scale``: the feature map they were gathered under.
    """

    scale: FeatureScale
    precision: Floats
    weighted: Floats
    responses: Floats
    rows: float
    reward_squares: float

    def __add__(self, other: Evidence) -> Evidence:
        """The evidence of both sets of rows."""
        if self.weighted.shape != other.weighted.shape or not self.scale.same_as(other.scale):
            raise MixedEvidence(
                "The evidence was gathered by two policies that differ in shape or feature "
                "scale. Gather all shards with the same policy, after `prepared`."
            )
        return Evidence(
            scale=self.scale,
            precision=self.precision + other.precision,
            weighted=self.weighted + other.weighted,
            responses=self.responses + other.responses,
            rows=self.rows + other.rows,
            reward_squares=self.reward_squares + other.reward_squares,
        )


def no_evidence(shape: Layout, scale: FeatureScale) -> Evidence:
    """The evidence of no rows."""
    return Evidence(
        scale=scale,
        precision=np.zeros((shape.size, shape.size)),
        weighted=np.zeros(shape.size),
        responses=np.zeros(shape.options),
        rows=0.0,
        reward_squares=0.0,
    )


def gather(
    shape: Layout, scale: FeatureScale, mode: Floats, batch: Batch, *, reward: RewardKind
) -> Evidence:
    """One IRLS step's sums over the rows, linearised at the coefficients ``mode`` ``(p,)``.

    Inside one combination every block of phi phi' is the same q x q matrix. So rows are sorted
    by combination; a row costs q^2, and a combination that occurs costs nnz^2.
    """
    order, present, slices = grouped(shape, batch.actions)
    x, y = basis(scale, batch.features)[order], batch.rewards[order]
    active, where = indices(shape, present), places(shape)
    folded = fold(shape, mode, active)
    nothing = no_evidence(shape, scale)
    precision, weighted = nothing.precision, nothing.weighted
    for at, vector, here in zip(active, folded, slices, strict=True):
        rows = x[here]
        weights, response = _linearised(rows @ vector, y[here], reward)
        block = (rows * weights[:, None]).T @ rows
        precision[np.ix_(at, at)] += block[np.ix_(where, where)]
        weighted[at] += (rows.T @ response)[where]
    return Evidence(
        scale=scale,
        precision=precision,
        weighted=weighted,
        responses=_responses(shape, batch),
        rows=float(len(y)),
        reward_squares=float(y @ y),
    )


def grouped(
    shape: Layout, actions: NDArray[np.int16]
) -> tuple[NDArray[np.int64], NDArray[np.int16], list[slice]]:
    """Sort rows by combination: the order, the combinations present, and where each one lies."""
    codes = np.ravel_multi_index(tuple(actions.T.astype(np.int64)), shape.sizes)
    order = np.argsort(codes, kind="stable")
    _, starts = np.unique(codes[order], return_index=True)
    bounds = [*starts.tolist(), len(codes)]
    return order, actions[order[starts]], [slice(*pair) for pair in pairwise(bounds)]


def sigmoid(eta: Floats) -> Floats:
    """``1 / (1 + exp(-eta))``, cut at +-30 where a double no longer tells it from 0 or 1."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(eta, -30.0, 30.0))))


def _linearised(eta: Floats, y: Floats, reward: RewardKind) -> tuple[Floats, Floats]:
    if reward == "amount":
        return np.ones_like(y), y
    mean = sigmoid(eta)
    weights = mean * (1.0 - mean)
    return weights, weights * eta + y - mean


def _responses(shape: Layout, batch: Batch) -> Floats:
    rewarded = (batch.rewards != 0).astype(np.float64)
    counts = [
        np.bincount(batch.actions[:, d], weights=rewarded, minlength=size)
        for d, size in enumerate(shape.sizes)
    ]
    return np.concatenate(counts)
