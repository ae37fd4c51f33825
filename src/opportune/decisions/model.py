"""The nouns of decisions, and the two tables of the lake that this room writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune import policies, rules

__all__ = [
    "DECISIONS",
    "FEATURES",
    "Activation",
    "Budget",
    "Dimension",
    "Feature",
    "GuardRail",
    "Option",
    "UseCase",
]

# What was known of each profile of the audience when a day was decided.
FEATURES = pa.schema(
    [
        pa.field("use_case", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("values", pa.list_(pa.float64()), nullable=False),
        pa.field("eligible", pa.list_(pa.int64()), nullable=False),
    ]
)

DECISIONS = pa.schema(
    [
        pa.field("decision_id", pa.string(), nullable=False),
        pa.field("use_case", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("variant", pa.string(), nullable=False),
        pa.field("action", pa.list_(pa.string()), nullable=False),
        pa.field("propensity", pa.float64(), nullable=False),
        pa.field("dimension_propensities", pa.list_(pa.float64()), nullable=False),
        pa.field("eligible", pa.list_(pa.int64()), nullable=False),
        pa.field("policy_version", pa.string(), nullable=False),
        pa.field("explored", pa.bool_(), nullable=False),
        pa.field("decided_at", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("decided_at_us", pa.int64(), nullable=False),
        # What the action costs: due when it is sent, and due only when its reward comes.
        pa.field("cost", pa.float64()),
        pa.field("cost_rewarded", pa.float64()),
        # Of a unit of cost, when the day was decided; null where the use case has no budget.
        pa.field("shadow_price", pa.float64()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value of a dimension; without a rule everybody may get it.

    ``cost`` is due when it is "sent", or only when the reward comes ("rewarded").
    """

    name: str
    eligible: rules.Rule | None
    cost: float = 0.0
    cost_due: str = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """What is chosen. ``meaning`` "hour": the option's name is the hour of the day to send at."""

    name: str
    meaning: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A trait as the policy sees it: its number (true is 1), or 1 and 0 for each of ``one_of``.

    A text that says a number or a truth value counts as that. A profile without it has NaN there,
    which a policy reads as "like everybody else".
    """

    trait: str
    one_of: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many columns it makes."""
        return len(self.one_of) or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """Who sends, and what that connector needs to know.

    ``purpose`` is what a profile must allow before anything is sent to it, None: what the project
    says; ``channel`` is how it is sent where no dimension of that name decides it.
    """

    connector: str
    config: Mapping[str, str]
    purpose: str | None = None
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the options of a use case may cost together, in ``unit``; None: without that limit.

    ``unit`` None is the success metric's own.
    """

    per_day: float | None
    total: float | None
    unit: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRail:
    """What must not happen: the mean of ``metric`` per recipient beyond ``limit``.

    ``direction``: "at_most" or "at_least"; recipients are those of the last ``days`` days.
    """

    metric: str
    direction: str
    limit: float
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCase:
    """One decisioning problem, as its newest version says.

    ``version`` is 0 for a definition that was not applied yet.
    """

    name: str
    version: int
    title: str
    success_metric: str
    audience: tuple[str, ...]
    minus: tuple[str, ...]
    features: tuple[Feature, ...]
    dimensions: tuple[Dimension, ...]
    control_share: float
    policy: str
    decide_at: time
    activation: Activation
    policy_settings: Mapping[str, object] = field(default_factory=dict)
    random_share: float = 0.0
    exploration_min: float = 0.0
    budget: Budget | None = None
    guard_rails: tuple[GuardRail, ...] = ()

    @property
    def space(self) -> policies.ActionSpace:
        """The names that a policy chooses among."""
        return policies.ActionSpace(
            dimensions=tuple(
                policies.Dimension(
                    name=dimension.name,
                    options=tuple(option.name for option in dimension.options),
                )
                for dimension in self.dimensions
            )
        )

    @property
    def feature_count(self) -> int:
        """How many columns its features make."""
        return sum(feature.width for feature in self.features)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The name of each column, in order."""
        return tuple(
            name
            for feature in self.features
            for name in (
                [f"{feature.trait}={value}" for value in feature.one_of] or [feature.trait]
            )
        )

    @property
    def costs(self) -> policies.Costs | None:
        """What its options cost; None where all are free."""
        if not any(option.cost for each in self.dimensions for option in each.options):
            return None
        return policies.Costs(sent=self._costs_due("sent"), rewarded=self._costs_due("rewarded"))

    def _costs_due(self, due: str) -> tuple[NDArray[np.float64], ...]:
        return tuple(
            np.array([option.cost * (option.cost_due == due) for option in dimension.options])
            for dimension in self.dimensions
        )

    def decided_from(self, day: date) -> datetime:
        """When ``day`` is decided."""
        return datetime.combine(day, self.decide_at, tzinfo=UTC)
