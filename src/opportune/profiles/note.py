"""Note whose computed traits new events may change: with every batch, in few statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from opportune.events import parse_metrics
from opportune.profiles.computed import parse_computed_trait
from opportune.profiles.regroup import ROOM
from opportune.storage import Connection, fetch, load_sql

__all__ = ["ComputedReader", "note_computed"]

# The names that rules have for them.
PAGES = {"page": "Page Viewed", "screen": "Screen Viewed"}


class ComputedReader:
    """Reads again and again which events computed traits read; parses only what changed."""

    def __init__(self) -> None:
        self._versions: tuple[object, ...] = ()
        self._events: frozenset[str] = frozenset()

    def read(self, connection: Connection) -> frozenset[str]:
        """Return the names of the events that any computed trait reads now."""
        rows = fetch(connection, load_sql(ROOM, "computed_events"))
        versions = tuple((row["kind"], row["name"], row["version"]) for row in rows)
        if versions != self._versions:
            self._events = _events(rows)
            self._versions = versions
        return self._events


def note_computed(connection: Connection, reader: ComputedReader, events: pa.Table | None) -> None:
    """Note whose computed traits ``events`` (columns of ``events.EVENTS``) may change.

    In the transaction that takes them in, after `resolve` and before anybody else is told which
    profiles moved (``segments.follow``): those are noted as well. Without any computed trait,
    nothing is done.
    """
    names = reader.read(connection)
    if not names:
        return
    fetch(connection, load_sql(ROOM, "note_moved"))
    if events is None or not events.num_rows:
        return
    told = events.filter(_meant(events, names))
    if told.num_rows:
        is_user = pc.is_valid(told["user_id"])
        whose = pa.table(
            {
                "kind": pc.if_else(is_user, "user_id", "anonymous_id"),
                "value": pc.coalesce(told["user_id"], told["anonymous_id"]),
            }
        )
        once = whose.group_by(["kind", "value"]).aggregate([])
        facts = {"kinds": once["kind"].to_pylist(), "values": once["value"].to_pylist()}
        fetch(connection, load_sql(ROOM, "note_computed"), facts)


def _meant(events: pa.Table, names: frozenset[str]) -> pa.ChunkedArray:
    chosen = pc.is_in(events["event"], value_set=pa.array(sorted(names), pa.string()))
    for kind, name in PAGES.items():
        chosen = pc.if_else(pc.equal(events["type"], kind), name in names, chosen)
    return chosen


def _events(rows: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of the events that the computed traits among ``rows`` read."""
    bodies: dict[str, dict[str, Any]] = {"computed_trait": {}, "metric": {}}
    for row in rows:
        bodies[row["kind"]][row["name"]] = row["body"]
    metrics = parse_metrics(bodies["metric"], [])
    found = (
        parse_computed_trait(name, body, [], metrics=metrics)
        for name, body in bodies["computed_trait"].items()
    )
    return frozenset(name for trait in found if trait is not None for name in trait.events)
