"""How many people a use case is about, and the first of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from opportune.storage import State, load_sql

__all__ = ["AudiencePeople", "audience_people"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudiencePeople:
    """``people`` are in an audience; ``profile_ids`` are a few of them, in order."""

    people: int
    profile_ids: tuple[int, ...]


def audience_people(
    state: State, segments: Sequence[str], minus: Sequence[str], *, most: int = 3
) -> AudiencePeople:
    """Count who is in one of ``segments`` now and in none of ``minus``; name ``most`` of them."""
    facts = {"segments": list(segments), "minus": list(minus), "most": most}
    (row,) = state.rows(load_sql("opportune.decisions", "audience_people"), facts)
    return AudiencePeople(people=row["people"], profile_ids=tuple(row["profile_ids"]))
