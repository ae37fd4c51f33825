"""What is expected of the units of a comparison before any of them is decided for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from opportune.stats.errors import InvalidSample

__all__ = ["Outlook"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How many units will come, and what one of them earns when it is left alone.

    Parameters
    ----------
    mean, variance:
        Of one unit of control over the whole time, such as from the weeks before.
    rewarded_share:
        The share of units that earn anything.
    control_share:
        The share of units in control; treatment has the others.
    units_a_day:
        New units of both groups a day, each of them once.
    waiting:
        Units that are there on the first day already.
    explained_share:
        The share r^2 of the variance that a covariate explains (see ``adjusted_lift``).
    """

    mean: float
    variance: float
    rewarded_share: float
    control_share: float
    units_a_day: float
    waiting: int = 0
    explained_share: float = 0.0

    def __post_init__(self) -> None:
        amounts = {
            "mean": self.mean,
            "variance": self.variance,
            "units_a_day": self.units_a_day,
            "waiting": self.waiting,
        }
        for name, value in amounts.items():
            if not 0 <= value < math.inf:
                raise InvalidSample(f"{name} is {value}. Allowed: a number from 0.")
        shares = {
            "rewarded_share": self.rewarded_share,
            "control_share": self.control_share,
            "explained_share": self.explained_share,
        }
        for name, value in shares.items():
            if not 0 <= value <= 1:
                raise InvalidSample(f"{name} is {value}. Allowed: from 0 to 1.")

    @classmethod
    def of_rate(
        cls, rate: float, *, control_share: float, units_a_day: float, waiting: int = 0
    ) -> Outlook:
        """Expect a share ``rate`` of the units to convert; one conversion counts 1.

        >>> Outlook.of_rate(0.5, control_share=0.1, units_a_day=2000).variance
        0.25
        """
        if not 0 <= rate <= 1:
            raise InvalidSample(f"rate is {rate}. Allowed: from 0 to 1, such as 0.03.")
        return cls(
            mean=rate,
            variance=rate * (1 - rate),
            rewarded_share=rate,
            control_share=control_share,
            units_a_day=units_a_day,
            waiting=waiting,
        )

    def units(self, days: int) -> float:
        """Units of both groups by the end of the day ``days``, the first being 1."""
        return self.waiting + self.units_a_day * days

    @property
    def largest_effect(self) -> float:
        """The relative effect at which every unit of treatment would earn the same."""
        square = self.mean * self.mean
        return self.variance / square if square else 0.0

    def errors(self, effect: float, *, units: float) -> float:
        """How many standard errors the relative ``effect`` is from zero after ``units`` units.

        More units earn something, or fewer; those that do earn what they did: the mean and the mean
        square of treatment are both ``1 + effect`` times control's. Raises ``InvalidSample`` for an
        effect that cannot be.
        """
        if not -1 < effect < math.inf or effect == 0 or effect > self.largest_effect > 0:
            raise InvalidSample(
                f"An effect of {effect} on a mean of {self.mean} cannot be found. Allowed: above"
                f" -1, not 0, at most {self.largest_effect:.4g}; 0.1 is ten per cent more."
            )
        groups = self.control_share * units, (1 - self.control_share) * units
        if not (min(groups) > 0 and self.mean > 0 and self.variance > 0):
            return 0.0
        times = 1 + effect
        treated = times * (self.variance + self.mean**2) - (times * self.mean) ** 2
        variance = self.variance / groups[0] + max(0.0, treated) / groups[1]
        # A covariate that explains everything would leave no error at all.
        left = max(1 - self.explained_share, 1e-6)
        return self.mean * effect / math.sqrt(variance * left)
