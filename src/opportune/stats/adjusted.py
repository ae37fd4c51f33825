"""Two values of the same units: lift less what was known before (CUPED), and lift of a ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opportune.stats.errors import InvalidSample
from opportune.stats.intervals import TIGHTEST_AT, Method, boundary
from opportune.stats.lift import Lift, TwoMeans, lift, ratio_bounds
from opportune.stats.moments import Moments, moments

__all__ = ["AdjustedLift", "JointMoments", "adjusted_lift", "joint_moments", "of_ratio"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointMoments:
    """What is kept of an outcome and a covariate of the same units: it adds.

    An engine makes the third with ``covar_pop(outcome, covariate) * count(*)``.

    Parameters
    ----------
    outcome, covariate:
        The moments of each; the covariate's value is from before the unit was decided for.
    comoment:
        Sum of the products of both distances from their means.
    """

    outcome: Moments
    covariate: Moments
    comoment: float

    def __post_init__(self) -> None:
        most = math.sqrt(self.outcome.m2) * math.sqrt(self.covariate.m2)
        # Sums of an engine are rounded.
        close = abs(self.comoment) <= most * (1 + 1e-9) + 1e-12
        if self.outcome.count != self.covariate.count or not close:
            raise InvalidSample(
                f"Joint moments of {self.outcome.count} outcomes and {self.covariate.count}"
                f" covariates with a comoment of {self.comoment} cannot be. Allowed: one covariate"
                f" for each outcome, and at most {most:.6g}, the root of the product of both m2."
            )

    def __add__(self, other: JointMoments) -> JointMoments:
        """Evidence of both, by the pairwise update of Chan, Golub and LeVeque (1979)."""
        count = self.outcome.count + other.outcome.count
        share = other.outcome.count / count if count else 0.0
        gap = other.outcome.mean - self.outcome.mean
        covariate_gap = other.covariate.mean - self.covariate.mean
        between = gap * covariate_gap * self.outcome.count * share
        return JointMoments(
            outcome=self.outcome + other.outcome,
            covariate=self.covariate + other.covariate,
            comoment=self.comoment + other.comoment + between,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedLift:
    """A lift with the means adjusted, beside the ``plain`` one of the same units.

    ``theta`` is what one unit of the covariate adds to the outcome, ``explained_share`` the share
    r^2 of the outcome's variance that it explains within the groups: the interval is some
    ``sqrt(1 - r^2)`` times as wide. Where nothing could be adjusted, ``lift`` is ``plain`` and
    ``reason`` says why.
    """

    lift: Lift
    plain: Lift
    theta: float
    explained_share: float
    reason: str


def joint_moments(outcome: NDArray[np.generic], covariate: NDArray[np.generic]) -> JointMoments:
    """Gather the evidence of an outcome and a covariate, each of shape (n,), finite.

    A unit without a past has no covariate of its own: give it the mean of those that have one,
    which moves nothing. Raises ``InvalidSample`` like ``moments``.

    >>> import numpy as np
    >>> joint_moments(np.array([1.0, 3.0]), np.array([10.0, 20.0])).comoment
    10.0
    """
    first, second = moments(outcome), moments(covariate)
    if first.count != second.count:
        raise InvalidSample(
            f"outcome has {first.count} rows and covariate {second.count}. Allowed: as many."
        )
    apart = np.asarray(outcome, dtype=np.float64) - first.mean
    product = apart @ (np.asarray(covariate, dtype=np.float64) - second.mean)
    return JointMoments(outcome=first, covariate=second, comoment=float(product))


def of_ratio(parts: JointMoments) -> Moments:
    """The evidence of ``outcome`` per ``covariate``, such as revenue per order, for ``lift``.

    The mean is the sum of the one over the sum of the other, as units with more of the covariate
    count more; the spread is that of ``(y - mean x) / mean(x)``, so that the variance of the mean
    is that of the delta method (Deng, Knoblich and Lu, KDD 2018). Nothing is known where the sum
    below is not above zero: the moments of nobody.

    >>> import numpy as np
    >>> orders, revenue = np.array([1.0, 3.0, 0.0]), np.array([10.0, 60.0, 0.0])
    >>> found = of_ratio(joint_moments(revenue, orders))
    >>> found.count, found.mean
    (3, 17.5)
    """
    outcome, below = parts.outcome, parts.covariate
    if below.mean <= 0:
        return Moments(count=0, mean=0.0, m2=0.0)
    ratio = outcome.mean / below.mean
    spread = outcome.m2 - 2 * ratio * parts.comoment + ratio * ratio * below.m2
    m2 = max(0.0, spread) / below.mean**2
    return Moments(count=outcome.count, mean=ratio, m2=m2)


def adjusted_lift(
    treatment: JointMoments,
    control: JointMoments,
    *,
    confidence: float = 0.95,
    method: Method = "any_look",
    tightest_at: int = TIGHTEST_AT,
) -> AdjustedLift:
    """``lift`` after taking out of both means what the covariate foretold.

    CUPED (Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled experiments
    by utilizing pre-experiment data", WSDM 2013): ``y - theta (x - mean(x))``, with one theta from
    the spread within both groups and the mean over both. The bounds are those of ``lift``, with the
    covariance that both adjusted means have by sharing it (delta method; Deng, Knoblich and Lu,
    KDD 2018). Only a covariate that the treatment cannot have moved leaves the lift unbiased.

    >>> import numpy as np
    >>> x = np.arange(100.0)
    >>> more, less = joint_moments(x + 20 + x % 2, x), joint_moments(x + 10 + x % 3, x)
    >>> found = adjusted_lift(more, less, method="fixed")
    >>> round(found.lift.relative, 3), round(found.lift.low, 3), round(found.lift.high, 3)
    (0.157, 0.147, 0.169)
    >>> round(found.plain.low, 2), round(found.plain.high, 2)
    (0.02, 0.31)
    """
    plain = lift(
        treatment.outcome,
        control.outcome,
        confidence=confidence,
        method=method,
        tightest_at=tightest_at,
    )
    spread = treatment.covariate.m2 + control.covariate.m2
    if plain.reason:
        return _unadjusted(plain, plain.reason)
    if spread == 0:
        return _unadjusted(
            plain, "The covariate has the same value for all units: nothing to take."
        )
    together = treatment.comoment + control.comoment
    theta = together / spread
    means = _means(treatment, control, theta=theta)
    count = plain.treatment_count + plain.control_count
    times = boundary(count, confidence=confidence, method=method, tightest_at=tightest_at)
    low, high = ratio_bounds(means, times=times)
    if low is None or high is None:
        reason = f"Control's adjusted mean is {means.control}: too close to zero for its spread."
        return _unadjusted(plain, reason)
    top, bottom = means.treatment, means.control
    bounds = replace(plain, relative=top / bottom - 1, low=low - 1, high=high - 1)
    adjusted = replace(bounds, treatment_mean=top, control_mean=bottom)
    explained = min(1.0, theta * together / (treatment.outcome.m2 + control.outcome.m2))
    return AdjustedLift(
        lift=adjusted, plain=plain, theta=theta, explained_share=explained, reason=""
    )


def _unadjusted(plain: Lift, reason: str) -> AdjustedLift:
    return AdjustedLift(lift=plain, plain=plain, theta=0.0, explained_share=0.0, reason=reason)


def _means(treatment: JointMoments, control: JointMoments, *, theta: float) -> TwoMeans:
    """Both adjusted means. Theta is taken as known, as its own error is of a smaller order."""
    counts = treatment.outcome.count, control.outcome.count
    treated, left = (theta * each / sum(counts) for each in counts)
    gap = treatment.covariate.mean - control.covariate.mean
    shared = treatment.covariate.mean_variance + control.covariate.mean_variance
    own, others = (
        each.comoment / (each.outcome.count - 1) / each.outcome.count
        for each in (treatment, control)
    )
    return TwoMeans(
        treatment=treatment.outcome.mean - left * gap,
        control=control.outcome.mean + treated * gap,
        treatment_variance=max(
            0.0, treatment.outcome.mean_variance - 2 * left * own + left * left * shared
        ),
        control_variance=max(
            0.0, control.outcome.mean_variance - 2 * treated * others + treated * treated * shared
        ),
        covariance=treated * own + left * others - treated * left * shared,
    )
