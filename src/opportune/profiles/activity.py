"""When identifiers were active, and which message told what: kept in few rows, with every batch."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from opportune.profiles.regroup import ROOM
from opportune.profiles.resolve import current_rules
from opportune.storage import Connection, fetch, load_sql, stage

__all__ = ["keep_activity"]

HOUR_US = 3_600_000_000
# Slashes may come escaped.
ZONE = r'"timezone"\s*:\s*"(?P<zone>[A-Za-z0-9_+/\\-]{2,64})"'
KEYS = ["user_id", "anonymous_id", "hour"]
HOURS = (
    "user_id text",
    "anonymous_id text",
    "hour int",
    "events int",
    "received_from_us bigint",
    "received_to_us bigint",
    "zone_at_us bigint",
    "zone text",
)
TELLINGS = (
    "user_id text",
    "anonymous_id text",
    "occurred_at_us bigint",
    "source_id text",
    "message_id text",
)


def keep_activity(connection: Connection, events: pa.Table) -> None:
    """Note in which hours ``events`` (columns of ``events.EVENTS``) happened, for their timeline.

    In the transaction that takes them in, after `resolve`: what is counted here is added to what
    was counted before. The newest ``context.timezone`` of an hour is noted beside it; which message
    an identifier's traits are from is kept as long as one of them counts.
    """
    if not events.num_rows:
        return
    stage(connection, "active", HOURS, _hours(events))
    fetch(connection, load_sql(ROOM, "keep_hours"))
    fetch(connection, "drop table active")
    told = events.filter(
        pc.and_(pc.equal(events["type"], "identify"), pc.is_valid(events["traits"]))
    )
    if told.num_rows:
        _keep_tellings(connection, told)


def _hours(events: pa.Table) -> pa.Table:
    """Count the events of each pair of ids and hour."""
    at_us = events["occurred_at_us"]
    zone = pc.struct_field(pc.extract_regex(events["context"], ZONE), "zone")
    rows = pa.table(
        {
            "user_id": events["user_id"],
            "anonymous_id": events["anonymous_id"],
            "hour": _floor(at_us),
            "received_at_us": events["received_at_us"],
            "zone": pc.replace_substring(zone, "\\", ""),
            "zone_at_us": pc.if_else(pc.is_valid(zone), at_us, pa.scalar(None, pa.int64())),
        }
    )
    by_hour = rows.group_by(KEYS).aggregate(
        [
            ("received_at_us", "count"),
            ("received_at_us", "min"),
            ("received_at_us", "max"),
            ("zone_at_us", "max"),
        ]
    )
    return _with_zones(by_hour, rows)


def _floor(at_us: pa.ChunkedArray) -> pa.ChunkedArray:
    hours = pc.divide(at_us, HOUR_US)
    # Division cuts towards zero, also before 1970.
    return pc.subtract(hours, pc.greater(pc.multiply(hours, HOUR_US), at_us).cast(pa.int64()))


def _with_zones(by_hour: pa.Table, rows: pa.Table) -> pa.Table:
    """Add the zone of the newest event; of two at once the one that is first in the alphabet."""
    names = {
        "received_at_us_count": "events",
        "received_at_us_min": "received_from_us",
        "received_at_us_max": "received_to_us",
        "zone_at_us_max": "zone_at_us",
    }
    hours = by_hour.rename_columns([names.get(name, name) for name in by_hour.column_names])
    zoned = rows.filter(pc.is_valid(rows["zone"]))
    if not zoned.num_rows:
        return hours.append_column("zone", pa.nulls(hours.num_rows, pa.string()))
    # Ids may be null, and nulls join nothing: each pair of ids gets a place of its own.
    named = zoned.group_by([*KEYS, "zone_at_us"]).aggregate([("zone", "min")])
    newest = _placed(named).join(
        _placed(hours).select(["place", "hour", "zone_at_us"]),
        keys=["place", "hour", "zone_at_us"],
        join_type="inner",
    )
    zones = newest.select(["place", "hour", "zone_min"]).rename_columns(["place", "hour", "zone"])
    return _placed(hours).join(zones, keys=["place", "hour"]).drop_columns(["place"])


def _placed(table: pa.Table) -> pa.Table:
    ids = [pc.fill_null(table[name], "") for name in KEYS[:2]]
    return table.append_column("place", pc.binary_join_element_wise(*ids, "\n"))


def _keep_tellings(connection: Connection, told: pa.Table) -> None:
    names = [column.split()[0] for column in TELLINGS]
    stage(connection, "teller", TELLINGS, told.select(names))
    rules = current_rules(connection)
    facts = {"blocked": sorted(rules.blocked), "blocked_patterns": list(rules.blocked_patterns)}
    fetch(connection, load_sql(ROOM, "keep_tellings"), facts)
    fetch(connection, load_sql(ROOM, "drop_tellings"), facts)
    fetch(connection, "drop table teller")
