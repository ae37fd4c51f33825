"""Looks that were planned: what each may spend of the chance to be wrong, and what it finds.

The sum of the evidence walks like a Brownian motion: at the fraction t of the planned evidence
its mean is ``drift * t`` and its variance t. Between two looks the density of the walks that no
boundary has stopped yet is carried on by numerical integration (Armitage, McPherson and Rowe, JRSS
A 132, 1969; Jennison and Turnbull, "Group sequential methods", 2000, chapter 19).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from opportune.errors import nearest
from opportune.stats.errors import InvalidSample

__all__ = ["GroupSequentialPlan", "Spending", "crossed", "group_sequential"]

Floats = NDArray[np.float64]

Spending = Literal["obrien_fleming", "pocock"]

MOST_LOOKS = 400
# Looks closer together than this share of the plan say the same.
CLOSEST = 0.001
# The chance beyond so many standard errors is nothing, in double precision.
FARTHEST = 8.0
# Points of the integral for each standard deviation of a step, and as many as they are rounded to.
FINENESS = 2.0
BLOCK = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSequentialPlan:
    """At each look, how many standard errors from zero are enough to stop and say so.

    ``fractions`` are the shares of the planned units that are there at each look, ``spent`` the
    chance of a false alarm at this look or an earlier one. A boundary of 8 is none.
    """

    fractions: tuple[float, ...]
    boundaries: tuple[float, ...]
    spent: tuple[float, ...]
    confidence: float
    spending: Spending


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walks:
    """Those that go on after the look at ``time``: points of the density, and the mass of each."""

    time: float
    points: Floats
    masses: Floats


def group_sequential(
    looks: int | Sequence[float],
    *,
    confidence: float = 0.95,
    spending: Spending = "obrien_fleming",
) -> GroupSequentialPlan:
    """Plan ``looks`` at even distances, or at the given fractions of the planned units, up to 1.

    Each side may spend half of ``1 - confidence``, by the functions of Lan and DeMets ("Discrete
    sequential boundaries for clinical trials", Biometrika 70, 1983): "obrien_fleming" spends next
    to nothing early and leaves the last look almost as sharp as a single one; "pocock" spends
    evenly. Nothing but the fractions may decide when to look: a look that was not planned, or one
    after the end, is not covered.

    Raises ``InvalidSample`` for looks that do not rise to 1, or are more than 400, and for a
    confidence or spending that cannot be.

    >>> plan = group_sequential(5)
    >>> [round(each, 2) for each in plan.boundaries]
    [4.88, 3.36, 2.68, 2.29, 2.03]
    """
    fractions = _fractions(looks)
    if not 0 < confidence < 1:
        raise InvalidSample(
            f"confidence is {confidence}. Allowed: above 0 and below 1, such as 0.95."
        )
    if spending not in get_args(Spending):
        raise InvalidSample(
            f"Unknown spending {spending!r}. {nearest(spending, get_args(Spending))}"
        )
    spent = [_spent(time, 1 - confidence, spending) for time in fractions]
    boundaries, walks = [], _start()
    for index, step in enumerate(_steps(fractions)):
        times = _boundary(
            walks, fractions[index], spent[index] - (spent[index - 1] if index else 0)
        )
        boundaries.append(times)
        walks = _go_on(walks, fractions[index], times, drift=0.0, step=step)
    return GroupSequentialPlan(
        fractions=tuple(fractions),
        boundaries=tuple(boundaries),
        spent=tuple(spent),
        confidence=confidence,
        spending=spending,
    )


def crossed(
    fractions: Sequence[float], boundaries: Sequence[float], *, drift: float
) -> tuple[float, ...]:
    """The chance to have been beyond a boundary at each look or before it, on either side.

    ``drift`` is how many standard errors the effect is from zero at the fraction 1, so that 0 gives
    false alarms and anything else power. Fractions rise.

    >>> [round(each, 3) for each in crossed([0.2, 0.4, 0.6, 0.8, 1], [1.96] * 5, drift=0.0)]
    [0.05, 0.083, 0.107, 0.126, 0.142]
    """
    found, total, walks = [], 0.0, _start()
    for time, times, step in zip(fractions, boundaries, _steps(fractions), strict=True):
        total += _stopped(walks, time, times, drift=drift)
        walks = _go_on(walks, time, times, drift=drift, step=step)
        found.append(min(1.0, total))
    return tuple(found)


def _fractions(looks: int | Sequence[float]) -> list[float]:
    if isinstance(looks, int):
        looks = [look / looks for look in range(1, min(looks, MOST_LOOKS + 1) + 1)]
    fractions = [float(each) for each in looks]
    apart = [later - earlier for earlier, later in pairwise([0.0, *fractions])]
    if not (1 <= len(fractions) <= MOST_LOOKS and min(apart) >= CLOSEST and fractions[-1] == 1):
        raise InvalidSample(
            f"Looks are planned at {fractions[:5]}{' and so on' if len(fractions) > 5 else ''}."
            f" Allowed: 1 to {MOST_LOOKS} rising fractions of the planned units, at least {CLOSEST}"
            " apart, the last one 1."
        )
    return fractions


def _spent(time: float, alpha: float, spending: Spending) -> float:
    """What both sides together may have spent at the fraction ``time``."""
    if spending == "pocock":
        return alpha * math.log(1 + (math.e - 1) * time)
    limit = -NormalDist().inv_cdf(alpha / 4)
    return 2 * math.erfc(limit / math.sqrt(2 * time))


def _steps(fractions: Sequence[float]) -> Iterator[float]:
    """For each look, the standard deviation of the smaller step before and after it."""
    sizes = [later - earlier for earlier, later in pairwise([0.0, *fractions])]
    for before, after in pairwise([*sizes, math.inf]):
        yield math.sqrt(min(before, after))


def _start() -> _Walks:
    return _Walks(time=0.0, points=np.zeros(1), masses=np.ones(1))


def _boundary(walks: _Walks, time: float, chance: float) -> float:
    """The boundary that stops walks without drift with this chance, to nine digits."""
    low, high = 0.0, FARTHEST
    while high - low > 1e-9:
        middle = (low + high) / 2
        if _stopped(walks, time, middle, drift=0.0) > chance:
            low = middle
        else:
            high = middle
    return high


def _stopped(walks: _Walks, time: float, times: float, *, drift: float) -> float:
    passed = time - walks.time
    level, expected = times * math.sqrt(time), walks.points + drift * passed
    beyond = np.concatenate((level - expected, level + expected)) / math.sqrt(2 * passed)
    tails = np.array([math.erfc(each) for each in beyond.tolist()]) / 2
    return float(np.tile(walks.masses, 2) @ tails)


def _go_on(walks: _Walks, time: float, times: float, *, drift: float, step: float) -> _Walks:
    passed, spread = time - walks.time, math.sqrt(time)
    low = max(-times * spread, drift * time - FARTHEST * spread)
    high = min(times * spread, drift * time + FARTHEST * spread)
    if low >= high:
        return _Walks(time=time, points=np.zeros(0), masses=np.zeros(0))
    size = math.ceil(FINENESS * (high - low) / step / BLOCK) * BLOCK
    nodes, weights = _legendre(size)
    points = low + (high - low) / 2 * (nodes + 1)
    distances = points[:, None] - (walks.points + drift * passed)[None, :]
    density = np.exp(distances * distances / (-2 * passed)) @ walks.masses
    scale = (high - low) / 2 / math.sqrt(2 * math.pi * passed)
    return _Walks(time=time, points=points, masses=density * weights * scale)


@lru_cache(maxsize=16)
def _legendre(size: int) -> tuple[Floats, Floats]:
    nodes, weights = np.polynomial.legendre.leggauss(size)
    return nodes, weights
