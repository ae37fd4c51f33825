"""Look through people: a page of them, found by text or segment, in a chosen order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from opportune.profiles.get import Profile, profile_of
from opportune.profiles.regroup import ROOM
from opportune.storage import State, load_sql

__all__ = [
    "PEOPLE_PAGE",
    "People",
    "PeopleFilter",
    "PeopleOrder",
    "count_people",
    "people",
]

PEOPLE_PAGE = 200
UNSTORABLE = "\0"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleOrder:
    """By what people are sorted; ``trait`` names the trait where it is one of theirs."""

    by: Literal["last_seen", "first_seen", "name", "trait"] = "last_seen"
    trait: str = ""
    descending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFilter:
    """Who is meant: everything that is given must fit.

    ``search`` finds a part of a name or an email address, and the beginning of any identifier;
    ``segment`` its members now; ``ids`` profiles.
    """

    search: str = ""
    segment: str | None = None
    ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """One page of a list, and how many people the whole list has."""

    rows: tuple[Profile, ...]
    total: int


def people(
    state: State,
    chosen: PeopleFilter,
    *,
    order: PeopleOrder | None = None,
    skip: int = 0,
    limit: int = PEOPLE_PAGE,
) -> People:
    """Return up to ``limit`` (200) people after the first ``skip``, and how many there are in all.

    Of a page beyond the end the total is 0.
    """
    by = order or PeopleOrder()
    facts = {
        "search": chosen.search.replace(UNSTORABLE, "") or None,
        "segment": chosen.segment,
        "ids": None if chosen.ids is None else list(chosen.ids),
        "sort": by.by,
        "trait": by.trait.replace(UNSTORABLE, ""),
        "descending": by.descending,
        "rows": max(0, min(limit, PEOPLE_PAGE)),
        "skip": skip,
    }
    rows = state.rows(load_sql(ROOM, "people"), facts)
    return People(
        rows=tuple(profile_of(row) for row in rows), total=rows[0]["total"] if rows else 0
    )


def count_people(state: State) -> int:
    """Return how many people are known, visitors who never said who they are included."""
    count: int = state.rows(load_sql(ROOM, "count_people"))[0]["people"]
    return count
