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
    owner = np.repeat(
        np.eye(len(use_case.features)), [each.width for each in use_case.features], axis=0
    )
    return np.asarray(columns @ owner)


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
    return [
        _weightiest(
            list(_all(use_case, names[row], values[row].tolist(), found, per_trait, row)),
        )
        for row in range(len(names))
    ]


def _all(
    use_case: UseCase,
    names: Sequence[str],
    values: Sequence[float],
    found: Contributions,
    per_trait: Floats,
    row: int,
) -> Iterator[Factor]:
    chosen = [
        {dimension.name: name} for dimension, name in zip(use_case.dimensions, names, strict=True)
    ]
    known = list(_values(use_case.features, values))
    for d, options in enumerate(chosen):
        yield Factor(options=options, trait=None, value=None, adds=float(found.options[row, d]))
        for (trait, value), adds in zip(known, per_trait[row, d].tolist(), strict=True):
            yield Factor(options=options, trait=trait, value=value, adds=adds)
    for (one, other), adds in zip(combinations(chosen, 2), found.pairs[row].tolist(), strict=True):
        yield Factor(options=one | other, trait=None, value=None, adds=adds)


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


def _weightiest(reasons: list[Factor]) -> tuple[Factor, ...]:
    ranked = sorted((each for each in reasons if each.adds), key=lambda each: -abs(each.adds))
    shown, rest = ranked[:MOST_FACTORS], ranked[MOST_FACTORS:]
    if rest:
        left = sum(each.adds for each in rest)
        shown.append(Factor(options={}, trait=None, value=None, adds=left))
    return tuple(shown)
