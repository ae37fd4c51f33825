"""Let the policy learn from every day whose rewards are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol, cast, runtime_checkable

import msgspec

from opportune import plugins, policies
from opportune.decisions import ASKED_FEATURES, UseCase
from opportune.events import Metric
from opportune.learning.early import earliest_open, waiting
from opportune.learning.lessons import lessons, reward_kind
from opportune.learning.model import WarmStart
from opportune.storage import State, Stores, load_sql

__all__ = [
    "KEEP_DAYS",
    "PolicyKind",
    "Trained",
    "made_of",
    "model_days",
    "newest",
    "of_version",
    "prune_models",
    "started",
    "train",
]

# What was learned before a use case began is kept as the model of this version: none is before 1.
WARM = 0
# A kept policy may have tens of megabytes; a month of them can be looked into.
KEEP_DAYS = 35


class PolicyKind(Protocol):
    """What an entry point of ``opportune.policies`` is: a class; ``start`` knows nothing yet."""

    def start(
        self,
        space: policies.ActionSpace,
        *,
        features: int,
        reward: str,
        settings: Mapping[str, object],
    ) -> policies.Policy:
        """A policy that has seen nothing."""
        ...

    def from_bytes(self, data: bytes) -> policies.Policy:
        """A policy as it was kept."""
        ...


@runtime_checkable
class Moving(Protocol):
    """A policy that goes on when options or dimensions come and go; any other learns again."""

    def moved(self, space: policies.ActionSpace) -> policies.Policy:
        """The same policy for other options, known by their names."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A policy ready to decide a day, and what it is called in the decision log.

    ``warm_start`` is what it knew before its use case began, None: nothing. ``early`` is ``policy``
    when it has also seen ``waiting`` decisions whose rewards may still come: it decides its day,
    and nothing goes on from it.
    """

    policy: policies.Policy
    version: str
    trained_through: date | None
    warm_start: WarmStart | None = None
    early: policies.Policy | None = None
    waiting: int = 0

    @property
    def playing(self) -> policies.Policy:
        """What decides the day."""
        return self.policy if self.early is None else self.early


def train(
    stores: Stores, use_case: UseCase, metric: Metric, day: date, *, now: datetime | None = None
) -> Trained:
    """Return the policy that decides ``day``: the newest kept one, taught every matured day since.

    The result is kept, so that a second call returns the same policy without learning twice. A new
    version of the use case goes on from what an older one learned with the same features, reward,
    policy and settings, whatever became of its options. Otherwise it starts again, with the rewards
    of all versions that have the same features, reward and dimensions. What has learned nothing yet
    goes on from the warm start, if there is one.

    A policy that `policies.LearnsEarly` and has learned some day also sees, for this day alone,
    what the open days earned by ``now`` (`waiting`); not where that is None. Both are kept.

    `UseCase.as_champion` has a memory of its own. It begins with that of an older version whose
    policy, or champion, learned in the same way; where it is not to learn, it stays as it was then.
    """
    stores.lake.create("asked_features", ASKED_FEATURES)
    version = f"{use_case.learner}/{use_case.version}/{day}"
    kept = newest(stores, use_case, metric, day)
    if kept is not None and kept.version == version:
        return kept
    facts = {**made_of(use_case, metric), "day": day}
    if kept is not None and kept.trained_through is None:
        # It was kept before the warm start came.
        kept = _kept(stores, use_case, "model_before", {**facts, "version": WARM + 1}) or kept
    found = kept or Trained(policy=started(use_case, metric), version=version, trained_through=None)
    trained = replace(found, version=version, early=None, waiting=0)
    if kept is None or use_case.champion_learns or not use_case.is_champion:
        trained = _taught(stores, use_case, metric, trained, day=day, now=now)
    return _keep(stores, use_case, trained, facts)


def _taught(
    stores: Stores,
    use_case: UseCase,
    metric: Metric,
    known: Trained,
    *,
    day: date,
    now: datetime | None,
) -> Trained:
    """The same after every day that matured since, and with what open days earned so far."""
    facts = {**made_of(use_case, metric), "use_case": use_case.name}
    rows = stores.state.rows(load_sql("opportune.learning", "versions_alike"), facts)
    versions = sorted({use_case.version, *(row["version"] for row in rows)})
    policy, through = known.policy, known.trained_through
    for matured in _days(stores, use_case, metric, through, day):
        policy = policy.update(lessons(stores, use_case, metric, matured, versions=versions))
        through = matured
    trained = replace(known, policy=policy, trained_through=through)
    if now is not None and through is not None and isinstance(policy, policies.LearnsEarly):
        batch = waiting(stores, use_case, metric, (through, day), versions=versions, now=now)
        if batch is not None:
            early = policy.provisional(batch)
            trained = replace(trained, early=early, waiting=len(batch.rewards))
    return trained


def _keep(
    stores: Stores, use_case: UseCase, trained: Trained, facts: Mapping[str, object]
) -> Trained:
    """Keep what decides a day, and return what holds: where somebody was faster, theirs."""
    told = None if trained.warm_start is None else msgspec.json.encode(trained.warm_start).decode()
    row = {
        **facts,
        "trained_through": trained.trained_through,
        "body": trained.policy.to_bytes(),
        "warm_start": told,
        "provisional": None if trained.early is None else trained.early.to_bytes(),
        "waiting": trained.waiting,
    }
    if stores.state.rows(load_sql("opportune.learning", "keep_model"), row):
        return trained
    # What somebody kept a moment later may have seen more of the open days.
    return of_version(stores, use_case, trained.version) or trained


def newest(stores: Stores, use_case: UseCase, metric: Metric, day: date) -> Trained | None:
    """Return the policy that decides ``day`` as it was kept.

    A version whose first day was not run yet has that of the older one that it will go on from, or
    the warm start. None where there is none either.
    """
    facts = {**made_of(use_case, metric), "day": day}
    found = _kept(stores, use_case, "newest_model", facts)
    found = found or _kept(stores, use_case, "model_before", facts)
    if found is None and use_case.is_champion:
        found = _kept(stores, use_case, "model_before", {**facts, "use_case": use_case.name})
    return found


def of_version(stores: Stores, use_case: UseCase, name: str) -> Trained | None:
    """Return the policy that decisions call ``name``; None where it is not kept any more."""
    parts = name.rsplit("/", 2)
    if len(parts) != 3 or not parts[1].isdecimal():
        return None
    facts = {"use_case": parts[0], "version": int(parts[1]), "day": parts[2]}
    return _kept(stores, use_case, "model_of", facts)


def _kept(
    stores: Stores, use_case: UseCase, query: str, facts: Mapping[str, object]
) -> Trained | None:
    rows = stores.state.rows(load_sql("opportune.learning", query), facts, binary=True)
    return _as_kept(use_case, {**rows[0], "learner": facts["use_case"]}) if rows else None


def prune_models(state: State) -> None:
    """Drop kept policies that are `KEEP_DAYS` older than the newest of their version.

    A day that long ago can no more be decided again as it was; its decisions and their
    propensities are in the lake for good.
    """
    state.rows(load_sql("opportune.learning", "prune_models"), {"days": KEEP_DAYS})


def model_days(stores: Stores, day: date) -> dict[tuple[str, int], date]:
    """Return the day of each version's newest policy, by use case and version."""
    rows = stores.state.rows(load_sql("opportune.learning", "model_days"), {"day": day})
    return {(row["use_case"], row["version"]): row["day"] for row in rows}


