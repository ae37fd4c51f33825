"""Why an action was worth more, or less, than what else a profile might have got: in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from opportune.decisions.model import Feature, UseCase
from opportune.policies import Contributions

__all__ = ["MOST_FACTORS", "Factor", "by_trait", "factors_of", "in_words"]

MOST_FACTORS = 12

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """One reason for an action (``adds`` above 0) or against it, in log-odds of a reward.

    ``options``: what of the action it is about, two options where they matter together. ``trait``:
    by which trait of the profile, whose ``value`` this is (None: unknown, or of no option of the
    feature); None for what the options are worth to everybody. Neither: all smaller reasons
    together.
    """

    options: Mapping[str, str]
    trait: str | None
    value: str | float | None
    adds: float


def in_words(factor: Factor) -> str:
    """Say what the reason is.

    >>> in_words(Factor(options={"channel": "sms"}, trait="age", value=34.0, adds=0.2))
    'channel sms where age is 34'
    >>> in_words(Factor(options={"channel": "sms"}, trait=None, value=None, adds=0.2))
    'channel sms for everybody'
    """
    if not factor.options:
        return "everything smaller together"
    options = " with ".join(f"{name} {option}" for name, option in factor.options.items())
    if factor.trait is None:
        return options if len(factor.options) > 1 else f"{options} for everybody"
    value = f"{factor.value:g}" if isinstance(factor.value, float) else factor.value
    return f"{options} where {factor.trait} is {'none of its values' if value is None else value}"


def by_trait(use_case: UseCase, columns: Floats) -> Floats:
    """Sum over the columns of each feature: ``(..., feature_count)`` -> ``(..., features)``."""
    widths = [each.width for each in use_case.features]
    if not widths:
        return columns
    return np.asarray(np.add.reduceat(columns, np.cumsum([0, *widths[:-1]]), axis=-1))


def factors_of(
    use_case: UseCase,
    names: Sequence[Sequence[str]],
    values: Floats,
    found: Contributions,
) -> list[tuple[Factor, ...]]:
    """Say each row's reasons, the weightiest first; they add up to the row's total.

    ``names``: the chosen options of each row. ``values``: ``(n, feature_count)``.
    """
    per_trait = by_trait(use_case, found.features)
    # One row: of each dimension the options themselves and each trait, then the pairs.
    sizes = np.concatenate([found.options[:, :, None], per_trait], axis=2).reshape(len(names), -1)
    sizes = np.concatenate([sizes, found.pairs], axis=1)
    ranked = np.argsort(-np.abs(sizes), axis=1, kind="stable").tolist()
    return [
        _weightiest(use_case, names[row], values[row].tolist(), sizes[row].tolist(), ranked[row])
        for row in range(len(names))
    ]


def _weightiest(
    use_case: UseCase,
    names: Sequence[str],
    values: Sequence[float],
    sizes: Sequence[float],
    ranked: Sequence[int],
) -> tuple[Factor, ...]:
    chosen = [
        {dimension.name: name} for dimension, name in zip(use_case.dimensions, names, strict=True)
    ]
    known = [(None, None), *_values(use_case.features, values)]
    pairs = [one | other for one, other in combinations(chosen, 2)]
    found = list[Factor]()
    for place in ranked[:MOST_FACTORS]:
        if sizes[place] == 0.0:
            return tuple(found)
        d, about = divmod(place, len(known))
        if d < len(chosen):
            options, (trait, value) = chosen[d], known[about]
        else:
            options, (trait, value) = pairs[place - len(chosen) * len(known)], known[0]
        found.append(Factor(options=options, trait=trait, value=value, adds=sizes[place]))
    rest = [sizes[place] for place in ranked[MOST_FACTORS:]]
    if any(rest):
        found.append(Factor(options={}, trait=None, value=None, adds=sum(rest)))
    return tuple(found)


def _values(
    features: Sequence[Feature], values: Sequence[float]
) -> Iterator[tuple[str, str | float | None]]:
    start = 0
    for feature in features:
        own = values[start : start + feature.width]
        start += feature.width
        if feature.one_of:
            said = [name for name, here in zip(feature.one_of, own, strict=True) if here == 1.0]
            yield feature.trait, said[0] if said else None
        else:
            # NaN is what is not known.
            yield feature.trait, own[0] if own[0] == own[0] else None
