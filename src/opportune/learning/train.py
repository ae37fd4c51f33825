"""Let the policy learn from every day whose rewards are in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol, cast, runtime_checkable

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import plugins, policies
from opportune.decisions import ASKED_FEATURES, UseCase, matrix
from opportune.events import Metric
from opportune.learning.model import WarmStart
from opportune.storage import State, Stores, load_sql

__all__ = [
    "KEEP_DAYS",
    "PolicyKind",
    "Trained",
    "action_indices",
    "lessons",
    "made_of",
    "model_days",
    "newest",
    "of_version",
    "prune_models",
    "reward_kind",
    "rewards_of",
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

    ``warm_start`` is what it knew before its use case began, None: nothing.
    """

    policy: policies.Policy
    version: str
    trained_through: date | None
    warm_start: WarmStart | None = None


def train(stores: Stores, use_case: UseCase, metric: Metric, day: date) -> Trained:
    """Return the policy that decides ``day``: the newest kept one, taught every matured day since.

    The result is kept, so that a second call returns the same policy without learning twice. A new
    version of the use case goes on from what an older one learned with the same features, reward,
    policy and settings, whatever became of its options. Otherwise it starts again, with the rewards
    of all versions that have the same features, reward and dimensions. What has learned nothing yet
    goes on from the warm start, if there is one.
    """
    stores.lake.create("asked_features", ASKED_FEATURES)
    version = f"{use_case.name}/{use_case.version}/{day}"
    kept = newest(stores, use_case, metric, day)
    if kept is not None and kept.version == version:
        return kept
    facts = {**made_of(use_case, metric), "day": day}
    if kept is not None and kept.trained_through is None:
        # It was kept before the warm start came.
        kept = _kept(stores, use_case, "model_before", {**facts, "version": WARM + 1}) or kept
    policy = started(use_case, metric) if kept is None else kept.policy
    through = None if kept is None else kept.trained_through
    warm_start = None if kept is None else kept.warm_start
    alike = stores.state.rows(load_sql("opportune.learning", "versions_alike"), facts)
    versions = sorted({use_case.version, *(row["version"] for row in alike)})
    for matured in _days(stores, use_case, through, day):
        policy = policy.update(lessons(stores, use_case, metric, matured, versions=versions))
        through = matured
    told = None if warm_start is None else msgspec.json.encode(warm_start).decode()
    facts |= {"trained_through": through, "body": policy.to_bytes(), "warm_start": told}
    stores.state.rows(load_sql("opportune.learning", "keep_model"), facts)
    return Trained(policy=policy, version=version, trained_through=through, warm_start=warm_start)


def newest(stores: Stores, use_case: UseCase, metric: Metric, day: date) -> Trained | None:
    """Return the policy that decides ``day`` as it was kept.

    A version whose first day was not run yet has that of the older one that it will go on from, or
    the warm start. None where there is none either.
    """
    facts = {**made_of(use_case, metric), "day": day}
    found = _kept(stores, use_case, "newest_model", facts)
    return found or _kept(stores, use_case, "model_before", facts)


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
    return _as_kept(use_case, rows[0]) if rows else None


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


def reward_kind(metric: Metric) -> str:
    """Name what the policy models: whether anything happened, or how much it was worth."""
    return "binary" if metric.is_count else "amount"


def made_of(use_case: UseCase, metric: Metric) -> dict[str, object]:
    """Say what a model of this version learns from, and how, as it is kept beside the model."""
    meant = {
        "features": [[each.trait, *each.one_of] for each in use_case.features],
        "reward": [*metric.counted[:2], metric.unit, *metric.counted[2:]],
    }
    dimensions = [each.name for each in use_case.dimensions]
    learner = {"policy": use_case.policy, "settings": dict(use_case.policy_settings)}
    return {
        "use_case": use_case.name,
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
    policy = _kind(use_case).from_bytes(kept["body"])
    if kept["version"] != use_case.version:
        if not isinstance(policy, Moving):
            return None
        policy = policy.moved(use_case.space)
    return Trained(
        policy=policy,
        version=f"{use_case.name}/{kept['version']}/{kept['day']}",
        trained_through=kept["trained_through"],
        warm_start=kept["warm_start"] and msgspec.convert(kept["warm_start"], WarmStart),
    )


def _days(stores: Stores, use_case: UseCase, after: date | None, before: date) -> list[date]:
    found = stores.engine.query(
        load_sql("opportune.learning", "days_to_learn"),
        {
            "use_case": use_case.name,
            "after": (after or date.min).isoformat(),
            "before": before.isoformat(),
        },
        tables={"rewards": ("day", after or date.min, before)},
    )
    days: list[date] = found["day"].to_pylist()
    return days


def lessons(
    stores: Stores, use_case: UseCase, metric: Metric, day: date, *, versions: Sequence[int]
) -> policies.Batch:
    """Gather what was known, done and earned on ``day`` by those whom the policy decided for.

    Of ``versions`` of the use case with the same features, reward and dimensions; who got an option
    that is no more teaches nothing.
    """
    rows = stores.engine.query(
        load_sql("opportune.learning", "lessons"),
        {"use_case": use_case.name, "versions": list(versions), "day": day.isoformat()},
        tables=dict.fromkeys(
            ("features", "asked_features", "decisions", "rewards"), ("day", day, day)
        ),
    )
    rewards = rewards_of(metric, rows["reward"].to_numpy())
    actions = action_indices(use_case, rows["action"])
    known = (actions >= 0).all(axis=1)
    return policies.Batch(
        features=matrix(rows["values"], use_case.feature_count)[known],
        actions=actions[known],
        rewards=rewards[known],
        propensities=rows["propensity"].to_numpy()[known],
    )


def rewards_of(metric: Metric, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn what each decision brought into what a policy learns: ``(n,)``."""
    if reward_kind(metric) == "binary":
        # A count says whether the customer converted; a second order does not make it truer.
        return (values > 0).astype(np.float64)
    # Who gave back more than they bought since earned nothing.
    return np.maximum(values, 0.0)


def action_indices(use_case: UseCase, actions: pa.ChunkedArray) -> NDArray[np.int16]:
    """Turn n lists of option names into (n, D) option indices, -1 where there is no such option."""
    width = len(use_case.dimensions)
    flat = pc.list_flatten(actions).combine_chunks().dictionary_encode()
    codes = flat.indices.to_numpy().reshape(len(actions), width)
    names = flat.dictionary.to_pylist()
    indices = np.zeros(codes.shape, dtype=np.int16)
    for d, dimension in enumerate(use_case.dimensions):
        place = {option.name: o for o, option in enumerate(dimension.options)}
        found = np.array([place.get(name, -1) for name in names], dtype=np.int16)
        indices[:, d] = found[codes[:, d]]
    return indices
