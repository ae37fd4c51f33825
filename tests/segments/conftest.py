"""A small world whose people do things, are linked and cut apart, while the clock goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pytest

from opportune import events, pipeline, profiles, rules, segments
from opportune.events import EVENTS
from opportune.profiles import IDENTIFIERS
from opportune.profiles.cut import Act, cut_off
from opportune.segments.refresh import EVERYONE, MEMBERS
from opportune.storage import (
    Connection,
    DuckDB,
    Engine,
    Frame,
    Lake,
    SegmentLog,
    Stores,
    fetch,
    load_sql,
    read_table,
)

ROOM = "opportune.segments"
Body = Mapping[str, object]


def microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)


@dataclass
class Followed:
    """Segments that follow what happens, all on one connection, and the same asked in bulk."""

    connection: Connection
    engine: Engine
    now: datetime
    bodies: Mapping[str, Body]
    reader: segments.WatchReader = field(default_factory=segments.WatchReader)
    happened: list[dict[str, object]] = field(default_factory=list)

    def begin(self) -> None:
        for name, rule in self.bodies.items():
            facts = {"name": name, "body": json.dumps({"rule": rule}), "now": self.now}
            fetch(
                self.connection,
                "insert into definition (kind, name, version, body, created_at)"
                " values ('segment', %(name)s, 1, %(body)s::jsonb, %(now)s)",
                facts,
            )
            fetch(
                self.connection,
                "insert into live_segment (segment, version, begun_at, filled_at)"
                " values (%(name)s, 1, %(now)s, %(now)s)",
                facts,
            )

    def take_in(self, *messages: Mapping[str, object]) -> None:
        """Take in a batch of messages, with their times in ``at`` before or after now."""
        rows = []
        for message in messages:
            at = self.now + message.get("at", timedelta(0))  # type: ignore[operator]
            rows.append(
                {
                    "message_id": f"m{len(self.happened) + len(rows):04}",
                    "source_id": "shop",
                    "type": "identify" if "traits" in message else "track",
                    "occurred_at": at,
                    "occurred_at_us": microseconds(at),
                    "received_at": self.now,
                    "received_at_us": microseconds(self.now),
                    **{name: message.get(name) for name in ("event", "user_id", "anonymous_id")},
                    **{
                        name: None if name not in message else json.dumps(message[name])
                        for name in ("properties", "traits")
                    },
                }
            )
        self.happened += rows
        table = pa.Table.from_pylist(rows, schema=EVENTS)
        profiles.resolve(self.connection, table)
        self.follow(table)

    def follow(self, events: pa.Table | None = None) -> int:
        return segments.follow(self.connection, self.engine, self.reader, events, now=self.now)

    def cuttable(self) -> list[tuple[int, int]]:
        rows = fetch(
            self.connection,
            "select identifier_id, profile_id from identifier where identifier_id <> profile_id"
            " order by identifier_id",
        )
        return [(row["identifier_id"], row["profile_id"]) for row in rows]

    def cut(self, identifier_id: int, profile_id: int) -> None:
        act = Act(by="ann", reason="two people", now=self.now)
        fetch(self.connection, load_sql("opportune.profiles", "lock_identity"))
        cut_off(self.connection, identifier_id, profile_id, act)

    def members(self) -> dict[str, list[int]]:
        rows = fetch(
            self.connection,
            "select segment, profile_id from segment_membership where left_at is null"
            " order by segment, profile_id",
        )
        found: dict[str, list[int]] = {name: [] for name in self.bodies}
        for row in rows:
            found[row["segment"]].append(row["profile_id"])
        return found

    def in_bulk(self) -> dict[str, list[int]]:
        """Ask each rule of everybody and all that happened."""
        found: dict[str, list[int]] = {}
        relations = {
            "events": pa.Table.from_pylist(self.happened, schema=EVENTS),
            "profiles": read_table(self.connection, load_sql(ROOM, "everyone"), EVERYONE),
            "identifiers": read_table(
                self.connection, load_sql("opportune.profiles", "identifiers"), IDENTIFIERS
            ),
        }
        for name, body in self.bodies.items():
            rule = rules.parse(body, where=name)
            asked = rules.to_sql(rule, now=self.now, sources={"events": load_sql(ROOM, "events")})
            members = [
                {"profile_id": each, "segment": part} for part, ids in found.items() for each in ids
            ]
            known = {**relations, "members": pa.Table.from_pylist(members, schema=MEMBERS)}
            answer = self.engine.query(asked.text, asked.parameters, relations=known)
            found[name] = answer["profile_id"].to_pylist()
        return found


T0 = datetime(2026, 3, 1, 6, tzinfo=UTC)


class Shop:
    """A shop with a clock of its own, whose segments follow what is put into its log."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores
        self.now = T0
        self.log = SegmentLog(stores.settings.log_folder)
        self.ingest = pipeline.Ingest(
            stores, {"batch": events.decode_segment}, clock=lambda: self.now
        )
        self.said = 0

    def define(self, name: str, rule: Mapping[str, object], *, version: int = 1) -> None:
        self.stores.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " values ('segment', %(name)s, %(version)s, %(body)s::jsonb, %(now)s)",
            {
                "name": name,
                "version": version,
                "body": json.dumps({"rule": rule}),
                "now": self.now,
            },
        )

    def follow(self) -> None:
        segments.sync(self.stores.state, now=self.now)
        segments.fill(self.stores, now=self.now)

    def say(self, *messages: Mapping[str, object]) -> None:
        self.said += 1
        batch = [
            {
                "type": "track",
                "messageId": f"m{self.said}-{place}",
                "timestamp": self.now.isoformat(),
                **message,
            }
            for place, message in enumerate(messages)
        ]
        self.log.append(
            Frame(
                received_at_us=round(self.now.timestamp() * 1_000_000),
                source_id="shop",
                kind="batch",
                body=msgspec.json.encode({"batch": batch}),
            )
        ).result()
        self.ingest.tick()

    def wait(self, span: timedelta) -> None:
        self.now += span
        self.ingest.tick()

    def announce(self) -> int:
        found = segments.announce(self.stores.state, self.log, now=self.now)
        self.ingest.catch_up()
        return found

    def intervals(self, name: str) -> list[tuple[timedelta, timedelta | None]]:
        rows = self.stores.state.rows(
            "select entered_at, left_at from segment_membership where segment = %(name)s"
            " order by entered_at, profile_id",
            {"name": name},
        )
        return [
            (row["entered_at"] - T0, None if row["left_at"] is None else row["left_at"] - T0)
            for row in rows
        ]

    def members(self, name: str) -> int:
        return [left for _, left in self.intervals(name)].count(None)

    def told(self) -> list[tuple[str, str, timedelta]]:
        rows = self.stores.lake.read("events").to_pylist()
        found = [
            (row["event"], row["user_id"] or row["anonymous_id"], row["occurred_at"] - T0)
            for row in rows
            if row["event"] in segments.OWN_EVENTS
        ]
        return sorted(found, key=lambda each: (each[2], each[0], each[1]))


@pytest.fixture
def shop(stores: Stores) -> Iterator[Shop]:
    shop = Shop(stores)
    yield shop
    shop.ingest.close()
    shop.log.close()


@pytest.fixture(scope="session")
def followed() -> type[Followed]:
    """Segments that follow what happens."""
    return Followed


@pytest.fixture(scope="session")
def duckdb(tmp_path_factory: pytest.TempPathFactory) -> DuckDB:
    """An engine of this process."""
    return DuckDB(Lake(tmp_path_factory.mktemp("lake")))
