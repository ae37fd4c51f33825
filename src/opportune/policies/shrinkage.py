"""From sums to belief: which coefficients matter, how large they are, and how sure that is.

Every coefficient is nothing (a narrow spike) or something (a wide slab), and how often and how
large is learned: the slab's variance of each type, the share of slabs of each group. Expectation
propagation (Minka 2001; for spike and slab Hernandez-Lobato et al. 2013), in parallel and damped,
approximates each coefficient's prior by one Gaussian factor (a *site*); together with the
likelihood's Gaussian that is a Gaussian posterior.

Only coefficients that may matter take part in the matrix algebra. What the others would say is
computed exactly for each alone (a Schur complement), so any of them comes back as data ask for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opportune.policies.algebra import factor, inverse_diagonal, solve, solve_lower
from opportune.policies.evidence import Sums
from opportune.policies.layout import TYPES, Layout

__all__ = ["Beliefs", "Gaussian", "fit", "gaussian", "posterior", "prior_beliefs", "sparse_prior"]

STEPS = 3
DAMPING = 0.6
SPIKE = 0.0025
"""Variance of a spike, as a share of its slab's: a twentieth of the standard deviation."""

INTERCEPT_VARIANCE = 25.0
ACTIVE = 0.02
"""Probability of being something from which a coefficient takes part."""

SMALL = 640
"""Up to so many coefficients all take part."""

SLAB_ROWS = 30.0
GROUP_ROWS = 10.0
TYPE_ROWS = 60.0
"""How many coefficients the prior of a slab, of a group's share, of a type's share is worth."""

# Per type: standard deviation of a slab in logits, share of slabs, before any data. The first four
# are the customer's own, the others are for three dimensions (narrower with more of them).
SLABS = (0.3, 0.2, 0.06, 0.06, 0.09, 0.075, 0.065, 0.09, 0.07)
SHARES = (0.9, 0.5, 0.05, 0.05, 0.9, 0.35, 0.04, 0.05, 0.8)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Beliefs:
    """What has been learned about the coefficients as such.

    ``precision``, ``weight``: ``(p,)`` the Gaussian sites. ``inclusion``: ``(p,)`` probability of
    being something. ``slabs``: ``(types,)`` variances. ``shares``: ``(groups,)``. ``noise``:
    residual variance (1 for a logit).
    """

    precision: Floats
    weight: Floats
    inclusion: Floats
    slabs: Floats
    shares: Floats
    noise: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gaussian:
    """The posterior of the coefficients that take part: ``active`` ``(k,)``.

    ``mean``: ``(k,)``. ``lower``: ``(k, k)`` Cholesky factor of the precision.
    """

    active: Ints
    mean: Floats
    lower: Floats

    def whole(self, size: int) -> Floats:
        """The mean of all ``(size,)`` coefficients."""
        mean = np.zeros(size)
        mean[self.active] = self.mean
        return mean


def prior_slabs(shape: Layout) -> Floats:
    """Variances of the slabs before data: ``(types,)``."""
    narrower = np.where(np.arange(TYPES) < 4, 1.0, np.sqrt(3.0 / len(shape.sizes)))
    return np.asarray((np.array(SLABS) * narrower) ** 2)


def prior_beliefs(shape: Layout) -> Beliefs:
    """Beliefs before data."""
    slabs, shares = prior_slabs(shape), np.array(SHARES)[shape.group_types]
    inclusion = shares[shape.groups]
    variance = inclusion * slabs[shape.types]
    variance[0] = INTERCEPT_VARIANCE
    return Beliefs(
        precision=1.0 / variance,
        weight=np.zeros(shape.size),
        inclusion=inclusion,
        slabs=slabs,
        shares=shares,
        noise=1.0,
    )


def sparse_prior(shape: Layout, beliefs: Beliefs) -> Floats:
    """A prior's precision ``(p,)`` that knows the structure, but no coefficient's value."""
    slab = beliefs.slabs[shape.types]
    variance = slab * (beliefs.inclusion + (1.0 - beliefs.inclusion) * SPIKE)
    variance[0] = INTERCEPT_VARIANCE
    return np.asarray(1.0 / variance)


def gaussian(
    sums: Sums, precision: Floats, weight: Floats, active: Ints, *, noise: float = 1.0
) -> Gaussian:
    """The posterior of some coefficients, the others being nothing."""
    square = sums.part(active, active) / noise
    square[np.diag_indices(len(active))] += precision[active]
    lower = factor(square)
    mean = solve(lower, sums.weighted[active] / noise + weight[active])
    return Gaussian(active=active, mean=mean, lower=lower)


def fit(
    shape: Layout, sums: Sums, beliefs: Beliefs, *, estimate_noise: bool = False
) -> tuple[Beliefs, Gaussian]:
    """Some steps of expectation propagation from where the last ones ended, and the posterior."""
    for _ in range(STEPS):
        found = posterior(shape, sums, beliefs)
        beliefs = _refined(shape, sums, beliefs, found)
        if estimate_noise:
            beliefs = replace(beliefs, noise=_noise(sums, found))
    return beliefs, posterior(shape, sums, beliefs)


