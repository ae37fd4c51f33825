"""Look through people: a page of them, found by text or segment, in a chosen order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from opportune.profiles.get import Profile, profile_of
from opportune.profiles.regroup import ROOM
from opportune.storage import State, load_sql

__all__ = [
    "PEOPLE_PAGE",
    "People",
    "PeopleFilter",
    "PeopleOrder",
    "Picked",
    "count_active",
    "count_people",
    "facts_of",
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
class Picked:
    """A part of a column, as a bar of its chart has it; ``trait`` names the trait where it is one.

    ``part`` is "range" (from ``low``, below ``high``; a time in seconds since 1970), "value" (the
    text ``said``), "no_number" or "no_value" (whoever has none).
    """

    part: Literal["range", "value", "no_number", "no_value"]
    by: Literal["last_seen", "first_seen", "trait"]
    trait: str = ""
    low: float = 0.0
    high: float = 0.0
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleFilter:
    """Who is meant: everything that is given must fit.

    ``search`` finds a part of a name or an email address, and the beginning of any identifier;
    ``segment`` its members now; ``ids`` profiles; ``picked`` a part of a column.
    """

    search: str = ""
    segment: str | None = None
    ids: Sequence[int] | None = None
    picked: Picked | None = None


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
    most = max(0, min(limit, PEOPLE_PAGE))
    facts = facts_of(chosen, order or PeopleOrder()) | {"rows": most, "skip": skip}
    rows = state.rows(load_sql(ROOM, "people"), facts)
    total = skip + len(rows)
    if len(rows) == most:
        total = state.rows(load_sql(ROOM, "people_found"), facts)[0]["people"]
    return People(rows=tuple(profile_of(row) for row in rows), total=total if rows else 0)


def facts_of(chosen: PeopleFilter, order: PeopleOrder) -> dict[str, object]:
    """Return what the queries over a list are asked with."""
    picked = chosen.picked
    return {
        "search": chosen.search.replace(UNSTORABLE, "") or None,
        "segment": chosen.segment,
        "ids": None if chosen.ids is None else list(chosen.ids),
        "picked": None if picked is None else picked.part,
        "picked_sort": None if picked is None else picked.by,
        "picked_trait": None if picked is None else picked.trait.replace(UNSTORABLE, ""),
        "low": None if picked is None else picked.low,
        "high": None if picked is None else picked.high,
        "said": None if picked is None else picked.said.replace(UNSTORABLE, ""),
        "sort": order.by,
        "trait": order.trait.replace(UNSTORABLE, ""),
        "descending": order.descending,
    }


def count_active(state: State, *, since: datetime) -> int:
    """Return how many people did anything ``since``, visitors who never said who they are too."""
    count: int = state.rows(load_sql(ROOM, "count_active"), {"since": since})[0]["people"]
    return count


def count_people(state: State) -> int:
    """Return how many people are known, visitors who never said who they are included."""
    count: int = state.rows(load_sql(ROOM, "count_people"))[0]["people"]
    return count
