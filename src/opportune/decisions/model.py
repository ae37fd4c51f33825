"""The nouns of decisions, and the two tables of the lake that this room writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune import policies, rules
from opportune.decisions.constraints import Constraints

__all__ = [
    "DECISIONS",
    "FEATURES",
    "STATES",
    "WEEKDAYS",
    "Activation",
    "Budget",
    "Dimension",
    "Feature",
    "GuardRail",
    "Meaning",
    "Option",
    "UseCase",
]

# What was known of each profile of the audience when a day was decided. ``forbidden``: a bit for
# each forbidden combination that applies to it; ``recent``: places of the actions that it had too
# lately; ``reason``: why there is nothing to decide for it, null: there is.
FEATURES = pa.schema(
    [
        pa.field("use_case", pa.string(), nullable=False),
        pa.field("version", pa.int32(), nullable=False),
        pa.field("day", pa.date32(), nullable=False),
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("values", pa.list_(pa.float64()), nullable=False),
        pa.field("eligible", pa.list_(pa.int64()), nullable=False),
        pa.field("forbidden", pa.int64()),
        pa.field("recent", pa.list_(pa.int64())),
        pa.field("zone", pa.string()),
        pa.field("reason", pa.string()),
    ]
)

# ``due_at``: the earliest moment to send, in control as well; null: the action is to send nothing.
# ``variant`` "shadow": it was decided to look at it; nothing is sent, due, earned or learned.
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
        pa.field("due_at", pa.timestamp("us", "UTC")),
        pa.field("zone", pa.string()),
        # What the action costs: due when it is sent, and due only when its reward comes.
        pa.field("cost", pa.float64()),
        pa.field("cost_rewarded", pa.float64()),
        # Of a unit of cost, when the day was decided; null where the use case has no budget.
        pa.field("shadow_price", pa.float64()),
        # The reward that the policy expected of the action; null where it did not say.
        pa.field("expected", pa.float64()),
    ]
)

Meaning = Literal["choice", "channel", "hour", "day", "frequency"]
# What a use case may do: nothing yet; decide and send nothing; decide and send; nothing any more.
STATES = ("draft", "shadow", "live", "paused")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value of a dimension; without a rule everybody may get it.

    ``valid_from``, ``valid_until``: the first and last day that may be decided for it.
    ``parameters`` go along with what is sent. ``nothing``: an action with it is to send nothing.
    ``days``: in a dimension that means the frequency, days from this send to the next.
    ``cost`` is due when it is "sent", or only when the reward comes ("rewarded").
    """

    name: str
    eligible: rules.Rule | None
    valid_from: date | None = None
    valid_until: date | None = None
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    nothing: bool = False
    days: int = 0
    cost: float = 0.0
    cost_due: str = "sent"

    def is_valid(self, day: date) -> bool:
        """Say whether ``day`` may be decided for it."""
        return (self.valid_from or day) <= day <= (self.valid_until or day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """What is chosen.

    ``meaning`` "hour": the option's name is the hour of the day to send at, "day": the weekday
    (`WEEKDAYS`), both on the profile's own clock. "channel": the name is a channel, that people
    must allow. "frequency": the option says how soon the next send may be.
    """

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
    says; ``channel`` is how it is sent where no dimension of that name decides it. ``cancel_when``:
    a send that waits for its time is not made once its person "converted", or "left" the audience.
    ``schedule``: whose schedule it waits in, "ours" or "braze".
    """

    connector: str
    config: Mapping[str, str]
    purpose: str | None = None
    channel: str | None = None
    cancel_when: tuple[str, ...] = ()
    schedule: str = "ours"


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

    ``version`` is 0 for a definition that was not applied yet. ``state`` is what it may do, one of
    `STATES`; it is no part of the version. ``champion``: the option of each dimension that the
    group of that name gets, or ``champion_policy`` plays for it, which learns beside ``policy`` or
    stays as it was; ``holdout_share``: of all people, whom no use case sends anything.
    ``is_champion``: this is what `as_champion` returned.
    ``report_metrics`` are shown beside the success metric.
    ``aa``: control and treatment are treated alike, nobody is sent anything: a test of the program.
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
    constraints: Constraints = field(default_factory=Constraints)
    random_share: float = 0.0
    champion_share: float = 0.0
    champion: tuple[str, ...] = ()
    champion_policy: str = ""
    champion_settings: Mapping[str, object] = field(default_factory=dict)
    champion_learns: bool = True
    is_champion: bool = False
    holdout_share: float = 0.0
    aa: bool = False
    exploration_min: float = 0.0
    budget: Budget | None = None
    guard_rails: tuple[GuardRail, ...] = ()
    report_metrics: tuple[str, ...] = ()
    state: str = "live"

    @property
    def is_shadow(self) -> bool:
        """Whether it decides and sends nothing."""
        return self.state == "shadow"

    @property
    def decides(self) -> bool:
        """Whether it decides at all."""
        return self.state in ("shadow", "live")

    @property
    def as_champion(self) -> UseCase | None:
        """The same use case as the policy of its champion decides it; None: it has no such."""
        if not self.champion_policy:
            return None
        return replace(
            self,
            policy=self.champion_policy,
            policy_settings=self.champion_settings,
            is_champion=True,
        )

    @property
    def learner(self) -> str:
        """Under which name its policy is kept, and logged; no name of a use case has a colon."""
        return f"{self.name}:champion" if self.is_champion else self.name

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
    def audience_when_sent(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """The segments to be in, and not to be in, when something is sent; None: as decided."""
        return (self.audience, self.minus) if "left" in self.activation.cancel_when else None

    def place_of(self, meaning: Meaning) -> int | None:
        """The place of the dimension that means this; None if there is none."""
        places = (d for d, each in enumerate(self.dimensions) if each.meaning == meaning)
        return next(places, None)

    @property
    def is_timed(self) -> bool:
        """Whether the profile's own clock says when to send."""
        timed = any(each.meaning in ("hour", "day") for each in self.dimensions)
        return timed or self.constraints.quiet_hours is not None

    @property
    def conditions(self) -> tuple[tuple[str, rules.Rule], ...]:
        """Every rule about profiles, with the place in the definition where it stands."""
        options = (
            (f"dimensions.{dimension.name}.{option.name}.eligible", option.eligible)
            for dimension in self.dimensions
            for option in dimension.options
        )
        combinations = (
            (f"constraints.forbidden[{place}].when", each.when)
            for place, each in enumerate(self.constraints.forbidden)
        )
        every = (*options, *combinations)
        return tuple((where, rule) for where, rule in every if rule is not None)

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
