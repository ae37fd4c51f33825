"""How far an estimate may be off: at one look planned in advance, or at every look."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, get_args

from opportune.errors import nearest
from opportune.stats.errors import InvalidSample
from opportune.stats.moments import Moments

__all__ = [
    "chance_beyond",
    "TIGHTEST_AT",
    "Interval",
    "Method",
    "boundary",
    "half_width",
    "mean_interval",
    "mixing",
]

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


def chance_beyond(sample: Moments, value: float) -> float:
    """The chance of a mean so far from ``value`` on either side, if the true one were ``value``.

    It is `mean_interval` with the method "fixed" turned round: below ``1 - confidence`` exactly
    where that interval leaves ``value`` out. 1 where the spread is not known.

    >>> round(chance_beyond(Moments(count=100, mean=0.3, m2=21.0), 0.2), 3)
    0.03
    """
    if sample.count < 2 or sample.m2 == 0:
        return 1.0
    return math.erfc(abs(sample.mean - value) / math.sqrt(2 * sample.mean_variance))


def half_width(
    variance: float,
    *,
    count: int,
    confidence: float,
    method: Method,
    tightest_at: int = TIGHTEST_AT,
) -> float:
    """Half the width of an interval around an estimate of that ``variance`` from ``count`` units.

    It is the square root of ``variance`` times ``boundary``, which says what the methods promise.

    >>> round(half_width(4.0, count=100, confidence=0.95, method="fixed"), 6)
    3.919928
    """
    times = boundary(count, confidence=confidence, method=method, tightest_at=tightest_at)
    return math.inf if math.isinf(times) else math.sqrt(variance) * times


def boundary(
    count: int,
    *,
    confidence: float,
    method: Method,
    tightest_at: int = TIGHTEST_AT,
) -> float:
    """How many standard errors an estimate from ``count`` units may be off.

    "fixed" is the normal interval: right at one look that was planned in advance. "any_look" is the
    two-sided asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas,
    "Time-uniform central limit theory and asymptotic confidence sequences" (arXiv:2103.06476,
    Theorem 2.2, and its choice of rho): right at all looks together. With n = count::

        sqrt(2 (n rho^2 + 1) / (n rho^2) log(sqrt(n rho^2 + 1) / alpha))
        rho^2 = (-2 log alpha + log(-2 log alpha + 1)) / tightest_at

    Parameters
    ----------
    count:
        Units the estimate was made from; of both groups for a difference.
    tightest_at:
        The count at which "any_look" is narrowest; must be chosen before the data are seen.

    >>> round(boundary(100, confidence=0.95, method="fixed"), 6)
    1.959964
    >>> round(boundary(20_000, confidence=0.95, method="any_look"), 6)
    3.035209
    """
    alpha = 1 - confidence
    scale = count * mixing(confidence, tightest_at=tightest_at)
    if method == "fixed":
        return -NormalDist().inv_cdf(alpha / 2)
    if method != "any_look":
        raise InvalidSample(f"Unknown method {method!r}. {nearest(method, get_args(Method))}")
    if count < 1:
        return math.inf
    return math.sqrt(2 * (scale + 1) / scale * math.log(math.sqrt(scale + 1) / alpha))


def mixing(confidence: float, *, tightest_at: int) -> float:
    """The rho^2 with which "any_look" is narrowest at ``tightest_at`` units.

    >>> round(mixing(0.95, tightest_at=1), 3)
    7.936
    """
    if not 0 < confidence < 1:
        raise InvalidSample(
            f"confidence is {confidence}. Allowed: above 0 and below 1, such as 0.95."
        )
    if tightest_at < 1:
        raise InvalidSample(f"tightest_at is {tightest_at}. Allowed: a number of units from 1.")
    spread = -2 * math.log(1 - confidence)
    return (spread + math.log(spread + 1)) / tightest_at
