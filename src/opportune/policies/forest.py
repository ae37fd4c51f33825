"""Boosted trees for every option, grown dimension by dimension: what `Trees` is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opportune.policies.errors import MissingExtra
from opportune.policies.evidence import RewardKind
from opportune.policies.space import ActionSpace
from opportune.policies.uniforms import uniforms

__all__ = ["Forest", "Growth", "Rows", "grow", "require_lightgbm", "unary"]

LEAST_ROWS = 100
"""An option with fewer rows gets its average only: trees would learn its luck by heart."""

PRIOR_ROWS = 10.0
"""Rows of the average that an option's own average is mixed with, in the unit of the loss."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """What is remembered: ``features`` (n, q), ``actions`` (n, D), ``rewards`` (n,).

    ``first`` is the number of the first row, counting all rows that were ever learned from.
    """

    features: Floats
    actions: NDArray[np.int16]
    rewards: Floats
    first: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How trees are grown: ``trees`` per option, at most ``leaves`` each, steps of ``rate``."""

    trees: int
    leaves: int
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forest:
    """One member: its average, and per option (over all dimensions) a shift and maybe trees.

    The score of an action is ``base + sum over dimensions of (shift + trees(x))`` of its options:
    log-odds for binary rewards. ``texts``: the trees in LightGBM's own format, "" for none.
    """

    base: float
    shifts: Floats
    texts: tuple[str, ...]


def require_lightgbm() -> Any:
    """LightGBM; `MissingExtra` if it is not installed."""
    try:
        import lightgbm
    except ImportError as error:
        raise MissingExtra(
            "The policy 'trees' needs LightGBM, which is not installed. Install opportune with "
            "its extra: pip install 'opportune[trees]'."
        ) from error
    except OSError as error:
        raise MissingExtra(
            f"LightGBM, which 'trees' needs, is installed but cannot be loaded: {error}. "
            "On Debian or Ubuntu: apt-get install libgomp1."
        ) from error
    return lightgbm


def grow(
    space: ActionSpace, rows: Rows, *, member: int, reward: RewardKind, growth: Growth
) -> Forest:
    """One member, from its own bootstrap of the rows: each counts 0, 1, 2, ... times.

    How often follows from the member and the row's number alone (Poisson with mean 1), so a row
    counts the same whatever was learned before or after it.
    """
    numbers = np.arange(rows.first, rows.first + len(rows.rewards))
    weights = _times(uniforms(f"trees:{member}", numbers))
    base = _base(weights, rows.rewards, reward)
    score = np.full(len(weights), base)
    shifts, texts = [], []
    for d, size in enumerate(space.sizes):
        for option in range(size):
            here = np.flatnonzero((rows.actions[:, d] == option) & (weights > 0))
            w, y = weights[here], rows.rewards[here]
            shift = _shift(w, y, score[here], reward)
            score[here] += shift
            text = ""
            if len(here) >= LEAST_ROWS and y.min() < y.max():
                text, more = _boosted(rows.features[here], y, w, score[here], reward, growth)
                score[here] += more
            shifts.append(shift)
            texts.append(text)
    return Forest(base=base, shifts=np.array(shifts), texts=tuple(texts))


def unary(forest: Forest, features: Floats) -> Floats:
    """What each option adds to the score for each profile: ``(n, options)``."""
    found = np.broadcast_to(forest.shifts, (len(features), len(forest.shifts))).copy()
    for option, text in enumerate(forest.texts):
        if text and len(features):
            more = _booster(text).predict(features, raw_score=True, num_threads=1)
            found[:, option] += more
    return found


@lru_cache(maxsize=2048)
def _booster(text: str) -> Any:
    """Trees from their text, which takes LightGBM longer than asking them about one profile."""
    return require_lightgbm().Booster(model_str=text)


def _boosted(
    features: Floats,
    y: Floats,
    weights: Floats,
    start: Floats,
    reward: RewardKind,
    growth: Growth,
) -> tuple[str, Floats]:
    """The trees that explain what ``start`` does not, as text, and what they say of the rows."""
    lightgbm = require_lightgbm()
    data = lightgbm.Dataset(
        features, label=y, weight=weights, init_score=start, free_raw_data=False
    )
    booster = lightgbm.train(_parameters(reward, growth), data, num_boost_round=growth.trees)
    more = booster.predict(features, raw_score=True, num_threads=1)
    return booster.model_to_string(), np.asarray(more, dtype=np.float64)


def _parameters(reward: RewardKind, growth: Growth) -> dict[str, object]:
    return {
        "objective": "binary" if reward == "binary" else "regression",
        "boost_from_average": False,
        "num_leaves": growth.leaves,
        "learning_rate": growth.rate,
        "min_sum_hessian_in_leaf": 5.0 if reward == "binary" else 50.0,
        "lambda_l2": 10.0,
        "max_bin": 63,
        "deterministic": True,
        "force_row_wise": True,
        # One thread: the order of a sum is then always the same.
        "num_threads": 1,
        "seed": 1,
        "verbosity": -1,
    }


def _base(weights: Floats, y: Floats, reward: RewardKind) -> float:
    if reward == "amount":
        return float((weights @ y) / max(weights.sum(), 1.0))
    rate = (weights @ y + 0.5) / (weights.sum() + 1.0)
    return float(np.log(rate / (1.0 - rate)))


def _shift(weights: Floats, y: Floats, score: Floats, reward: RewardKind) -> float:
    """The option's own average beside ``score``, drawn to it by the prior: penalised Newton."""
    if reward == "amount":
        return float(weights @ (y - score) / (weights.sum() + PRIOR_ROWS))
    shift = 0.0
    prior = PRIOR_ROWS * 0.1
    for _ in range(6):
        mean = 1.0 / (1.0 + np.exp(-np.clip(score + shift, -30.0, 30.0)))
        slope = weights @ (y - mean) - prior * shift
        shift += float(np.clip(slope / (weights @ (mean * (1.0 - mean)) + prior), -1.0, 1.0))
    return shift


def _times(chance: Floats) -> Floats:
    """Poisson numbers with mean 1 from numbers in [0, 1)."""
    return np.searchsorted(np.array(list(_poisson())), chance, side="right").astype(np.float64)


def _poisson() -> Iterator[float]:
    """The chances of at most 0, 1, 2, ... events."""
    term, total = float(np.exp(-1.0)), 0.0
    for k in range(1, 13):
        total += term
        yield total
        term /= k
