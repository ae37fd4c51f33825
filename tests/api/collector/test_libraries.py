"""Segment's and RudderStack's own Python libraries, unchanged."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from opportune.api import collector
from opportune.events import decode_segment
from opportune.storage import LogUnavailable

KEY = "shop-key"
CLIENTS = [
    pytest.param(SegmentClient, {"gzip": False}, id="segment"),
    pytest.param(SegmentClient, {"gzip": True}, id="segment gzip"),
    pytest.param(SegmentClient, {"sync_mode": True}, id="segment sync"),
    pytest.param(RudderClient, {"gzip": False}, id="rudderstack"),
    pytest.param(RudderClient, {"gzip": True}, id="rudderstack gzip"),
    pytest.param(RudderClient, {"sync_mode": True}, id="rudderstack sync"),
]


def connect(server: Any, kind: Any, options: dict[str, object], *, key: str = KEY) -> Any:
    """A client that tries twice at most, and the failures that it tells of."""
    failed: list[Any] = []
    client = kind(
        key,
        host=server.address,
        max_retries=1,
        on_error=lambda error, items: failed.append(error),
        **options,
    )
    return client, failed


def finish(client: Any, options: dict[str, object]) -> None:
    if "sync_mode" not in options:
        client.flush()
        client.join()


@pytest.mark.parametrize(("kind", "options"), CLIENTS)
def test_every_call_of_the_library_becomes_its_event(
    server: Any, kind: Any, options: dict[str, object]
) -> None:
    client, failed = connect(server, kind, options)
    at = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
    client.identify("c1", {"plan": "gold", "since": at})
    client.track("c1", "Order Completed", {"revenue": 19.99}, timestamp=at)
    client.page("c1", "Docs", "Home", {"url": "http://shop.example/"})
    client.screen("c1", "Shop", "Cart")
    client.group("c1", "acct-5", {"employees": 420})
    client.alias("anon-9", "c1")
    finish(client, options)
    assert failed == []
    decoded = [decode_segment(frame) for frame in server.frames()]
    assert [each.rejects for each in decoded] == [[]] * len(decoded)
    events = {event.type: event for each in decoded for event in each.events}
    assert sorted(events) == ["alias", "group", "identify", "page", "screen", "track"]
    assert json.loads(events["identify"].traits or "")["plan"] == "gold"
    assert (events["track"].event, events["track"].user_id) == ("Order Completed", "c1")
    assert json.loads(events["track"].properties or "") == {"revenue": 19.99}
    assert json.loads(events["page"].properties or "") == {
        "url": "http://shop.example/",
        "category": "Docs",
        "name": "Home",
    }
    assert json.loads(events["group"].traits or "") == {"employees": 420}
    assert json.loads(events["alias"].properties or "") == {"previousId": "anon-9"}


@pytest.mark.parametrize(("kind", "options"), [CLIENTS[0], CLIENTS[4]])
def test_many_events_arrive_in_order_and_once(
    server: Any, kind: Any, options: dict[str, object]
) -> None:
    client, failed = connect(server, kind, options)
    for number in range(250):
        client.track("c1", "e", {"number": number}, message_id=f"order-{number}")
    finish(client, options)
    assert failed == []
    events = [event for frame in server.frames() for event in decode_segment(frame).events]
    assert [event.message_id for event in events] == [f"order-{n}" for n in range(250)]


@pytest.mark.parametrize("allowed", [True, False])
def test_rudderstacks_large_batches_need_a_key_that_allows_them(server: Any, allowed: bool) -> None:
    server.know({KEY: "rudder"}, largest={KEY: 4_000_000} if allowed else {})
    # Its consumer waits for more until then, so that all go in one body of 500 KB.
    client, failed = connect(server, RudderClient, {"upload_interval": 2.0, "upload_size": 25})
    for number in range(25):
        client.track("c1", "e", {"text": "x" * 20_000}, message_id=f"m{number}")
    finish(client, {})
    assert {error.code for error in failed} == (set() if allowed else {"body_too_large"})
    taken = sum(len(decode_segment(frame).events) for frame in server.frames())
    assert taken == (25 if allowed else 0)


@pytest.mark.parametrize(("kind", "options"), [CLIENTS[0], CLIENTS[4]])
def test_the_library_hears_of_a_wrong_key_and_drops_its_batch(
    server: Any, kind: Any, options: dict[str, object]
) -> None:
    client, failed = connect(server, kind, options, key="wrong")
    client.track("c1", "e")
    finish(client, options)
    assert [(error.status, error.code) for error in failed] == [(401, "unknown_source")]
    assert server.frames() == []


@pytest.mark.parametrize(("kind", "options"), [CLIENTS[0], CLIENTS[4]])
def test_the_library_comes_again_when_the_log_could_not_write(
    server: Any, kind: Any, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "RETRY_AFTER_S", {503: 1})
    client, failed = connect(server, kind, options)
    append, refused = server.log.append, []

    def busy_once(frame: Any) -> Any:
        if not refused:
            refused.append(frame)
            raise LogUnavailable("The log is behind; try again later.")
        return append(frame)

    monkeypatch.setattr(server.log, "append", busy_once)
    client.track("c1", "e", message_id="m1")
    finish(client, options)
    assert failed == []
    events = [event for frame in server.frames() for event in decode_segment(frame).events]
    assert ([event.message_id for event in events], len(refused)) == (["m1"], 1)
