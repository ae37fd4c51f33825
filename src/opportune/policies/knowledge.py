"""All that a factored policy has learned, and its form as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import UnreadablePolicy
from opportune.policies.evidence import Evidence, RewardKind, no_evidence
from opportune.policies.features import FeatureScale
from opportune.policies.layout import Layout
from opportune.policies.posterior import Fit, prior_variances

__all__ = ["Knowledge", "arrays_of", "knowledge_of", "nothing_known", "unscaled"]

Arrays = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Knowledge:
    """``total``: the sums of all rows. ``fitted``: what was concluded from them."""

    total: Evidence
    fitted: Fit


def unscaled(n_features: int) -> FeatureScale:
    """The map before any data: features as they are, only clipped."""
    return FeatureScale(center=np.zeros(n_features), spread=np.ones(n_features))


def nothing_known(
    shape: Layout, scale: FeatureScale, *, reward: RewardKind, intercept: float = 0.0
) -> Knowledge:
    """The prior, with the intercept where evidence should be linearised first."""
    mean = np.zeros(shape.size)
    mean[0] = intercept
    variances = prior_variances(shape, reward=reward)
    return Knowledge(
        total=no_evidence(shape, scale), fitted=Fit(mean=mean, variances=variances, noise=1.0)
    )


def arrays_of(known: Knowledge) -> dict[str, NDArray[np.float64]]:
    """Every number that was learned, by name."""
    total, fitted = known.total, known.fitted
    return {
        "center": total.scale.center,
        "spread": total.scale.spread,
        "precision": total.precision,
        "weighted": total.weighted,
        "responses": total.responses,
        "mean": fitted.mean,
        "variances": fitted.variances,
        "sums": np.array([total.rows, total.reward_squares, fitted.noise]),
    }


def knowledge_of(arrays: Arrays, *, like: Knowledge) -> Knowledge:
    """The knowledge again; `UnreadablePolicy` if an array's shape is not as in ``like``."""
    expected = {name: array.shape for name, array in arrays_of(like).items()}
    found = {name: array.shape for name, array in arrays.items()}
    if found != expected:
        raise UnreadablePolicy(
            f"The policy's arrays have shapes {found}; its dimensions and features need "
            f"{expected}. Train a new policy."
        )
    rows, reward_squares, noise = arrays["sums"].tolist()
    return Knowledge(
        total=Evidence(
            scale=FeatureScale(center=arrays["center"], spread=arrays["spread"]),
            precision=arrays["precision"],
            weighted=arrays["weighted"],
            responses=arrays["responses"],
            rows=rows,
            reward_squares=reward_squares,
        ),
        fitted=Fit(mean=arrays["mean"], variances=arrays["variances"], noise=noise),
    )
