"""What the tests of destinations share: definitions, events in the log's columns, the outbox."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opportune import profiles
from opportune.activation import (
    Channel,
    Destination,
    Feeder,
    abandon,
    channel_of,
    enquire,
    parse_destination,
    reach,
    send_due,
)
from opportune.events import (
    Event,
    FieldClasses,
    FieldPolicies,
    Recorded,
    count,
    event_table,
    keep_counts,
)
from opportune.storage import Frame, SegmentLog, Stores

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
# The published example of the Standard Webhooks specification.
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = (("OPPORTUNE_SECRET_KEY", "wk-one"), ("OPPORTUNE_SECRET_SIGN", SIGNING))


@dataclass
class Out:
    """Destinations in some stores, and the verbs to feed them and to send to them."""

    stores: Stores
    log: SegmentLog
    pool: ThreadPoolExecutor
    stack: ExitStack
    feeder: Feeder
    policies: FieldPolicies = field(default_factory=FieldPolicies)

    def apply(self, name: str = "crm", *, version: int = 1, **body: object) -> Destination:
        """Define a destination, a file unless told otherwise."""
        written = {"title": name, "connector": "file", **body}
        problems: list[str] = []
        parsed = parse_destination(name, written, problems)
        assert parsed is not None, problems
        self.stores.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " values ('destination', %(name)s, %(version)s, %(body)s, now())",
            {"name": name, "version": version, "body": json.dumps(written)},
        )
        return parsed

    def feed(self, *messages: Mapping[str, Any], received_at: datetime = NOW) -> int:
        """Take messages in as one batch; each is a track call unless it says otherwise."""
        received_us = int(received_at.timestamp() * 1_000_000)
        frames = []
        for place, message in enumerate(messages):
            event = Event(
                message_id=message.get("id", f"m{place}"),
                type=message.get("type", "track"),
                event=message.get("event"),
                user_id=message.get("user"),
                anonymous_id=message.get("anonymous"),
                occurred_at_us=message.get("at_us", received_us + place),
                properties=_text(message.get("properties")),
                traits=_text(message.get("traits")),
                context=_text(message.get("context")),
            )
            source = message.get("source", "shop")
            frame = Frame(received_at_us=received_us, source_id=source, kind="batch", body=b"")
            frames.append((frame, [event]))
        table = event_table(frames)
        recorded = Recorded(events=table, duplicates=0, rejected=0, blocked=table.slice(0, 0))
        counts = count(self.stores.engine, recorded, declared=FieldClasses())
        with self.stores.state.transaction() as connection:
            profiles.resolve(connection, table)
            added = self.feeder.feed(connection, table, policies=self.policies, counts=counts)
            keep_counts(connection, counts)
        return added

    def rows(self, name: str = "crm") -> list[dict[str, Any]]:
        """The rows for a destination in the order in which they came to be."""
        return self.stores.state.rows(
            "select key, use_case, day, connector, profile_id, user_id, message, due_at, state,"
            " attempts, attempted_at, reason from outbox"
            " where use_case = %(name)s order by sequence",
            {"name": channel_of(name)},
        )

    def messages(self, name: str = "crm") -> list[dict[str, Any]]:
        return [json.loads(row["message"]) for row in self.rows(name)]

    def states(self, name: str = "crm") -> dict[str, int]:
        found: dict[str, int] = {}
        for row in self.rows(name):
            found[row["state"]] = found.get(row["state"], 0) + 1
        return found

    def reach(self, destination: Destination, *, secrets: Any = SECRETS) -> Channel:
        """Open the way; nothing waits in real time."""
        settings = replace(self.stores.settings, secrets=secrets, destination_settle_s=0.0)
        clock = lambda: datetime.now(UTC)  # noqa: E731
        return reach(destination, settings, clock=clock, stack=self.stack)

    def send(self, channel: Channel, *, now: datetime = NOW) -> dict[str, int]:
        return dict(send_due(self.stores.state, channel, self.log, now=now, pool=self.pool))

    def ask(self, channel: Channel, *, now: datetime = NOW) -> dict[str, int]:
        return dict(enquire(self.stores.state, channel, self.log, now=now, pool=self.pool))

    def abandon(self) -> int:
        return abandon(self.stores.state, settle_s=300, takeover=True)

    def expire(self) -> None:
        """Let every wait be over."""
        self.stores.state.rows("update outbox set leased_until = clock_timestamp()")

    def drain(self, channel: Channel, *, now: datetime = NOW) -> None:
        """Send and ask until nothing is left to do."""
        while self.send(channel, now=now) or self.ask(channel, now=now):
            self.expire()


def _text(value: object) -> str | None:
    return None if value is None else value if isinstance(value, str) else json.dumps(value)


@pytest.fixture
def out(stores: Stores) -> Iterator[Out]:
    with (
        closing(SegmentLog(stores.settings.log_folder)) as log,
        ThreadPoolExecutor(8) as pool,
        ExitStack() as stack,
    ):
        yield Out(stores, log, pool, stack, Feeder())


@pytest.fixture(scope="session")
def later() -> timedelta:
    return timedelta(hours=1)
