"""Checks of what a learning policy is asked about and told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import BadArray, WrongReward
from opportune.policies.evidence import RewardKind
from opportune.policies.model import Batch

__all__ = ["require_complete", "require_features", "require_rewards"]


def require_features(features: NDArray[np.float64], rows: int, n_features: int) -> None:
    """Refuse features of another shape than one row per profile and one column per feature."""
    if features.shape != (rows, n_features):
        raise BadArray(
            f"Features have shape {features.shape}; allowed is ({rows}, {n_features}): one row "
            "per profile, one column per feature the policy was built for."
        )


def require_rewards(
    rewards: NDArray[np.float64], kind: RewardKind, *, least: float = -np.inf
) -> None:
    """Refuse rewards that are not of this kind; amounts below ``least`` are none."""
    if kind == "binary":
        wrong, allowed = (rewards != 0) & (rewards != 1), "0 and 1"
    else:
        wrong = ~np.isfinite(rewards) | (rewards < least)
        allowed = "finite numbers" if np.isinf(least) else f"finite numbers from {least:g}"
    if wrong.any():
        raise WrongReward(
            f"{wrong.sum()} of {len(wrong)} rewards are not of the kind '{kind}'; the first is "
            f"{rewards[wrong][0]}. Allowed are {allowed}. Correct the rewards, or build a policy "
            "of the other kind."
        )


def require_complete(batch: Batch, name: str) -> None:
    """Refuse rewards that may still come: who does not correct for them learns too little."""
    if batch.arrived is not None and (batch.arrived < 1).any():
        raise WrongReward(
            f"Of {(batch.arrived < 1).sum()} rows some rewards may still come, and policy '{name}' "
            "cannot correct for that. Allowed: rows whose rewards are all there, or a policy that "
            "`LearnsEarly`."
        )
