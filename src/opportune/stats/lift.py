"""Treatment over control, relative, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from opportune.stats.intervals import TIGHTEST_AT, Method, half_width
from opportune.stats.moments import Moments

__all__ = ["Lift", "lift"]


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

    The relative difference t / c - 1 has the variance ``(var(t) + (t / c)^2 var(c)) / c^2``, with
    the variances of the means (delta method; Deng, Knoblich and Lu, "Applying the delta method in
    metric analytics", KDD 2018). The bounds are as good as the normal approximation of both means,
    which wants some ten conversions in each group. See ``half_width`` for the other parameters.

    Returns a ``Lift``; thin or flat evidence is a value with a ``reason``. Raises ``InvalidSample``
    for a confidence, method or ``tightest_at`` that cannot be.

    >>> treatment = Moments(count=9000, mean=0.036, m2=312.336)
    >>> control = Moments(count=1000, mean=0.03, m2=29.1)
    >>> result = lift(treatment, control, method="fixed")
    >>> round(result.relative, 3), round(result.low, 3), round(result.high, 3)
    (0.2, -0.242, 0.642)
    >>> lift(treatment, Moments(count=1000, mean=0.0, m2=0.0)).reason
    "Control's mean is 0.0: a relative difference needs one above zero."
    """
    comparable = control.mean > 0 and treatment.count > 0
    ratio = treatment.mean / control.mean if comparable else math.inf
    width = half_width(
        _relative_variance(treatment, control, ratio=ratio),
        count=treatment.count + control.count,
        confidence=confidence,
        method=method,
        tightest_at=tightest_at,
    )
    reason = _reason(treatment, control, width=width)
    return Lift(
        relative=ratio - 1 if math.isfinite(ratio) else None,
        low=None if reason else ratio - 1 - width,
        high=None if reason else ratio - 1 + width,
        treatment_mean=treatment.mean,
        control_mean=control.mean,
        treatment_count=treatment.count,
        control_count=control.count,
        confidence=confidence,
        method=method,
        reason=reason,
    )


def _relative_variance(treatment: Moments, control: Moments, *, ratio: float) -> float:
    if not math.isfinite(ratio):
        return math.inf
    own = math.sqrt(treatment.mean_variance) / control.mean
    borrowed = ratio * (math.sqrt(control.mean_variance) / control.mean)
    variance = own * own + borrowed * borrowed
    # 0 * inf: a ratio of zero against a control whose spread is unknown.
    return math.inf if math.isnan(variance) else variance


def _reason(treatment: Moments, control: Moments, *, width: float) -> str:
    for name, sample in (("treatment", treatment), ("control", control)):
        if sample.count < 2:
            return f"An interval needs at least 2 units in each group; {name} has {sample.count}."
    if control.mean <= 0:
        return f"Control's mean is {control.mean}: a relative difference needs one above zero."
    # A group without any conversion has zero variance on paper; its interval would claim certainty.
    for name, sample in (("treatment", treatment), ("control", control)):
        if sample.m2 == 0:
            return f"All units of {name} have the same value, so its spread is unknown."
    if not math.isfinite(width):
        return f"Control's mean is {control.mean}: too close to zero to compare with."
    return ""
