"""A linear model of the reward over options and features, kept as sums that add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import MixedEvidence
from opportune.policies.model import Batch
from opportune.policies.space import ActionSpace

__all__ = ["Model", "Scale", "Sums", "fit", "gather", "scale_from", "standardised", "width"]

CLIP = 4.0
"""Standard deviations at which a feature is cut."""

Floats = NDArray[np.float64]
Actions = NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """``clip((x - center) / spread, -4, 4)``; missing features count as average."""

    center: Floats
    spread: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sums:
    """``products`` ``(p, p)`` phi phi', ``rewards`` ``(p,)`` phi y, ``rewarded`` phi [y != 0].

    ``center`` and ``spread`` ``(q - 1,)`` are the scale under which they were gathered.
    """

    center: Floats
    spread: Floats
    products: Floats
    rewards: Floats
    rewarded: Floats

    def __add__(self, other: Sums) -> Sums:
        """The sums over both sets of rows."""
        if not (
            self.products.shape == other.products.shape
            and np.array_equal(self.center, other.center)
            and np.array_equal(self.spread, other.spread)
        ):
            raise MixedEvidence(
                "The sums were gathered by two policies that differ in shape or feature scale. "
                "Gather all shards with the same policy, after its first update."
            )
        return Sums(
            center=self.center,
            spread=self.spread,
            products=self.products + other.products,
            rewards=self.rewards + other.rewards,
            rewarded=self.rewarded + other.rewarded,
        )

    def arrays(self) -> Mapping[str, Floats]:
        """Every array by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Model:
    """Per combination the weights ``(C, q)`` of reward and of being rewarded; ``scale`` of x."""

    scale: Scale
    reward: Floats
    rewarded: Floats


def scale_from(features: Floats) -> Scale:
    """Mean and standard deviation of the finite values; what does not vary keeps a spread of 1."""
    known = np.isfinite(features)
    count = np.maximum(known.sum(axis=0), 1)
    center = np.where(known, features, 0.0).sum(axis=0) / count
    spread = np.sqrt((np.where(known, features - center, 0.0) ** 2).sum(axis=0) / count)
    varies = spread > 1e-9 * np.maximum(np.abs(center), 1e-3)
    return Scale(center=center, spread=np.where(varies, spread, 1.0))


def standardised(scale: Scale, features: Floats) -> Floats:
    """``[1, features]`` on one scale: ``(n, q - 1)`` -> ``(n, q)``."""
    x = np.clip((features - scale.center) / scale.spread, -CLIP, CLIP)
    return np.concatenate([np.ones((len(x), 1)), np.nan_to_num(x, nan=0.0)], axis=1)


def gather(space: ActionSpace, scale: Scale, batch: Batch) -> Sums:
    """The sums over the rows of ``batch``; a row costs q^2, a combination that occurs p^2."""
    size = width(space, len(scale.center) + 1)
    found = Sums(
        center=scale.center,
        spread=scale.spread,
        products=np.zeros((size, size)),
        rewards=np.zeros(size),
        rewarded=np.zeros(size),
    )
    x = standardised(scale, batch.features)
    rewarded = (batch.rewards != 0).astype(np.float64)
    codes = space.codes(batch.actions)
    order = np.argsort(codes, kind="stable")
    present, starts = np.unique(codes[order], return_index=True)
    where = _places(space, x.shape[1], space.actions()[present])
    for (basis, ones), rows in zip(where, np.split(order, starts[1:]), strict=True):
        here, y, z = x[rows], batch.rewards[rows], rewarded[rows]
        spots = np.concatenate([basis.ravel(), ones])
        copies = np.concatenate([np.tile(np.arange(x.shape[1]), len(basis)), np.zeros_like(ones)])
        block = here.T @ here
        found.products[np.ix_(spots, spots)] += block[np.ix_(copies, copies)]
        found.rewards[spots] += (here.T @ y)[copies]
        found.rewarded[spots] += (here.T @ z)[copies]
    return found


def fit(space: ActionSpace, sums: Sums, shrinkage: float) -> Model:
    """Ridge regression: every coefficient but the intercept is drawn to 0 by ``shrinkage`` rows."""
    penalty = np.full(len(sums.rewards), shrinkage)
    penalty[0] = 1e-9
    both = np.linalg.solve(
        sums.products + np.diag(penalty), np.stack([sums.rewards, sums.rewarded], axis=1)
    )
    active = _places(space, len(sums.center) + 1, space.actions())
    basis, ones = (np.stack(each) for each in zip(*active, strict=True))
    folded = both[basis].sum(axis=1)
    folded[:, 0] += both[ones].sum(axis=1)
    scale = Scale(center=sums.center, spread=sums.spread)
    return Model(
        scale=scale,
        reward=np.ascontiguousarray(folded[..., 0]),
        rewarded=np.ascontiguousarray(folded[..., 1]),
    )


def width(space: ActionSpace, q: int) -> int:
    """How many coefficients there are: own, per option, and a table per pair of dimensions."""
    sizes = space.sizes
    pairs = sum(one * two for at, one in enumerate(sizes) for two in sizes[at + 1 :])
    return q * (1 + sum(sizes)) + pairs


def _places(space: ActionSpace, q: int, actions: Actions) -> list[tuple[NDArray[np.int64], ...]]:
    """Which coefficients are active for each action: ``(1 + D, q)`` on features, ``(pairs,)``."""
    sizes, wide = space.sizes, actions.astype(np.int64)
    starts = np.cumsum([0, *sizes])[:-1]
    blocks = np.concatenate([np.zeros((len(wide), 1), dtype=np.int64), 1 + starts + wide], axis=1)
    basis = blocks[:, :, None] * q + np.arange(q)
    tables = []
    start = q * (1 + sum(sizes))
    for d, one in enumerate(sizes):
        for e in range(d + 1, len(sizes)):
            tables.append(start + wide[:, d] * sizes[e] + wide[:, e])
            start += one * sizes[e]
    ones = np.stack(tables, axis=1) if tables else np.zeros((len(wide), 0), dtype=np.int64)
    return list(zip(basis, ones, strict=True))
