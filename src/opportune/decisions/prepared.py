"""The nouns of deciding for single profiles: what is made ready once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions.judge import Judge
from opportune.decisions.limits import Limits
from opportune.decisions.model import UseCase
from opportune.policies import ActionDistribution, Eligibility
from opportune.profiles import ConsentRules

__all__ = ["Decider", "Expect", "Explain", "Play"]

Floats = NDArray[np.float64]


class Play(Protocol):
    """A policy's probabilities for one seed."""

    def __call__(
        self, features: Floats, eligible: Eligibility, *, costs: policies.Costs | None
    ) -> ActionDistribution:
        """The probabilities for n profiles."""
        ...


Expect = Callable[[Floats, NDArray[np.int16]], Floats]
Explain = Callable[[Floats, NDArray[np.int16], Eligibility], policies.Contributions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """One version of a use case on one day, with the policy that decides that day.

    ``play`` gives the probabilities that the day's run would: the draws of the policy's
    coefficients depend on nothing else, and are made once. ``expect`` and ``explain`` are None for
    a policy that expects nothing, or does not say why. ``limits``: what decisions must keep to
    beside the rules; None: nothing. ``champion`` decides for the group of that name where its
    definition names a policy for it; None: that has none yet, or there is no such group.
    """

    use_case: UseCase
    day: date
    policy: str
    policy_version: str
    trained_through: date | None
    space: policies.ActionSpace
    judge: Judge
    play: Play
    expect: Expect | None
    explain: Explain | None
    consent: ConsentRules | None = None
    limits: Limits | None = None
    champion: Decider | None = None
