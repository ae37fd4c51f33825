"""Treatment over control, relative, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from opportune.stats.intervals import TIGHTEST_AT, Method, boundary, mixing
from opportune.stats.moments import Moments

__all__ = ["Lift", "TwoMeans", "lift", "p_value", "ratio_bounds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoMeans:
    """The means of both groups, their variances, and their covariance where they share a part."""

    treatment: float
    control: float
    treatment_variance: float
    control_variance: float
    covariance: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """What the decided profiles did beyond those left alone: ``relative`` 0.1 is ten per cent more.

    ``relative`` is None where control has nothing to compare with; ``low`` and ``high`` are None
    where the evidence bounds nothing. ``reason`` says why; it is empty where both bounds are there.
    """

    relative: float | None
    low: float | None
    high: float | None
    treatment_mean: float
    control_mean: float
    treatment_count: int
    control_count: int
    confidence: float
    method: Method
    reason: str


def lift(
    treatment: Moments,
    control: Moments,
    *,
    confidence: float = 0.95,
    method: Method = "any_look",
    tightest_at: int = TIGHTEST_AT,
) -> Lift:
    """Compare treatment's mean with control's; one unit is one profile, not one decision.

    A ratio R of the means is inside the bounds where the difference ``t - R c``, of the variance
    ``var(t) + R^2 var(c)``, is no further from zero than ``boundary`` allows (Fieller, "Some
    problems in interval estimation", JRSS B 16, 1954). So zero is left out exactly where the two
    means differ, at any look where the method is "any_look". Where control's error is small beside
    its mean these are the bounds of the delta method (Deng, Knoblich and Lu, "Applying the delta
    method in metric analytics", KDD 2018), whose own variance grows with the lift: it finds an
    effect of +20 % at a control share of 10 % much later. The bounds are as good as the normal
    approximation of both means, which wants some ten conversions in each group. See ``boundary``
    for the other parameters.

    Returns a ``Lift``; thin or flat evidence is a value with a ``reason``. Raises ``InvalidSample``
    for a confidence, method or ``tightest_at`` that cannot be.

    >>> treatment = Moments(count=9000, mean=0.036, m2=312.336)
    >>> control = Moments(count=1000, mean=0.03, m2=29.1)
    >>> result = lift(treatment, control, method="fixed")
    >>> round(result.relative, 3), round(result.low, 3), round(result.high, 3)
    (0.2, -0.132, 0.873)
    >>> lift(treatment, Moments(count=1000, mean=0.0, m2=0.0)).reason
    "Control's mean is 0.0: a relative difference needs one above zero."
    """
    times = boundary(
        treatment.count + control.count,
        confidence=confidence,
        method=method,
        tightest_at=tightest_at,
    )
    comparable = control.mean > 0 and treatment.count > 0
    ratio = treatment.mean / control.mean if comparable else math.inf
    reason = _reason(treatment, control)
    means = TwoMeans(
        treatment=treatment.mean,
        control=control.mean,
        treatment_variance=treatment.mean_variance,
        control_variance=control.mean_variance,
    )
    low, high = (None, None) if reason else ratio_bounds(means, times=times)
    if not reason and low is None:
        reason = f"Control's mean is {control.mean}: too close to zero for its spread."
    return Lift(
        relative=ratio - 1 if math.isfinite(ratio) else None,
        low=None if low is None else low - 1,
        high=None if high is None else high - 1,
        treatment_mean=treatment.mean,
        control_mean=control.mean,
        treatment_count=treatment.count,
        control_count=control.count,
        confidence=confidence,
        method=method,
        reason=reason,
    )


def p_value(
    treatment: Moments,
    control: Moments,
    *,
    confidence: float = 0.95,
    method: Method = "any_look",
    tightest_at: int = TIGHTEST_AT,
) -> float:
    """The chance of a difference at least this large where there is none; 1 where nothing is known.

    It is ``lift`` turned round: it is at most ``1 - confidence`` exactly where the interval leaves
    zero out. With "any_look" the chance is that of ever seeing such a value, so it may be looked at
    daily, and the smallest seen so far holds as well: ``1 / M`` for the mixture martingale M of
    ``boundary`` (Ville's inequality). ``confidence`` only shapes that mixture.

    >>> treatment = Moments(count=9000, mean=0.036, m2=312.336)
    >>> control = Moments(count=1000, mean=0.03, m2=29.1)
    >>> round(p_value(treatment, control, method="fixed"), 3)
    0.296
    """
    count = treatment.count + control.count
    # Refuses what `lift` refuses.
    boundary(count, confidence=confidence, method=method, tightest_at=tightest_at)
    if min(treatment.count, control.count) < 2 or 0 in (treatment.m2, control.m2):
        return 1.0
    gap = treatment.mean - control.mean
    errors = abs(gap) / math.sqrt(treatment.mean_variance + control.mean_variance)
    if method == "fixed":
        return math.erfc(errors / math.sqrt(2))
    scale = count * mixing(confidence, tightest_at=tightest_at)
    martingale = errors * errors * scale / (2 * (scale + 1)) - math.log(scale + 1) / 2
    return math.exp(-max(0.0, martingale))


def ratio_bounds(means: TwoMeans, *, times: float) -> tuple[float, float] | tuple[None, None]:
    """All ratios R for which ``treatment - R control`` is within ``times`` its error of zero.

    None where control's mean itself may be zero, so that the ratio may be anything.
    """
    mean = means.control
    own, borrowed = math.sqrt(means.treatment_variance), math.sqrt(means.control_variance)
    if not times * borrowed < mean:
        return None, None
    own, borrowed, shared = own / mean, borrowed / mean, means.covariance / mean / mean
    ratio, square = means.treatment / mean, times * times
    known = 1 - square * borrowed * borrowed
    spread = own * own * known + (ratio * borrowed) * (ratio * borrowed)
    spread += square * shared * shared - 2 * ratio * shared
    middle, half = ratio - square * shared, times * math.sqrt(max(0.0, spread))
    return (middle - half) / known, (middle + half) / known


def _reason(treatment: Moments, control: Moments) -> str:
    for name, sample in (("treatment", treatment), ("control", control)):
        if sample.count < 2:
            return f"An interval needs at least 2 units in each group; {name} has {sample.count}."
    if control.mean <= 0:
        return f"Control's mean is {control.mean}: a relative difference needs one above zero."
    # A group without any conversion has zero variance on paper; its interval would claim certainty.
    for name, sample in (("treatment", treatment), ("control", control)):
        if sample.m2 == 0:
            return f"All units of {name} have the same value, so its spread is unknown."
    return ""
