"""What a policy learns from: the rows of decided days, with features, actions and rewards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions import UseCase, matrix
from opportune.events import Metric
from opportune.storage import Stores, load_sql

__all__ = ["action_indices", "in_span", "lessons", "reward_kind", "rewards_of"]


def reward_kind(metric: Metric) -> str:
    """Name what the policy models: whether anything happened, or how much it was worth."""
    return "binary" if metric.is_count else "amount"


def lessons(
    stores: Stores, use_case: UseCase, metric: Metric, day: date, *, versions: Sequence[int]
) -> policies.Batch:
    """Gather what was known, done and earned on ``day`` by those whom the policy decided for.

    Of ``versions`` of the use case with the same features, reward and dimensions; who got an option
    that is no more teaches nothing.
    """
    return in_span(stores, use_case, metric, (day, day), versions=versions)[0]


def in_span(
    stores: Stores,
    use_case: UseCase,
    metric: Metric,
    days: tuple[date, date],
    *,
    versions: Sequence[int],
    rewards: pa.Table | None = None,
) -> tuple[policies.Batch, NDArray[np.float64]]:
    """Gather the lessons of all days from the first to the last, and when the window of each began.

    That is in microseconds since 1970, ``(n,)``. ``rewards`` take the place of the lake's.
    """
    tables = ("features", "asked_features", "decisions", "rewards")
    rows = stores.engine.query(
        load_sql("opportune.learning", "lessons"),
        {
            "use_case": use_case.name,
            "versions": list(versions),
            "since": days[0].isoformat(),
            "until": days[1].isoformat(),
        },
        tables=dict.fromkeys(tables[: None if rewards is None else -1], ("day", *days)),
        relations={} if rewards is None else {"rewards": rewards},
    )
    actions = action_indices(use_case, rows["action"])
    known = np.flatnonzero((actions >= 0).all(axis=1))
    batch = policies.Batch(
        features=matrix(rows["values"], use_case.feature_count),
        actions=actions,
        rewards=rewards_of(metric, rows["reward"].to_numpy()),
        propensities=rows["propensity"].to_numpy(),
    )
    return batch.take(known), rows["began_at_us"].to_numpy()[known]


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