def made_of(use_case: UseCase, metric: Metric) -> dict[str, object]:
    """Say what a model of this version learns from, and how, as it is kept beside the model."""
    meant = {
        "features": [[each.trait, *each.one_of] for each in use_case.features],
        "reward": [*metric.counted[:2], metric.unit, *metric.counted[2:]],
    }
    dimensions = [each.name for each in use_case.dimensions]
    learner = {"policy": use_case.policy, "settings": dict(use_case.policy_settings)}
    return {
        "use_case": use_case.learner,
        "version": use_case.version,
        "lessons": msgspec.json.encode({**meant, "dimensions": dimensions}).decode(),
        "learner": msgspec.json.encode({**meant, **learner}).decode(),
    }


def started(use_case: UseCase, metric: Metric) -> policies.Policy:
    """The policy of a use case that has seen nothing."""
    return _kind(use_case).start(
        use_case.space,
        features=use_case.feature_count,
        reward=reward_kind(metric),
        settings=use_case.policy_settings,
    )


def _kind(use_case: UseCase) -> PolicyKind:
    return cast(PolicyKind, plugins.load(plugins.POLICIES, use_case.policy))


def _as_kept(use_case: UseCase, kept: Mapping[str, Any]) -> Trained | None:
    """A kept policy for the options of this version; None for one that cannot go on over them."""
    policy = _over(use_case, kept, "body")
    if policy is None:
        return None
    return Trained(
        policy=policy,
        early=_over(use_case, kept, "provisional"),
        waiting=kept["waiting"],
        version=f"{kept['learner']}/{kept['version']}/{kept['day']}",
        trained_through=kept["trained_through"],
        warm_start=kept["warm_start"] and msgspec.convert(kept["warm_start"], WarmStart),
    )


def _over(use_case: UseCase, kept: Mapping[str, Any], column: str) -> policies.Policy | None:
    """A kept policy over the options of this version."""
    if kept[column] is None:
        return None
    policy = _kind(use_case).from_bytes(kept[column])
    if kept["version"] == use_case.version:
        return policy
    return policy.moved(use_case.space) if isinstance(policy, Moving) else None


def _days(
    stores: Stores, use_case: UseCase, metric: Metric, after: date | None, before: date
) -> list[date]:
    after = after or date.min
    since = max(after, earliest_open(metric, before))
    found = stores.engine.query(
        load_sql("opportune.learning", "days_to_learn"),
        {
            "use_case": use_case.name,
            "after": after.isoformat(),
            "since": since.isoformat(),
            "before": before.isoformat(),
        },
        tables={"rewards": ("day", after, before), "decisions": ("day", since, before)},
    )
    days: list[date] = found["day"].to_pylist()
    return days
