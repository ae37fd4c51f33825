"""Who of a use case's audience other use cases decide for, too, and how much they are sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from opportune import decisions
from opportune.decisions import UseCase
from opportune.storage import Stores, load_sql

__all__ = ["GroupElsewhere", "Overlap", "SendsPerProfile", "overlap"]

DAYS = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupElsewhere:
    """``profiles`` of the audience are in ``group`` of another use case; ``share`` of the audience.

    ``group`` is "treatment", "control", "random", "champion" or "holdout"; who is not in its
    audience is in none.
    """

    use_case: str
    group: str
    profiles: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SendsPerProfile:
    """``profiles`` of the audience were sent ``sends`` messages by ``use_cases`` use cases."""

    sends: int
    use_cases: int
    profiles: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """The audience of a use case, as of ``as_of``, in the groups of the others.

    ``sends`` are of the last ``days`` days and of all use cases, this one too; ``by_several``
    profiles were sent something by two use cases or more.
    """

    as_of: datetime
    use_case: str
    audience: int
    elsewhere: tuple[GroupElsewhere, ...]
    days: int
    sends: tuple[SendsPerProfile, ...]
    by_several: int
    answer: str


def overlap(
    stores: Stores, use_case: UseCase, others: Iterable[UseCase], *, now: datetime
) -> Overlap:
    """Count ``use_case``'s audience in the groups of ``others``, as segments are kept now."""
    theirs = [each for each in others if each.name != use_case.name]
    audience = decisions.audience_of(stores.state, use_case)["profile_id"].to_numpy()
    elsewhere = []
    for other in theirs:
        members = decisions.audience_of(stores.state, other)["profile_id"].to_numpy()
        both = np.intersect1d(audience, members)
        names, counts = np.unique(decisions.variants(other, both), return_counts=True)
        elsewhere += [
            GroupElsewhere(
                use_case=other.name, group=name, profiles=count, share=count / len(audience)
            )
            for name, count in zip(names.tolist(), counts.tolist(), strict=True)
        ]
    facts = {
        "segments": list(use_case.audience),
        "minus": list(use_case.minus),
        "use_cases": [use_case.name, *(each.name for each in theirs)],
        "since": now.date() - timedelta(days=DAYS),
    }
    rows = stores.state.rows(load_sql("opportune.reports", "sends_of_audience"), facts)
    sends = tuple(SendsPerProfile(**row) for row in rows)
    several = sum(each.profiles for each in sends if each.use_cases > 1)
    return Overlap(
        as_of=now,
        use_case=use_case.name,
        audience=len(audience),
        elsewhere=tuple(elsewhere),
        days=DAYS,
        sends=sends,
        by_several=several,
        answer=(
            f"{several:,} of {len(audience):,} profiles were sent something by two use cases or "
            f"more in the last {DAYS} days."
        ),
    )