def posterior(shape: Layout, sums: Sums, beliefs: Beliefs) -> Gaussian:
    """The posterior of the coefficients that may matter."""
    active = _active(shape, beliefs)
    return gaussian(sums, beliefs.precision, beliefs.weight, active, noise=beliefs.noise)


def _active(shape: Layout, beliefs: Beliefs) -> Ints:
    if shape.size <= SMALL:
        return np.arange(shape.size)
    chosen = beliefs.inclusion > ACTIVE
    chosen[0] = True
    return np.flatnonzero(chosen)


def _noise(sums: Sums, found: Gaussian) -> float:
    weighted = sums.weighted[found.active]
    square = sums.part(found.active, found.active)
    explained = float(2.0 * found.mean @ weighted - found.mean @ square @ found.mean)
    # One row's worth of doubt: a handful of equal amounts must not look certain.
    return (max(sums.squares - explained, 0.0) + 1.0) / (sums.rows + 1.0)


def _refined(shape: Layout, sums: Sums, beliefs: Beliefs, found: Gaussian) -> Beliefs:
    """One parallel step: every site and the learned shares and slabs."""
    cavity_mean, cavity_variance = _cavities(shape, sums, beliefs, found)
    slab = beliefs.slabs[shape.types]
    spike = SPIKE * slab
    share = beliefs.shares[shape.groups]
    wide, narrow = cavity_variance + slab, cavity_variance + spike
    log_odds = (
        np.log(share)
        - np.log1p(-share)
        - 0.5 * np.log(wide / narrow)
        - 0.5 * cavity_mean**2 * (1.0 / wide - 1.0 / narrow)
    )
    inclusion = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0)))
    mean_in, variance_in = cavity_mean * slab / wide, slab * cavity_variance / wide
    mean_out, variance_out = cavity_mean * spike / narrow, spike * cavity_variance / narrow
    mean = inclusion * mean_in + (1.0 - inclusion) * mean_out
    second_in = variance_in + mean_in**2
    second = inclusion * second_in + (1.0 - inclusion) * (variance_out + mean_out**2)
    precision = np.clip(1.0 / (second - mean**2) - 1.0 / cavity_variance, 1e-2, 1e8)
    weight = mean * (precision + 1.0 / cavity_variance) - cavity_mean / cavity_variance
    precision = np.exp(DAMPING * np.log(precision) + (1.0 - DAMPING) * np.log(beliefs.precision))
    weight = DAMPING * weight + (1.0 - DAMPING) * beliefs.weight
    precision[0], weight[0] = 1.0 / INTERCEPT_VARIANCE, 0.0
    return replace(
        beliefs,
        precision=precision,
        weight=weight,
        inclusion=inclusion,
        slabs=_slabs(shape, beliefs, inclusion, second_in),
        shares=_shares(shape, inclusion),
    )


def _cavities(
    shape: Layout, sums: Sums, beliefs: Beliefs, found: Gaussian
) -> tuple[Floats, Floats]:
    """What the data and all other coefficients say of each: mean and variance ``(p,)``."""
    mean, variance = np.empty(shape.size), np.empty(shape.size)
    active, noise = found.active, beliefs.noise
    marginal = inverse_diagonal(found.lower)
    own = beliefs.precision[active]
    variance[active] = 1.0 / np.maximum(1.0 / marginal - own, 1e-9)
    mean[active] = variance[active] * (found.mean / marginal - beliefs.weight[active])
    if len(active) < shape.size:
        rest = np.setdiff1d(np.arange(shape.size), active, assume_unique=True)
        across = sums.part(active, rest) / noise
        explained = solve_lower(found.lower, across)
        known = sums.precision[rest, rest] / noise - (explained**2).sum(axis=0)
        variance[rest] = 1.0 / np.maximum(known, 1e-9)
        mean[rest] = variance[rest] * (sums.weighted[rest] / noise - found.mean @ across)
    return mean, variance


def _slabs(shape: Layout, beliefs: Beliefs, inclusion: Floats, second: Floats) -> Floats:
    counted = np.bincount(shape.types[1:], weights=inclusion[1:], minlength=TYPES)
    squares = np.bincount(shape.types[1:], weights=(inclusion * second)[1:], minlength=TYPES)
    target = (squares + SLAB_ROWS * prior_slabs(shape)) / (counted + SLAB_ROWS)
    return np.asarray(np.sqrt(beliefs.slabs * target))


def _shares(shape: Layout, inclusion: Floats) -> Floats:
    prior = np.array(SHARES)
    counted = np.bincount(shape.types, weights=inclusion, minlength=TYPES)
    of_type = (counted + TYPE_ROWS * prior) / (
        np.bincount(shape.types, minlength=TYPES) + TYPE_ROWS
    )
    counted = np.bincount(shape.groups, weights=inclusion)
    sizes = np.bincount(shape.groups)
    shares = (counted + GROUP_ROWS * of_type[shape.group_types]) / (sizes + GROUP_ROWS)
    return np.asarray(np.clip(shares, 1e-4, 0.999))
