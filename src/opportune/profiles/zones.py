"""The time zone of each profile, in columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from zoneinfo import available_timezones

import pyarrow as pa
import pyarrow.compute as pc

from opportune.profiles.regroup import ROOM
from opportune.storage import State, load_sql

__all__ = ["ZONE_TRAITS", "existing_zones", "newest_zones", "zones_of"]

# Names by which a time zone is told as a trait; the first of them that a profile has counts.
ZONE_TRAITS = ("timezone", "time_zone", "timeZone")
ZONES = pa.schema(
    [
        pa.field("profile_id", pa.int64(), nullable=False),
        pa.field("zone", pa.string(), nullable=False),
    ]
)


def newest_zones(state: State) -> pa.Table:
    """Return of each profile the zone that its newest event with one named, whatever it says."""
    return state.table(load_sql(ROOM, "newest_zones"), ZONES)


def zones_of(
    told: Sequence[pa.ChunkedArray], context: pa.ChunkedArray, *, default: str
) -> pa.ChunkedArray:
    """Return the zone of each profile: that of its trait, else of its events, else ``default``.

    ``told`` has a column for each of `ZONE_TRAITS`, ``context`` what `newest_zones` found, null
    where there is nothing. A zone that does not exist counts as none.

    >>> column = lambda *given: pa.chunked_array([list(given)], pa.string())
    >>> told = [column("Asia/Tokyo", "Mars/Olympus"), column(None, None), column(None, None)]
    >>> zones_of(told, column(None, "Europe/Lisbon"), default="UTC").to_pylist()
    ['Asia/Tokyo', 'Europe/Lisbon']
    """
    return pc.coalesce(_real(pc.coalesce(*told)), _real(context), default)


def _real(zones: pa.ChunkedArray) -> pa.ChunkedArray:
    known = pc.is_in(zones, value_set=pa.array(sorted(existing_zones()), pa.string()))
    return pc.if_else(known, zones, pa.scalar(None, pa.string()))


@cache
def existing_zones() -> frozenset[str]:
    """Return the names of all time zones."""
    return frozenset(available_timezones())
