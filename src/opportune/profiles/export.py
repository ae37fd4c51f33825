"""A list of people as a table to take away: everybody of it, with the traits asked for."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from opportune.errors import InvalidInput
from opportune.profiles.people import PeopleFilter, PeopleOrder, facts_of
from opportune.profiles.regroup import ROOM
from opportune.storage import State, load_sql

__all__ = ["MOST_EXPORTED", "ListTooLong", "export_people"]

MOST_EXPORTED = 1_000_000
MOST_TRAITS = 6
FIXED = ("profile_id", "user_id", "first_seen_at", "last_seen_at")


class ListTooLong(InvalidInput):
    """A list has more people than one file may have."""

    code = "list_too_long"


def export_people(state: State, chosen: PeopleFilter, traits: Sequence[str]) -> pa.Table:
    """Return everybody of a list: id, user id, when they were seen, and up to six ``traits``.

    Who may be told the traits, the caller has asked. Raises ``ListTooLong``.
    """
    named = list(traits)[:MOST_TRAITS]
    facts = {
        **facts_of(chosen, PeopleOrder()),
        "columns": [*named, *[None] * (MOST_TRAITS - len(named))],
        "rows": MOST_EXPORTED + 1,
    }
    texts = [*FIXED[1:], *(f"trait_{place + 1}" for place in range(MOST_TRAITS))]
    schema = pa.schema([(FIXED[0], pa.int64()), *((name, pa.string()) for name in texts)])
    found = state.table(load_sql(ROOM, "people_exported"), schema, facts)
    if found.num_rows > MOST_EXPORTED:
        raise ListTooLong(
            f"The list has more than {MOST_EXPORTED} people, which is as many as a file may have. "
            "Choose a segment, or a part of a column, and export that."
        )
    kept = found.select(range(len(FIXED) + len(named)))
    return kept.rename_columns([*FIXED, *(f"trait {name}" for name in named)])
