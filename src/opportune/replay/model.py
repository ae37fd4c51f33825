"""The nouns of a replay: what the file's columns mean, its rows as columns, and what came out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune import decisions, learning, policies, stats

__all__ = [
    "Campaign",
    "LoggedDimension",
    "LoggedFeature",
    "Outcome",
    "Replayed",
    "Rival",
    "Schema",
]

Floats = NDArray[np.float64]

Propensity = str | float | Mapping[str, Mapping[str, float]]
"""A column, one number for every action, or per dimension's column the share of each value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedFeature:
    """A column known before the decision: a number, or a category.

    ``one_of`` are the categories to tell apart; empty with ``categorical`` means all in the file.
    ``name`` is the trait that it is in a use case.
    """

    column: str
    categorical: bool
    one_of: tuple[str, ...]
    # A replay is the same whatever the trait is called, so its fingerprint does not have it.
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedDimension:
    """A column that says what was chosen; ``options`` maps its values to names of options."""

    name: str
    column: str
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A column that says what came of it: ``kind`` "binary" (0 or 1) or "amount" (any number)."""

    name: str
    column: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What the columns of a campaign's file mean.

    ``control`` names one option per dimension. ``time`` is None or the column that orders the rows.
    ``batches`` counts the days that the training rows are played in; ``held_out_share`` is 0..1.
    """

    where: str
    title: str
    features: tuple[LoggedFeature, ...]
    dimensions: tuple[LoggedDimension, ...]
    control: tuple[str, ...]
    propensity: Propensity
    outcomes: tuple[Outcome, ...]
    time: str | None
    batches: int
    held_out_share: float

    @property
    def space(self) -> policies.ActionSpace:
        """What could be chosen."""
        return policies.ActionSpace(
            dimensions=tuple(
                policies.Dimension(name=each.name, options=tuple(each.options.values()))
                for each in self.dimensions
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Campaign:
    """The rows of a file, checked, as columns; a row is a customer who was decided for once.

    ``traits``: the feature columns, categories as texts. ``features``: how a policy sees them.
    ``actions``: ``(n, D)`` option indices. ``propensities``: ``(n,)``. ``dimension_propensities``:
    ``(n, D)``, NaN where only the whole action's is known. ``rewards``: ``(n,)`` by outcome.
    ``rank``: ``(n,)`` place of the row's time among all times, 0 without one. ``planned_shares``:
    how often each action was meant to be chosen, empty where every row has its own propensity.
    ``fingerprint``: hex digits that differ when rows or schema do. ``file`` and ``digest``: the
    file's name without its folder, and hex digits of its bytes.
    """

    file: str
    digest: str
    schema: Schema
    traits: pa.Table
    features: tuple[decisions.Feature, ...]
    actions: NDArray[np.int16]
    propensities: Floats
    dimension_propensities: Floats
    rewards: Mapping[str, Floats]
    rank: NDArray[np.int64]
    planned_shares: Mapping[tuple[str, ...], float]
    fingerprint: str

    @property
    def rows(self) -> int:
        """How many customers the file has."""
        return len(self.propensities)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rival:
    """Another policy that lived through the same days, and how much more than the best single
    action it earns, row by row.
    """

    policy: str
    found: learning.Evaluated
    edge: stats.Interval


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """What one outcome's replay found on the rows that were held out.

    ``singles``: every action for everybody, by its name; the control is one of them. ``edge``: how
    much more a row the learned policy earns than ``best_single``, the interval widened for having
    picked that action after looking. ``sample_ratio`` is None where the planned shares are unknown.
    ``rivals``: further policies, if any were compared.
    """

    outcome: Outcome
    seed: int
    training_rows: int
    held_out_rows: int
    days: int
    learned: learning.Evaluated
    control: learning.Evaluated
    singles: tuple[learning.Evaluated, ...]
    logged: learning.Evaluated
    best_single: str
    edge: stats.Interval
    sample_ratio: stats.SampleRatio | None
    rivals: tuple[Rival, ...] = ()
