"""All profiles at once, in columns: what segments, features and credit are computed from."""

from __future__ import annotations

import pyarrow as pa

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
    ]
)


def snapshot(state: State) -> pa.Table:
    """Return every profile that has a user id, once, with its traits as JSON text, by its id."""
    return state.table(load_sql("opportune.profiles", "snapshot"), SNAPSHOT)


def identifiers(state: State) -> pa.Table:
    """Return every identifier with the profile it belongs to."""
    return state.table(load_sql("opportune.profiles", "identifiers"), IDENTIFIERS)
