"""What the tests of audiences share: a shop whose segments follow its log, and what is told."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from opportune import activation, pipeline, segments, worker
from opportune.activation import Destination, Publishing, channel_of, parse_destination
from opportune.events import FieldPolicies
from opportune.segments import Audience, parse_audiences, parse_segments
from opportune.storage import Frame, SegmentLog, State, Stores

T0 = datetime(2026, 3, 1, 6, tzinfo=UTC)


@dataclass
class Shop:
    """Stores, a log that is taken in at once, and what is defined of audiences."""

    stores: Stores
    log: SegmentLog
    ingest: pipeline.Ingest
    audiences: dict[str, Audience] = field(default_factory=dict)
    destinations: dict[str, Destination] = field(default_factory=dict)
    rules: dict[str, Mapping[str, object]] = field(default_factory=dict)
    policies: FieldPolicies = field(default_factory=FieldPolicies)
    now: datetime = T0
    said: int = 0

    def define(self, kind: str, name: str, body: Mapping[str, object], *, version: int = 1) -> None:
        self.stores.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " values (%(kind)s, %(name)s, %(version)s, %(body)s::jsonb, now())",
            {"kind": kind, "name": name, "version": version, "body": json.dumps(body)},
        )

    def segment(self, name: str, rule: Mapping[str, object], *, version: int = 1) -> None:
        """Define a segment; it is filled when `fill` says so."""
        self.rules[name] = rule
        self.define("segment", name, {"rule": rule}, version=version)
        segments.sync(self.stores.state, now=self.now)

    def fill(self) -> None:
        segments.fill(self.stores, now=self.now)

    def audience(self, name: str = "reach", **body: object) -> None:
        problems: list[str] = []
        written = {"segments": ["buyers"], "minus": ["out"], **body}
        self.audiences |= parse_audiences({name: written}, dict.fromkeys(self.rules), problems)
        assert problems == []

    def destination(self, name: str = "crm", **body: object) -> Destination:
        problems: list[str] = []
        written = {"title": name, "connector": "file", "audiences": ["reach"], **body}
        parsed = parse_destination(name, written, problems)
        assert parsed is not None, problems
        self.destinations[name] = parsed
        return parsed

    def say(self, *messages: Mapping[str, object]) -> None:
        """Take messages in as one batch; each is a track call unless it says otherwise."""
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
        self.ingest.catch_up()

    def buy(self, *users: str, **ids: str) -> None:
        self.say(*({"event": "Order Completed", "userId": user, **ids} for user in users))

    @property
    def publishing(self) -> Publishing:
        bodies = {name: {"rule": rule} for name, rule in self.rules.items()}
        found = parse_segments(bodies, [])
        return Publishing(
            audiences=self.audiences,
            destinations=self.destinations,
            segments={name: each for name, each in found.items() if each is not None},
            policies=self.policies,
        )

    def publish(self, state: State | None = None) -> int:
        """Publish until nothing is left to do; return how many were looked at."""
        count = 0
        while found := activation.publish(
            state or self.stores.state, self.publishing, now=self.now
        ):
            count += found
        return count

    def messages(self, name: str = "crm") -> list[dict[str, Any]]:
        rows = self.stores.state.rows(
            "select message from outbox where use_case = %(name)s order by sequence",
            {"name": channel_of(name)},
        )
        return [json.loads(row["message"]) for row in rows]

    def told(self, name: str = "crm") -> list[tuple[str, bool]]:
        """Who came (true) or went, in the order in which it is told."""
        return [
            (each["userId"] or each["anonymousId"], each["event"] == "Audience Entered")
            for each in self.messages(name)
        ]

    def news(self, name: str = "crm") -> list[tuple[str, bool]]:
        """What `publish` tells now."""
        before = len(self.told(name))
        self.publish()
        return self.told(name)[before:]

    def reopened(self, state: State) -> Shop:
        """The same shop with another way to the database."""
        return replace(self, stores=replace(self.stores, state=state))


@pytest.fixture
def empty(stores: Stores) -> Iterator[Shop]:
    """A shop in which nothing is defined."""
    with closing(SegmentLog(stores.settings.log_folder)) as log:
        clock = lambda: shop.now  # noqa: E731
        ingest = pipeline.Ingest(stores, worker.decoders(stores), clock=clock)
        with closing(ingest):
            shop = Shop(stores, log, ingest)
            yield shop


@pytest.fixture
def shop(empty: Shop) -> Shop:
    empty.segment("buyers", {"event": "Order Completed"})
    empty.segment("out", {"trait": "newsletter", "is": False})
    empty.fill()
    empty.audience()
    empty.destination()
    return empty
