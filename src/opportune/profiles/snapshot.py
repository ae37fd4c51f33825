"""All profiles at once, in columns: what segments, features and credit are computed from."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from opportune.profiles.model import View
from opportune.storage import State, load_sql

__all__ = ["IDENTIFIERS", "SNAPSHOT", "identifiers", "snapshot"]

SNAPSHOT = pa.schema(
    [
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("traits", pa.string(), nullable=False),
    ]
)
IDENTIFIERS = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("since_us", pa.int64(), nullable=False),
    ]
)
QUERIES: Mapping[View, str] = {"private": "snapshot", "none": "snapshot_alone"}


def snapshot(state: State, *, view: View = "private") -> pa.Table:
    """Return every profile that has a user id, once, with its traits as JSON text, by its id.

    In the view ``none`` every user id is a profile of its own, with what its own messages said.
    """
    return state.table(load_sql("opportune.profiles", QUERIES[view]), SNAPSHOT)


def identifiers(state: State) -> pa.Table:
    """Return the profile that each user id and anonymous id of an event means.

    Events before ``since_us`` (microseconds since 1970) are not the profile's: they happened
    before the login, and the person does not consent to their use.
    """
    return state.table(load_sql("opportune.profiles", "identifiers"), IDENTIFIERS)
