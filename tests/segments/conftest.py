"""A small world whose people do things, are linked and cut apart, while the clock goes on."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest

from opportune import profiles, rules, segments
from opportune.events import EVENTS
from opportune.profiles import IDENTIFIERS
from opportune.profiles.cut import Act, cut_off
from opportune.segments.refresh import EVERYONE, MEMBERS
from opportune.storage import Connection, DuckDB, Engine, fetch, load_sql, read_table

ROOM = "opportune.segments"
Body = Mapping[str, object]


@pytest.fixture(scope="session")
def drawn() -> ModuleType:
    """Random rules and histories that fit each other."""
    path = Path(__file__).parents[1] / "rules" / "drawn.py"
    spec = importlib.util.spec_from_file_location("tests_segments_drawn", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tests_segments_drawn"] = module
    spec.loader.exec_module(module)
    return module


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


@pytest.fixture(scope="session")
def followed() -> type[Followed]:
    """Segments that follow what happens."""
    return Followed


@pytest.fixture(scope="session")
def duckdb(tmp_path_factory: pytest.TempPathFactory) -> DuckDB:
    """An engine of this process."""
    from opportune.storage import Lake

    return DuckDB(Lake(tmp_path_factory.mktemp("lake")))
