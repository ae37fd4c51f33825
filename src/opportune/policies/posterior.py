"""From evidence to belief: how different options usually are, the mean, and draws around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.policies.evidence import Evidence, RewardKind
from opportune.policies.layout import Layout, coefficients
from opportune.policies.uniforms import uniforms

__all__ = ["Fit", "committee", "fit", "mode", "prior_variances"]

SHRINKAGE_STEPS = 4
VARIANCE_LIMITS = (1e-5, 4.0)
WIDTH_RESPONSES = 5.0
"""Rewarded plays after which an option is sampled at 1/sqrt(2) of its posterior width."""
LEAST_WIDTH = 0.1

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """``mean``: ``(p,)`` posterior mean. ``variances``: ``(groups,)`` prior variance of each group.

    ``noise``: residual variance of amounts (1 for binary rewards, where it has no meaning). For
    amounts, variances are in units of the noise.
    """

    mean: Floats
    variances: Floats
    noise: float


def prior_variances(shape: Layout, *, reward: RewardKind) -> Floats:
    """Variances before data: ``(groups,)``.

    In logits: standard deviation 0.15 sqrt(3/D) for what an option does in a context and for
    pairs, 0.3 for main effects and the customer's own part, 5 for the intercept. Amounts: a third
    of that, in residual standard deviations, and an intercept that is free.
    """
    dimensions = len(shape.sizes)
    deviations = np.full(int(shape.groups.max()) + 1, 0.15 * np.sqrt(3.0 / dimensions))
    deviations[: shape.width] = 0.3
    deviations[shape.width * np.arange(1, 1 + dimensions)] = 0.3
    if reward == "amount":
        deviations /= 3.0
    deviations[0] = 5.0 if reward == "binary" else 100.0
    return np.asarray(deviations**2)


def mode(shape: Layout, total: Evidence, variances: Floats) -> Floats:
    """The posterior mean ``(p,)`` given the evidence and the prior variances."""
    return np.asarray(np.linalg.solve(_precision(shape, total, variances), total.weighted))


def fit(shape: Layout, total: Evidence, variances: Floats, *, reward: RewardKind) -> Fit:
    """Four damped MacKay (1992) steps on the prior variances, then the posterior mean.

    ``gamma_g = n_g - sum diag(A^-1) / tau_g^2``;
    ``tau_g^2 <- sqrt(tau_g^2 (sum m^2 + 0.2 tau_0^2) / (gamma_g + 1))``. This is what switches
    irrelevant features and dimensions off. The intercept is one coefficient and says nothing of
    others, so its prior stays.
    """
    first = prior_variances(shape, reward=reward)
    sizes = np.bincount(shape.groups)
    for _ in range(SHRINKAGE_STEPS):
        covariance = np.linalg.inv(_precision(shape, total, variances))
        mean = covariance @ total.weighted
        spent = np.bincount(shape.groups, weights=np.diag(covariance))
        known = sizes - spent / variances
        noise = _noise(total, mean, float(known.sum()), reward)
        squares = np.bincount(shape.groups, weights=mean**2) / noise
        target = variances * (squares + 0.2 * first) / (np.maximum(known, 0.0) + 1.0)
        variances = np.clip(np.sqrt(target), *VARIANCE_LIMITS)
        variances[0] = first[0]
    return Fit(mean=mode(shape, total, variances), variances=variances, noise=noise)


def committee(shape: Layout, total: Evidence, fitted: Fit, *, draws: int, seed: int) -> Floats:
    """Draws ``(draws, p)`` around the mean; the customer's own part, equal for all, is left 0.

    An option is sampled at full posterior width while little is known of it, at a tenth of it
    once its rewarded plays are many: ``max(0.1, sqrt(5 / (5 + plays)))``; pairs take the larger.
    """
    lower = np.linalg.cholesky(_precision(shape, total, fitted.variances))
    noise = np.sqrt(fitted.noise) * np.linalg.solve(lower.T, _normals(seed, shape.size, draws))
    width = np.sqrt(WIDTH_RESPONSES / (WIDTH_RESPONSES + total.responses))
    spread = coefficients(shape, np.maximum(LEAST_WIDTH, width))
    drawn = fitted.mean + spread * noise.T
    drawn[:, : shape.width] = 0.0
    return np.asarray(drawn)


def _precision(shape: Layout, total: Evidence, variances: Floats) -> Floats:
    precision = total.precision.copy()
    precision[np.diag_indices(shape.size)] += 1.0 / variances[shape.groups]
    return precision


def _noise(total: Evidence, mean: Floats, known: float, reward: RewardKind) -> float:
    if reward == "binary" or total.reward_squares == 0:
        return 1.0
    explained = float(2.0 * mean @ total.weighted - mean @ total.precision @ mean)
    residual = (total.reward_squares - explained) / max(total.rows - known, 1.0)
    # Rewards that never vary leave nothing: keep a sliver, so that scales stay finite.
    return max(residual, 1e-9 * total.reward_squares / total.rows)


def _normals(seed: int, rows: int, columns: int) -> Floats:
    """Standard normal numbers from the room's own hash (Box-Muller): the same for ever."""
    count = rows * columns
    flat = uniforms(f"committee:{seed}", np.arange(2 * count))
    radius = np.sqrt(-2.0 * np.log1p(-flat[:count]))
    return np.asarray((radius * np.cos(2.0 * np.pi * flat[count:])).reshape(rows, columns))
