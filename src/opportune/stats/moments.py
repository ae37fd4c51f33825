"""Count, mean and spread of one value: the evidence every interval is made from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.stats.errors import InvalidSample

__all__ = ["Moments", "finite", "moments"]


def moments(values: NDArray[np.generic]) -> Moments:
    """Gather the evidence of ``values``, one number per unit.

    Parameters
    ----------
    values:
        Shape (n,), any real or boolean type, finite; n may be 0. The unit of the result's mean is
        theirs.

    Raises ``InvalidSample`` where a value is not finite or the shape is not (n,).

    >>> import numpy as np
    >>> moments(np.array([1.0, 2.0, 3.0]))
    Moments(count=3, mean=2.0, m2=2.0)
    >>> moments(np.array([1.0])) + moments(np.array([2.0, 3.0]))
    Moments(count=3, mean=2.0, m2=2.0)
    """
    numbers = finite(values, name="values")
    if not numbers.size:
        return Moments(count=0, mean=0.0, m2=0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(numbers.mean())
        m2 = float(np.square(numbers - mean).sum())
    return Moments(count=numbers.size, mean=mean, m2=m2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """What is kept of a sample: it adds, and no row is needed again.

    An engine makes the same three with ``count(x)``, ``avg(x)`` and ``var_pop(x) * count(x)``.

    Parameters
    ----------
    count:
        Units seen.
    mean:
        Their mean; 0 where there are none.
    m2:
        Sum of squared distances from the mean.
    """

    count: int
    mean: float
    m2: float

    def __post_init__(self) -> None:
        usable = self.count >= 0 and math.isfinite(self.mean) and 0 <= self.m2 < math.inf
        if not usable or (self.count == 0 and (self.mean, self.m2) != (0, 0)):
            raise InvalidSample(
                f"Moments of count {self.count}, mean {self.mean}, m2 {self.m2} cannot be."
                " Allowed: a count from 0, a finite mean, a finite m2 from 0; all of them 0 where"
                " nothing was counted. Scale very large values down."
            )

    def __add__(self, other: Moments) -> Moments:
        """Evidence of both, by the pairwise update of Chan, Golub and LeVeque (1979)."""
        count = self.count + other.count
        if count == 0:
            return self
        gap = other.mean - self.mean
        share = other.count / count
        return Moments(
            count=count,
            mean=self.mean + gap * share,
            m2=self.m2 + other.m2 + gap * gap * self.count * share,
        )

    @property
    def variance(self) -> float:
        """Unbiased variance of a unit; infinite below two units, where it is unknown."""
        return self.m2 / (self.count - 1) if self.count > 1 else math.inf

    @property
    def mean_variance(self) -> float:
        """Variance of the mean; infinite below two units."""
        return self.variance / self.count if self.count > 1 else math.inf


def finite(values: NDArray[np.generic], *, name: str) -> NDArray[np.float64]:
    """Take ``values`` as (n,) float64, or say which rows are not finite numbers."""
    numbers: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    if numbers.ndim != 1:
        raise InvalidSample(f"{name} has shape {numbers.shape}. Allowed: one number per row, (n,).")
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size:
        raise InvalidSample(
            f"{name} has {bad.size} of {numbers.size} rows that are not finite numbers, the first"
            f" at index {bad[0]} ({numbers[bad[0]]}). Drop or repair these rows."
        )
    return numbers
