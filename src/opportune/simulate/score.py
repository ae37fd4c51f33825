"""Means over seeds with 95 % intervals (Student's t), and paired differences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    quantile = _t_quantile(count - 1)
    return Spread(mean=mean, half_width=float(quantile * error), count=count)


def paired(policy: str, values: Sequence[float], other: str, others: Sequence[float]) -> Paired:
    """Seed by seed: sharper than two intervals side by side, as both met the same luck."""
    differences = [one - two for one, two in zip(values, others, strict=True)]
    return Paired(policy=policy, other=other, difference=spread(differences))


def _t_quantile(freedom: int) -> float:
    """What |t| stays below with `CONFIDENCE`, by bisection; right to ten digits."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_within(middle, freedom) < CONFIDENCE else (low, middle)
    return low


def _t_within(t: float, freedom: int) -> float:
    """Chance that |t| is smaller: the finite series of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    angle = math.atan(t / math.sqrt(freedom))
    squared = math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for step in range(2 + odd, freedom - 1, 2):
        term *= squared * (step - 1) / step
        total += term
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
