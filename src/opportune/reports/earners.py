"""The people behind a card of a report: who is in a group, and what each of them brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from opportune.decisions import UseCase
from opportune.reports.decision_log import VARIANTS, InvalidDecisionFilter
from opportune.reports.summarise import totals_now
from opportune.storage import State, Stores, load_sql

__all__ = ["MOST_EARNERS", "Earner", "Earners", "earners"]

MOST_EARNERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Earner:
    """One profile of a group, and its rewards over the mature days.

    ``profile_id`` and ``user_id`` are of the profile it belongs to now, None where that is no more.
    """

    profile_id: int | None
    user_id: str | None
    reward: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Earners:
    """One page of the ``total`` profiles of ``variant``, those who brought most first."""

    as_of: datetime
    use_case: str
    version: int
    variant: str
    total: int
    first: int
    earners: tuple[Earner, ...]


def earners(
    stores: Stores,
    use_case: UseCase,
    variant: str,
    *,
    now: datetime,
    first: int = 0,
    limit: int = 50,
) -> Earners:
    """List the profiles that `performance` counts in ``variant``: as many, bringing as much.

    At most ``limit`` (200) after the ``first`` ones. Raises ``InvalidDecisionFilter`` for a variant
    that is none.
    """
    if variant not in VARIANTS:
        raise InvalidDecisionFilter(
            f"There is no variant '{variant}'. Allowed: {', '.join(VARIANTS)}."
        )
    totals = totals_now(stores, use_case)
    own = totals.filter(pc.equal(totals["variant"], variant)).select(["profile_id", "reward"])
    order = [("reward", "descending"), ("profile_id", "ascending")]
    page = own.take(pc.sort_indices(own, order)).slice(first, max(1, min(limit, MOST_EARNERS)))
    return Earners(
        as_of=now,
        use_case=use_case.name,
        version=use_case.version,
        variant=variant,
        total=own.num_rows,
        first=first,
        earners=_named(stores.state, page),
    )


def _named(state: State, page: pa.Table) -> tuple[Earner, ...]:
    ids = page["profile_id"].to_pylist()
    found = state.rows(load_sql("opportune.reports", "owners"), {"ids": ids}) if ids else []
    owners: dict[int, Mapping[str, Any]] = {row["id"]: row for row in found}
    return tuple(
        Earner(
            profile_id=owners[each]["profile_id"], user_id=owners[each]["user_id"], reward=reward
        )
        for each, reward in zip(ids, page["reward"].to_pylist(), strict=True)
    )
