"""The columns of a log, checked, and what off-policy estimators make of them in the end."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.stats.errors import InvalidPropensity, InvalidSample
from opportune.stats.moments import Moments, finite, moments
from opportune.stats.skewed import skewed_interval

__all__ = ["Estimate", "column", "estimate", "option_weights", "row_weights"]

Floats = NDArray[np.float64]

# Below this neither the normal approximation nor its correction for skewness says much.
TRUSTED_FROM = 100.0

# A weight of 1e100 still squares and sums; a smaller propensity is a zero that was computed badly.
LEAST_PROPENSITY = 1e-100


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """The mean reward of the target policy, in the unit of the rewards, and how far to trust it.

    Parameters
    ----------
    value:
        None where no row of the log speaks of the target.
    low, high:
        None where ``reason`` says why there are no bounds: then the value is no finding.
    effective_sample_size:
        (sum w)^2 / sum w^2 of the weights: rows of the target's own play that the log is worth.
        Below 100 there are no bounds, nor where a few rows of huge weight without a reward stand
        for much of the target's play, nor where an estimator without a model lacks much of it.
    mean_weight:
        The share of the target's probability that the log supports, give or take chance: about 1
        where it covers what the target plays; well below 1 means that much of the target's play
        never occurs in the log, which no effective sample size shows.
    count:
        Rows read.
    trustworthy:
        There are bounds.
    """

    value: float | None
    low: float | None
    high: float | None
    effective_sample_size: float
    mean_weight: float
    count: int
    trustworthy: bool
    reason: str


def row_weights(rewards: Floats, *, propensities: Floats, targets: Floats) -> tuple[Floats, Floats]:
    """Rewards ``(n,)`` and weights ``(n,)``: target over propensity of what was logged."""
    earned = finite(rewards, name="rewards")
    return earned, _ratios(propensities, targets, shape=earned.shape)


def option_weights(
    rewards: Floats, *, propensities: Floats, targets: Floats
) -> tuple[Floats, Floats]:
    """Rewards ``(n,)`` and weights ``(n, D)``: target over propensity of each option by itself."""
    earned = finite(rewards, name="rewards")
    dimensions = np.shape(propensities)[1:]
    if len(dimensions) != 1 or dimensions[0] < 1:
        raise InvalidSample(
            f"propensities has shape {np.shape(propensities)}. Allowed: one per reward and "
            f"dimension, ({earned.size}, D)."
        )
    return earned, _ratios(propensities, targets, shape=(earned.size, *dimensions))


def column(values: Floats, *, name: str, count: int) -> Floats:
    """Take ``values`` as ``(count,)`` finite numbers."""
    numbers = finite(values, name=name)
    if numbers.size != count:
        raise InvalidSample(_unequal(name, numbers.shape, (count,)))
    return numbers


def estimate(
    influence: Floats, *, rewards: Floats, weights: Floats, confidence: float, bare: bool = False
) -> Estimate:
    """Make an estimate of rows whose mean is the value and whose spread is its uncertainty.

    ``bare``: what the log lacks of the target's play counts as earning nothing, as neither a model
    nor the sum of the weights makes up for it.
    """
    interval = skewed_interval(influence, confidence=confidence)
    spent = moments(weights)
    size = _effective(spent)
    unknown = spent.mean == 0
    reason = interval.reason
    if spent.count and unknown:
        reason = "The target policy plays no logged action, so the log says nothing of it."
    elif not reason and size < TRUSTED_FROM:
        reason = (
            f"The log is worth {size:.0f} rows of the target policy's own play; from "
            f"{TRUSTED_FROM:.0f} on a number can be trusted."
        )
    elif interval.low is not None and interval.high is not None:
        reach = (interval.high - interval.low) / 2
        reason = _lacking(rewards, spent, reach=reach) if bare else ""
        reason = reason or _unseen(rewards, weights, reach=reach)
    return Estimate(
        value=None if unknown else interval.value,
        low=None if reason else interval.low,
        high=None if reason else interval.high,
        effective_sample_size=size,
        mean_weight=spent.mean,
        count=spent.count,
        trustworthy=not reason,
        reason=reason,
    )


def _lacking(rewards: Floats, spent: Moments, *, reach: float) -> str:
    """Why weights that are too small together make the interval wrong, or nothing.

    Refused if they are, beyond chance (three standard errors), and if what is missing would move
    the value by a quarter of the interval at the log's usual rewards.
    """
    lacking = 1 - spent.mean
    beyond_chance = lacking > 3 * math.sqrt(spent.mean_variance)
    if not beyond_chance or lacking * float(np.abs(rewards).mean()) <= reach / 2:
        return ""
    return (
        f"The log lacks {lacking:.0%} of the target policy's play, which here counts as earning"
        " nothing."
    )


def _unseen(rewards: Floats, weights: Floats, *, reach: float) -> str:
    """Why the spread of the rows misses what rare rows of huge weight would say, or nothing.

    Where rewards are rare, the few rows of largest weight may have none by chance: then the rows
    differ little, and the interval is narrow and wrong. So it is refused if rows, of which a single
    rewarded one would move the value by more than half the interval, stand for so much of the
    target's play that their usual rewards would move it by a quarter.
    """
    rewarded = np.abs(rewards[rewards != 0])
    if not rewarded.size:
        return ""
    heavy = weights * (rewarded.mean() / weights.size) > reach
    share = float(weights[heavy].sum()) / weights.size
    if share * float(np.abs(rewards).mean()) <= reach / 2:
        return ""
    return (
        f"{int(heavy.sum())} rows of the log stand for {share:.0%} of the target policy's play, and"
        " one reward more among them would leave the interval: too few to tell what it earns there."
    )


def _ratios(propensities: Floats, targets: Floats, *, shape: tuple[int, ...]) -> Floats:
    logged: Floats = np.asarray(propensities, dtype=np.float64)
    if logged.shape != shape:
        raise InvalidSample(_unequal("propensities", logged.shape, shape))
    bad = ~((logged >= LEAST_PROPENSITY) & (logged <= 1))
    if bad.any():
        raise InvalidPropensity(
            _outside("propensities", logged, bad, "above 0 (1e-100 or more) and at most 1")
        )
    wanted: Floats = np.asarray(targets, dtype=np.float64)
    if wanted.shape != shape:
        raise InvalidSample(_unequal("targets", wanted.shape, shape))
    bad = ~((wanted >= 0) & (wanted <= 1))
    if bad.any():
        raise InvalidSample(_outside("targets", wanted, bad, "0 to 1"))
    return wanted / logged


def _unequal(name: str, shape: tuple[int, ...], allowed: tuple[int, ...]) -> str:
    per = "one per reward" if len(allowed) == 1 else "one per reward and dimension"
    return f"{name} has shape {shape} for {allowed[0]} rewards. Allowed: {per}, {allowed}."


def _outside(name: str, values: Floats, bad: NDArray[np.bool_], allowed: str) -> str:
    rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
    return (
        f"{rows.size} of {len(values)} rows of {name} are outside the allowed range, the first at"
        f" index {rows[0]} ({values[bad][0]}). Allowed: {allowed}. Leave out rows whose probability"
        " was not logged."
    )


def _effective(weights: Moments) -> float:
    if weights.mean == 0:
        return 0.0
    scatter = math.sqrt(weights.m2) / weights.mean
    return weights.count / (1 + scatter * (scatter / weights.count))
