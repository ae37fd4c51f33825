"""What the tests of `send` share: due rows, the sandbox at nine, and the verbs to work on them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from opportune.activation import (
    Answer,
    Bearer,
    Channel,
    Connector,
    Delivery,
    Request,
    Send,
    Transport,
    abandon,
    enquire,
    send_due,
)
from opportune.activation.connectors import connector
from opportune.events import Decoded, decode_segment
from opportune.sandbox import CAMPAIGN_ID
from opportune.storage import Frame, SegmentLog, Stores, read_frames

DAY = date(2026, 3, 1)
NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
# Waits of the outbox are real time: none at all, so that nothing here waits for the clock.
SETTLE_S = 0.0


@dataclass
class Slow:
    """Braze's connector with limits of its own, with answers that are given, or with a refusal."""

    batch_size: int = 50
    calls_per_hour: int = 250_000
    outcome: str | None = None
    retry_after_s: float | None = None
    refusal: Exception | None = None
    name: str = "slow"
    real: Connector = field(default_factory=lambda: connector("braze"))

    def check_config(self, config: Mapping[str, str]) -> list[str]:
        return []

    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        if self.refusal is not None:
            raise self.refusal
        return [
            each
            for start in range(0, len(sends), self.batch_size)
            for each in self.real.requests(sends[start : start + self.batch_size], config)
        ]

    def deliveries(self, request: Request, answer: Answer) -> list[Delivery]:
        if self.outcome is None:
            return self.real.deliveries(request, answer)
        return [
            Delivery(
                key=key,
                outcome=self.outcome,  # type: ignore[arg-type]  # one of the four, from a test
                reason="as told",
                dispatch_id=None,
                retry_after_s=self.retry_after_s,
            )
            for key in request.keys
        ]

    def enquiries(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        return self.real.enquiries(sends, config)

    def findings(
        self, request: Request, answer: Answer, *, since: datetime, config: Mapping[str, str]
    ) -> list[Delivery]:
        return self.deliveries(request, answer)

    def decode(self, frame: Frame) -> Decoded:
        return self.real.decode(frame)


@dataclass(frozen=True)
class Sender:
    """The verbs with everything they need, and the outbox they work on."""

    stores: Stores
    log: SegmentLog
    pool: ThreadPoolExecutor
    channel: Channel

    def fill(
        self,
        customers: int | Sequence[int],
        *,
        day: date = DAY,
        name: str = "win_back",
        due_at: datetime = NINE,
    ) -> None:
        """Put a pending row a customer into the outbox."""
        chosen = range(1, customers + 1) if isinstance(customers, int) else customers
        self.stores.state.rows(
            "insert into outbox"
            " (key, use_case, day, connector, profile_id, user_id, properties, due_at)"
            " select %(prefix)s || lpad(n::text, 6, '0'), %(name)s, %(day)s, 'braze', n,"
            " 'c' || lpad(n::text, 6, '0'), '{\"offer\": \"bundle\"}', %(due_at)s"
            " from unnest(%(numbers)s::int[]) as n",
            {
                "prefix": f"{name}:{day:%Y%m%d}:",
                "name": name,
                "day": day,
                "numbers": list(chosen),
                "due_at": due_at,
            },
        )

    def answering(self, call: Callable[[Request], Answer]) -> Channel:
        """The channel with another receiver."""
        return replace(self.channel, call=call)

    def slow(self, **limits: Any) -> Channel:
        """The channel with another connector."""
        return replace(self.channel, connector=Slow(**limits))

    def send(self, channel: Channel | None = None, *, now: datetime = NINE) -> Counter[str]:
        used = channel or self.channel
        return send_due(self.stores.state, used, self.log, now=now, pool=self.pool)

    def ask(self, channel: Channel | None = None, *, now: datetime = NINE) -> Counter[str]:
        used = channel or self.channel
        return enquire(self.stores.state, used, self.log, now=now, pool=self.pool)

    def abandon(self, *, settle_s: float = SETTLE_S, takeover: bool) -> int:
        return abandon(self.stores.state, settle_s=settle_s, takeover=takeover)

    def expire(self) -> None:
        """Let every lease and every wait be over."""
        self.stores.state.rows(
            "update outbox set leased_until = clock_timestamp() - interval '1 s'"
        )

    def until_settled(self, *, rounds: int = 60) -> None:
        """Work as the worker does, with all waits over, until nothing is open."""
        for _ in range(rounds):
            self.abandon(takeover=True)
            self.expire()
            self.send()
            self.ask()
            if self.states().keys() <= {"sent", "failed"}:
                return
        raise AssertionError(self.states())

    def states(self) -> dict[str, int]:
        rows = self.stores.state.rows("select state, count(*)::int as n from outbox group by state")
        return {row["state"]: row["n"] for row in rows}

    def outbox(self) -> list[dict[str, Any]]:
        return self.stores.state.rows(
            "select key, state, attempts, attempted_at, dispatch_id, reason, round(extract(epoch"
            " from greatest(leased_until, '2000-01-01') - clock_timestamp()))::int as wait_s"
            " from outbox order by key"
        )

    def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """What came back through the log: (event, message id, properties), repeats included."""
        folder = self.stores.settings.log_folder
        frames, _ = read_frames(folder, {}, limit_bytes=100_000_000)
        decoded = [decode_segment(frame) for frame in frames]
        assert [each.rejects for each in decoded if each.rejects] == []
        return [
            (str(event.event), event.message_id, json.loads(event.properties or "{}"))
            for each in decoded
            for event in each.events
        ]


@pytest.fixture
def sandbox(sandbox: Any) -> Any:
    """The sandbox at nine."""
    sandbox.tell_time(NINE)
    return sandbox


@pytest.fixture
def channel(sandbox: Any, api_key: str) -> Iterator[Channel]:
    with Transport(sandbox.url, Bearer(api_key), pool_size=8, read_timeout_s=0.4) as transport:
        yield Channel(
            name="win_back",
            connector=connector("braze"),
            config={"campaign_id": CAMPAIGN_ID},
            call=transport.call,
            settle_s=SETTLE_S,
        )


@pytest.fixture
def sender(stores: Stores, channel: Channel) -> Iterator[Sender]:
    with closing(SegmentLog(stores.settings.log_folder)) as log, ThreadPoolExecutor(8) as pool:
        yield Sender(stores, log, pool, channel)
