"""The nouns of decisions, and the two tables of the lake that this room writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

import pyarrow as pa

from opportune import policies, rules

__all__ = [
    "DECISIONS",
    "FEATURES",
    "Activation",
    "Dimension",
    "Feature",
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
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value of a dimension; without a rule everybody may get it."""

    name: str
    eligible: rules.Rule | None


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

    def decided_from(self, day: date) -> datetime:
        """When ``day`` is decided."""
        return datetime.combine(day, self.decide_at, tzinfo=UTC)
