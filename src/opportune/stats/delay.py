"""How long rewards take to come, counted where all of them have had the time to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.stats.errors import InvalidSample

__all__ = ["LEAST_REWARDS", "Arrived", "Delays", "arrived_by", "arrived_shares", "hours_until"]

LEAST_REWARDS = 100
"""With fewer, nothing is said before the window is over: at 100 the band is 0.14 wide each way."""

DOUBT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """In which hour after their window began the rewarded decisions had their first reward.

    ``counts``: one for each hour of the window, the first one first. Only decisions whose window
    is over may be counted: of the others, those that wait longest would be missing. It adds.
    """

    counts: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.counts or min(self.counts) < 0:
            raise InvalidSample(
                f"Delays over {len(self.counts)} hours were given, the least count being "
                f"{min(self.counts, default=0)}. Allowed: one hour or more, counts from 0."
            )

    def __add__(self, other: Delays) -> Delays:
        """The delays of both."""
        if len(self.counts) != len(other.counts):
            raise InvalidSample(
                f"Delays over {len(self.counts)} and {len(other.counts)} hours were given. "
                "Allowed: windows of the same length."
            )
        both = zip(self.counts, other.counts, strict=True)
        return Delays(counts=tuple(one + more for one, more in both))

    @property
    def rewarded(self) -> int:
        """How many decisions were rewarded."""
        return sum(self.counts)

    @property
    def hours(self) -> int:
        """The length of the window."""
        return len(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """The share of rewards, 0 to 1, that have come ``age_hours`` after their window began.

    ``low`` and ``high`` hold at all ages at once with 95 % confidence.
    """

    age_hours: float
    share: float
    low: float
    high: float


def arrived_shares(delays: Delays, ages_hours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of rewards that have come by each age ``(n,)``: 0 to 1, ``(n,)``.

    The empirical distribution: those of the full hours before, and of the hour that is running
    so much as has passed of it. 1 once the window is over; with fewer than `LEAST_REWARDS`, 0
    until then.

    >>> delays = Delays(counts=(60, 30, 0, 30))
    >>> arrived_shares(delays, np.array([0.0, 1.0, 1.5, 3.0, 4.0])).tolist()
    [0.0, 0.5, 0.625, 0.75, 1.0]
    >>> arrived_shares(Delays(counts=(6, 4)), np.array([1.0, 2.0])).tolist()
    [0.0, 1.0]
    """
    if delays.rewarded < LEAST_REWARDS:
        return np.where(ages_hours >= delays.hours, 1.0, 0.0)
    grown = np.concatenate([[0.0], np.cumsum(delays.counts)]) / delays.rewarded
    return np.interp(ages_hours, np.arange(delays.hours + 1), grown)


def arrived_by(delays: Delays, ages_hours: Sequence[float]) -> tuple[Arrived, ...]:
    """Return the share of rewards that have come by each age, with a band around all of them.

    The band is the share plus and minus sqrt(log(2 / 0.05) / (2 n)) for n rewards (Massart, "The
    tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of Probability 18, 1990).
    Empty where there are fewer than `LEAST_REWARDS`.

    >>> arrived_by(Delays(counts=(300, 100)), [1])
    (Arrived(age_hours=1, share=0.75, low=0.682094924212969, high=0.817905075787031),)
    """
    if delays.rewarded < LEAST_REWARDS:
        return ()
    wide = math.sqrt(math.log(2 / DOUBT) / (2 * delays.rewarded))
    shares = arrived_shares(delays, np.array(ages_hours, dtype=np.float64)).tolist()
    return tuple(
        # When the window is over, all have come: that is what the window says.
        Arrived(
            age_hours=age,
            share=share,
            low=1.0 if age >= delays.hours else max(share - wide, 0.0),
            high=min(share + wide, 1.0),
        )
        for age, share in zip(ages_hours, shares, strict=True)
    )


def hours_until(delays: Delays, share: float) -> int | None:
    """Return after how many full hours at least ``share`` of the rewards had come.

    None where there are fewer than `LEAST_REWARDS`.

    >>> hours_until(Delays(counts=(60, 30, 0, 30)), 0.9)
    4
    """
    if not 0 < share <= 1:
        raise InvalidSample(f"A share of {share} was given. Allowed: above 0 and up to 1.")
    if delays.rewarded < LEAST_REWARDS:
        return None
    reached = np.cumsum(delays.counts) >= share * delays.rewarded
    return int(reached.argmax()) + 1
