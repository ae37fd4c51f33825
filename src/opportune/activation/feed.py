"""Put what destinations want of a batch of events into the outbox, and of a day's decisions."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from opportune.activation.channel import channel_of
from opportune.activation.destination import (
    CALLS,
    EVERY,
    Destination,
    parse_destination,
    sent_fields,
)
from opportune.activation.enqueue import keep_statistics, properties_of
from opportune.decisions import UseCase
from opportune.documents import InvalidDefinition
from opportune.events import (
    OURS,
    Counts,
    Field,
    FieldPolicies,
    Use,
    counted_fields,
    forbidden_fields,
)
from opportune.storage import Connection, Stores, fetch, load_sql, stage

__all__ = ["DECISION_EVENT", "SEGMENT_EVENTS", "Feeder", "tell_decisions"]

LOGGER = logging.getLogger("opportune")
ROOM = "opportune.activation"
SEGMENT_EVENTS = ("Segment Entered", "Segment Exited")
DECISION_EVENT = "Offer Decided"
TAKEN = (
    *("message_id", "event", "user_id", "anonymous_id", "occurred_at_us", "received_at_us"),
    "place",
)
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
    "said text",
    "place bigint",
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
        self._told: set[str] = set()

    def feed(
        self,
        connection: Connection,
        events: pa.Table,
        *,
        policies: FieldPolicies,
        counts: Counts,
    ) -> int:
        """Add what is wanted of ``events`` inside the caller's transaction; return how much it is.

        To be called once profiles know of ``events`` (columns of ``events.EVENTS``) and before the
        catalogue does; ``counts`` is what it will be told of them. A field that ``policies`` forbid
        for a destination stays here, also one that only its values tell, and that is told once. A
        message that is in the outbox already stays as it is. Where nobody wants anything, nothing
        is written.
        """
        destinations = self._read(connection)
        places = pa.array(np.arange(events.num_rows))
        events = events.append_column("place", places)
        wanted = [part for each in destinations for part in _wanted(each, events)]
        if not wanted:
            return 0
        stage(connection, "outgoing", STAGED, pa.concat_tables(wanted))
        withheld = self._withheld(connection, destinations, policies, counts)
        facts = {"wishes": _wishes(destinations, withheld)}
        for step in ("feed_located", "feed_profiles", "feed_events", "feed_told"):
            fetch(connection, load_sql(ROOM, step), facts)
        added: int = fetch(connection, load_sql(ROOM, "feed_added"))[0]["count"]
        keep_statistics(connection, added)
        fetch(connection, load_sql(ROOM, "feed_done"))
        return added

    def _withheld(
        self,
        connection: Connection,
        destinations: Sequence[Destination],
        policies: FieldPolicies,
        counts: Counts,
    ) -> dict[str, frozenset[Field]]:
        """Return the fields that may not leave, by destination."""
        known, personal = counted_fields(counts)
        rows = fetch(connection, load_sql("opportune.events", "known_fields"), {"personal": True})
        personal |= {Field(kind=row["kind"], name=row["name"]) for row in rows}
        every = [one for one in known if one.kind == "property" and one.event is None]
        withheld = {}
        for each in destinations:
            sent = sent_fields(each)
            asked = {
                *(Field(kind="trait", name=name) for name in sent.traits),
                *(Field(kind="property", name=name) for name in sent.properties),
                *(every if sent.every_property else ()),
            }
            use = Use(kind="destinations", name=each.name)
            found = forbidden_fields(use, sorted(asked, key=str), policies, personal=personal)
            withheld[each.name] = frozenset(one.field for one in found)
            for one in found:
                if (told := f"destinations/{each.name}: {one.message}") not in self._told:
                    self._told.add(told)
                    LOGGER.warning("field_forbidden: %s It was left out.", told)
        return withheld

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
        "only": destination.only or None,
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
    calls = sorted(destination.kinds.intersection(CALLS))
    parts += [(each, pc.equal(events["type"], each)) for each in calls]
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
            "said": events["traits"] if kind == "group" else nothing,
        }
    )


def _wishes(destinations: Sequence[Destination], withheld: Mapping[str, Collection[Field]]) -> str:
    """Write what the statements need to know of each destination."""
    wishes = [
        {
            "destination": each.name,
            "channel": channel_of(each.name),
            "connector": each.connector,
            "traits": _without(fields.traits, "trait", withheld[each.name]),
            "properties": _without(fields.properties, "property", withheld[each.name]),
            "left_out": sorted({one.name for one in withheld[each.name] if one.kind == "property"}),
            "every": fields.every_property,
            "echoes": each.echoes,
            "only_in": each.only or None,
        }
        for each in destinations
        for fields in [sent_fields(each)]
    ]
    return msgspec.json.encode(wishes).decode()


def _without(names: Sequence[str], kind: str, withheld: Collection[Field]) -> list[str]:
    left_out = {each.name for each in withheld if each.kind == kind}
    return [name for name in names if name not in left_out]
