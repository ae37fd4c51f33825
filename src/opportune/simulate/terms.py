"""What a truth is made of: functions of a customer, each column worth something per combination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Boxes", "Nearest", "Products", "Term", "columns"]

Floats = NDArray[np.float64]


class Term(Protocol):
    """Some functions of the standardised features."""

    @property
    def width(self) -> int:
        """How many columns it gives."""
        ...

    def columns(self, features: Floats) -> Floats:
        """Standardised features ``(n, 12)`` -> ``(n, width)``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """Products of features: no factor is the constant 1, one is linear, two is an interaction."""

    factors: tuple[tuple[int, ...], ...]

    @property
    def width(self) -> int:
        """One column a product."""
        return len(self.factors)

    def columns(self, features: Floats) -> Floats:
        """Each product."""
        return np.column_stack([features[:, list(each)].prod(axis=1) for each in self.factors])


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """Indicators that all of some features lie above (or not above) thresholds.

    A condition is (feature, threshold, above). ``shift`` is taken off each column: 0.5 centres a
    step, so that it does not move the average.
    """

    boxes: tuple[tuple[tuple[int, float, bool], ...], ...]
    shift: float = 0.0

    @property
    def width(self) -> int:
        """One column a box."""
        return len(self.boxes)

    def columns(self, features: Floats) -> Floats:
        """1 inside a box, 0 outside, less ``shift``."""
        inside = np.ones((len(features), len(self.boxes)), dtype=np.bool_)
        for place, conditions in enumerate(self.boxes):
            for feature, threshold, above in conditions:
                inside[:, place] &= (features[:, feature] > threshold) == above
        return np.asarray(inside.astype(np.float64) - self.shift)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Nearest:
    """Which of some centres ``(k, f)`` a customer is nearest to, by the ``features`` ``(f,)``."""

    features: tuple[int, ...]
    centres: Floats

    @property
    def width(self) -> int:
        """One column a centre."""
        return len(self.centres)

    def columns(self, features: Floats) -> Floats:
        """1 for the nearest centre, 0 for the others."""
        seen = features[:, list(self.features)]
        far = (self.centres**2).sum(axis=1) - 2.0 * seen @ self.centres.T
        return np.asarray(np.eye(len(self.centres))[far.argmin(axis=1)])


def columns(terms: tuple[Term, ...], features: Floats) -> Floats:
    """All columns of the terms beside each other: ``(n, q)``."""
    return np.concatenate([term.columns(features) for term in terms], axis=1)
