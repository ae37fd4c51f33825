"""Views of the list of people that somebody keeps: a segment, columns and an order under a title.

What was searched for is not kept: it may be somebody's name.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from opportune.errors import InvalidInput
from opportune.profiles.regroup import ROOM
from opportune.storage import State, load_sql

__all__ = ["InvalidView", "PeopleView", "drop_people_view", "keep_people_view", "people_views"]

LONGEST_TITLE = 100
MOST_VIEWS = 100


class InvalidView(InvalidInput):
    """A view of the list of people cannot be kept."""

    code = "invalid_view"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleView:
    """One view; ``sort`` is "last_seen", "first_seen", "name" or "trait:NAME"."""

    title: str
    segment: str | None
    columns: tuple[str, ...]
    sort: str
    descending: bool
    kept_by: str
    kept_at: datetime


def people_views(state: State) -> list[PeopleView]:
    """Return the views by title."""
    rows = state.rows(load_sql(ROOM, "views"))
    return [PeopleView(**{**row, "columns": tuple(row["columns"])}) for row in rows]


def keep_people_view(state: State, view: PeopleView) -> None:
    """Keep a view; one of the same title is replaced. Raises ``InvalidView``."""
    if not 0 < len(view.title) <= LONGEST_TITLE:
        raise InvalidView(f"A view has a title of 1 to {LONGEST_TITLE} signs. Nothing was kept.")
    titles = {each.title for each in people_views(state)}
    if len(titles - {view.title}) >= MOST_VIEWS:
        raise InvalidView(f"There are {MOST_VIEWS} views already. Let go of one of them first.")
    facts = {
        "title": view.title,
        "segment": view.segment,
        "columns": list(view.columns),
        "sort": view.sort,
        "descending": view.descending,
        "by": view.kept_by,
        "now": view.kept_at,
    }
    state.rows(load_sql(ROOM, "keep_view"), facts)


def drop_people_view(state: State, title: str) -> None:
    """Let go of a view; nothing happens where there is none."""
    state.rows(load_sql(ROOM, "drop_view"), {"title": title})
