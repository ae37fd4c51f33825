"""Put what destinations want of a batch of events into the outbox, and of a day's decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from opportune.activation.channel import channel_of
from opportune.activation.destination import EVERY, Destination, parse_destination, sent_fields
from opportune.activation.enqueue import keep_statistics, properties_of
from opportune.decisions import UseCase
from opportune.documents import InvalidDefinition
from opportune.storage import Connection, Stores, fetch, load_sql, stage

__all__ = ["DECISION_EVENT", "SEGMENT_EVENTS", "Feeder", "tell_decisions"]

ROOM = "opportune.activation"
SEGMENT_EVENTS = ("Segment Entered", "Segment Exited")
DECISION_EVENT = "Offer Decided"
# Whose events Opportune's own are.
OURS = "opportune"
TAKEN = ("message_id", "event", "user_id", "anonymous_id", "occurred_at_us", "received_at_us")
STAGED = (
    "destination text",
    "kind text",
    "message_id text",
    "event text",
    "user_id text",
    "anonymous_id text",
    "occurred_at_us bigint",
    "received_at_us bigint",
    "properties text",
    "context text",
    "place bigint generated always as identity",
)
DECIDED = (
    "decision_id text",
    "profile_id bigint",
    "user_id text",
    "variant text",
    "action text",
    "propensity float8",
    "decided_at_us bigint",
    "place bigint generated always as identity",
)


class Feeder:
    """Knows the destinations as they are applied, and reads them again when one changed."""

    def __init__(self) -> None:
        self._versions: tuple[object, ...] = ()
        self._destinations: tuple[Destination, ...] = ()

    def feed(self, connection: Connection, events: pa.Table) -> int:
        """Add what is wanted of ``events`` inside the caller's transaction; return how much it is.

        To be called once profiles know of ``events`` (columns of ``events.EVENTS``). A message that
        is in the outbox already stays as it is. Where nobody wants anything, nothing is written.
        """
        destinations = self._read(connection)
        wanted = [part for each in destinations for part in _wanted(each, events)]
        if not wanted:
            return 0
        stage(connection, "outgoing", STAGED, pa.concat_tables(wanted))
        facts = {"wishes": _wishes(destinations)}
        for step in ("feed_located", "feed_profiles", "feed_events"):
            fetch(connection, load_sql(ROOM, step), facts)
        added: int = fetch(connection, load_sql(ROOM, "feed_added"))[0]["count"]
        keep_statistics(connection, added)
        fetch(connection, load_sql(ROOM, "feed_done"))
        return added

    def _read(self, connection: Connection) -> tuple[Destination, ...]:
        rows = fetch(connection, load_sql(ROOM, "destination_definitions"))
        versions = tuple((row["name"], row["version"]) for row in rows)
        if versions != self._versions:
            problems: list[str] = []
            read = [parse_destination(row["name"], row["body"], problems) for row in rows]
            if problems:
                raise InvalidDefinition(problems)
            self._destinations = tuple(each for each in read if each is not None)
            self._versions = versions
        return self._destinations


def tell_decisions(
    stores: Stores, destination: Destination, use_case: UseCase, day: date, *, now: datetime
) -> int:
    """Add an event for each recommendation of ``day`` to the outbox; return how many were new.

    ``destination.variants`` says whose. The ids follow from the decisions', so that a second run
    changes nothing.
    """
    if "decision" not in destination.kinds:
        return 0
    decided = stores.engine.query(
        load_sql(ROOM, "decisions_of_day"),
        {"use_case": use_case.name, "day": day.isoformat()},
        tables={"decisions": ("day", day, day)},
    )
    chosen = decided.filter(pc.is_in(decided["variant"], value_set=pa.array(destination.variants)))
    columns = {name: chosen[name] for name in chosen.column_names if name != "action"}
    columns["action"] = properties_of(use_case, chosen["action"])["properties"]
    facts = {
        "channel": channel_of(destination.name),
        "destination": destination.name,
        "connector": destination.connector,
        "event": DECISION_EVENT,
        "use_case": use_case.name,
        "day": day,
        "now": now,
    }
    with stores.state.transaction() as connection:
        stage(connection, "decided", DECIDED, pa.table(columns))
        count: int = fetch(connection, load_sql(ROOM, "tell_decisions"), facts)[0]["count"]
        keep_statistics(connection, count)
    return count


def _wanted(destination: Destination, events: pa.Table) -> list[pa.Table]:
    """Return what ``destination`` asks for, by kind: as good as nothing is computed for a no."""
    parts = []
    tracked = pc.equal(events["type"], "track")
    if "profile" in destination.kinds:
        parts.append(("profile", pc.equal(events["type"], "identify")))
    if "segment" in destination.kinds:
        parts.append(("segment", _named(events, tracked, SEGMENT_EVENTS)))
    if destination.events:
        chosen = _named(events, tracked, sorted(destination.events))
        if EVERY in destination.events:
            others = pc.and_(tracked, pc.not_equal(events["source_id"], OURS))
            chosen = pc.or_(chosen, others)
        if "segment" in destination.kinds:
            chosen = pc.and_not(chosen, _named(events, tracked, SEGMENT_EVENTS))
        parts.append(("event", chosen))
    return [
        table
        for kind, mask in parts
        if (
            table := _outgoing(
                destination, kind, events.filter(_allowed(destination, events, mask))
            )
        )
    ]


def _named(events: pa.Table, tracked: pa.ChunkedArray, names: Sequence[str]) -> pa.ChunkedArray:
    named = pc.is_in(events["event"], value_set=pa.array(names, pa.string()))
    return pc.and_(tracked, named)


def _allowed(destination: Destination, events: pa.Table, mask: pa.ChunkedArray) -> pa.ChunkedArray:
    if not destination.except_sources:
        return mask
    sources = pa.array(sorted(destination.except_sources), pa.string())
    return pc.and_not(mask, pc.is_in(events["source_id"], value_set=sources))


def _outgoing(destination: Destination, kind: str, events: pa.Table) -> pa.Table | None:
    """Return the columns to stage, the context only where it may say that nobody wants it."""
    if not events.num_rows:
        return None
    nothing = pa.nulls(events.num_rows, pa.string())
    marked = pc.match_substring_regex(events["context"], '"(import|opportune)"')
    return pa.table(
        {
            "destination": pa.repeat(destination.name, events.num_rows),
            "kind": pa.repeat(kind, events.num_rows),
            **{name: events[name] for name in TAKEN},
            "properties": nothing if kind == "profile" else events["properties"],
            "context": pc.if_else(marked, events["context"], pa.scalar(None, pa.string())),
        }
    )


def _wishes(destinations: Sequence[Destination]) -> str:
    """Write what the statements need to know of each destination."""
    wishes = [
        {
            "destination": each.name,
            "channel": channel_of(each.name),
            "connector": each.connector,
            "traits": fields.traits,
            "properties": fields.properties,
            "every": fields.every_property,
            "echoes": each.echoes,
        }
        for each in destinations
        for fields in [sent_fields(each)]
    ]
    return msgspec.json.encode(wishes).decode()
