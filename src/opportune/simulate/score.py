"""Means over seeds with 95 % intervals (Student's t), and paired differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

__all__ = ["Paired", "Spread", "paired", "spread"]

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A mean over ``count`` seeds; ``half_width`` of its 95 % interval, None with one seed."""

    mean: float
    half_width: float | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """One policy less another on the same seeds."""

    policy: str
    other: str
    difference: Spread


def spread(values: Sequence[float]) -> Spread:
    """The mean of one number a seed.

    >>> found = spread([0.7, 0.8, 0.9])
    >>> round(found.mean, 3), round(found.half_width, 3)
    (0.8, 0.248)
    """
    count, mean = len(values), float(np.mean(values))
    if count < 2:
        return Spread(mean=mean, half_width=None, count=count)
    error = float(np.std(values, ddof=1)) / np.sqrt(count)
    quantile = float(stdtrit(count - 1, 0.5 + CONFIDENCE / 2))
    return Spread(mean=mean, half_width=float(quantile * error), count=count)


def paired(policy: str, values: Sequence[float], other: str, others: Sequence[float]) -> Paired:
    """Seed by seed: sharper than two intervals side by side, as both met the same luck."""
    differences = [one - two for one, two in zip(values, others, strict=True)]
    return Paired(policy=policy, other=other, difference=spread(differences))
