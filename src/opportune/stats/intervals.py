"""How far an estimate may be off: at one look planned in advance, or at every look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, get_args

from opportune.errors import nearest
from opportune.stats.errors import InvalidSample
from opportune.stats.moments import Moments

__all__ = ["TIGHTEST_AT", "Interval", "Method", "half_width", "mean_interval"]

Method = Literal["any_look", "fixed"]

# Must be chosen before the data are seen; a factor of four off costs a tenth of the width.
TIGHTEST_AT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean and how far it may be off; bounds are None where ``reason`` says why."""

    value: float | None
    low: float | None
    high: float | None
    count: int
    confidence: float
    method: Method
    reason: str


def mean_interval(
    sample: Moments,
    *,
    confidence: float = 0.95,
    method: Method = "any_look",
    tightest_at: int = TIGHTEST_AT,
) -> Interval:
    """Bound the mean of ``sample``, in the unit of its values. See ``half_width`` for the methods.

    >>> interval = mean_interval(Moments(count=100, mean=5.0, m2=99.0), method="fixed")
    >>> round(interval.low, 3), round(interval.high, 3)
    (4.804, 5.196)
    """
    width = half_width(
        sample.mean_variance,
        count=sample.count,
        confidence=confidence,
        method=method,
        tightest_at=tightest_at,
    )
    reason = ""
    if sample.count < 2:
        reason = f"An interval needs at least 2 units; there are {sample.count}."
    elif sample.m2 == 0:
        reason = f"All {sample.count} units have the same value, so the spread is unknown."
    return Interval(
        value=sample.mean if sample.count else None,
        low=None if reason else sample.mean - width,
        high=None if reason else sample.mean + width,
        count=sample.count,
        confidence=confidence,
        method=method,
        reason=reason,
    )


def half_width(
    variance: float,
    *,
    count: int,
    confidence: float,
    method: Method,
    tightest_at: int = TIGHTEST_AT,
) -> float:
    """Half the width of an interval around an estimate of that ``variance`` from ``count`` units.

    "fixed" is the normal interval: right at one look that was planned in advance. "any_look" is the
    two-sided asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
    "Time-uniform central limit theory and asymptotic confidence sequences" (arXiv:2103.06476,
    Theorem 2.2, and its choice of rho): right at all looks together. Each side gets
    alpha / 2, which is a little wider than the paper's. With sigma^2 = count * variance and n =
    count::

        sqrt(sigma^2) sqrt(2 (n rho^2 + 1) / (n^2 rho^2) log(sqrt(n rho^2 + 1) / (alpha / 2)))
        rho^2 = (-2 log alpha + log(-2 log alpha + 1)) / tightest_at

    Parameters
    ----------
    variance:
        Of the estimate itself, in its unit squared.
    count:
        Units the estimate was made from; of both groups for a difference.
    tightest_at:
        The count at which "any_look" is narrowest; must be chosen before the data are seen.

    >>> round(half_width(1.0, count=100, confidence=0.95, method="fixed"), 6)
    1.959964
    >>> round(half_width(1.0, count=20_000, confidence=0.95, method="any_look"), 6)
    3.282296
    """
    _check(confidence, method=method, tightest_at=tightest_at)
    alpha = 1 - confidence
    if method == "fixed":
        return -NormalDist().inv_cdf(alpha / 2) * math.sqrt(variance)
    if count < 1:
        return math.inf
    spread = -2 * math.log(alpha)
    scale = count * (spread + math.log(spread + 1)) / tightest_at
    boundary = 2 * (scale + 1) / scale * math.log(math.sqrt(scale + 1) / (alpha / 2))
    return math.sqrt(variance) * math.sqrt(boundary)


def _check(confidence: float, *, method: str, tightest_at: int) -> None:
    if not 0 < confidence < 1:
        raise InvalidSample(
            f"confidence is {confidence}. Allowed: above 0 and below 1, such as 0.95."
        )
    if method not in get_args(Method):
        raise InvalidSample(f"Unknown method {method!r}. {nearest(method, get_args(Method))}")
    if tightest_at < 1:
        raise InvalidSample(f"tightest_at is {tightest_at}. Allowed: a number of units from 1.")
