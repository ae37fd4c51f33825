"""What arrived by minute: counted once, in the minute of receipt, and forgotten after two days."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

from opportune import events, pipeline
from opportune.storage import Frame, Stores

NOW = datetime(2026, 1, 11, 6, 0, 30, tzinfo=UTC)


def send(stores: Stores, told: dict[datetime, list[dict[str, object]]]) -> None:
    """Accept a request at each time, and take it in."""
    with ExitStack() as stack:
        log = stores.open_log(stack)
        for at, messages in told.items():
            frame = Frame(
                received_at_us=int(at.timestamp() * 1_000_000),
                source_id="shop",
                kind="batch",
                body=json.dumps({"batch": messages}).encode(),
            )
            log.append(frame).result(10)
    decoders = dict.fromkeys(events.KINDS, events.decode_segment)
    with closing(pipeline.Ingest(stores, decoders)) as ingest:
        while ingest.tick():
            pass


def page(key: str) -> dict[str, object]:
    return {"type": "page", "messageId": key, "userId": "u"}


def counted(stores: Stores, *, now: datetime, count: int) -> list[tuple[int, int]]:
    found = events.minutes(stores.state, now=now, count=count)
    return [(each.accepted, each.rejected) for each in found]


def test_each_message_counts_once_in_its_minute_of_receipt(stores: Stores) -> None:
    minute = timedelta(minutes=1)
    send(
        stores,
        {
            NOW - 2 * minute: [page("a"), page("b"), {"type": "track", "messageId": "nameless"}],
            NOW: [page("c"), page("a")],
        },
    )
    assert counted(stores, now=NOW, count=4) == [(0, 0), (2, 1), (0, 0), (1, 0)]
    # Sent again it is known, and changes nothing; a new one is added.
    send(stores, {NOW + timedelta(seconds=5): [page("a"), page("c"), page("d")]})
    assert counted(stores, now=NOW, count=1) == [(2, 0)]
    every = events.minutes(stores.state, now=NOW, count=4)
    assert [each.minute for each in every] == [
        NOW.replace(second=0) - place * minute for place in (3, 2, 1, 0)
    ]


def test_what_is_older_than_two_days_is_forgotten(stores: Stores) -> None:
    send(stores, {NOW - timedelta(hours=49): [page("old")], NOW - timedelta(hours=40): [page("a")]})
    assert sum(each for each, _ in counted(stores, now=NOW, count=60 * 72)) == 2
    send(stores, {NOW: [page("b")]})
    assert sum(each for each, _ in counted(stores, now=NOW, count=60 * 72)) == 2
    send(stores, {NOW: [page("c")], NOW - timedelta(hours=60): [page("late")]})
    assert sum(each for each, _ in counted(stores, now=NOW, count=60 * 72)) == 3
