"""The recorded requests of real libraries, sent again: what they say comes out as events."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opportune.events import Event, decode_segment

RECEIVED_AT = datetime(2026, 11, 21, 19, 13, 11, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IDENTIFY, GROUP = ("identify", None, "cust-1", None), ("group", None, "cust-1", None)
PAGE, SCREEN = ("page", None, "cust-1", None), ("screen", None, "cust-1", None)
REVIEW, ALIAS = ("track", "review_left", "cust-1", None), ("alias", None, "cust-1", None)
VIEW = ("track", "Product Viewed", None, "anon-9")
NUMERIC = ("track", "numeric user id", "4711", None)
SERVER = [IDENTIFY, REVIEW, VIEW, PAGE, SCREEN, GROUP, ALIAS]
STD, BATCHED = "9cb810d0-32db-42d8-a36f-bf85ef1c0370", "4fc36d53-d6b0-4fdd-af95-6f786d7f636b"
CHROMIUM = "f66bee5f-c2f7-4bc9-8977-6e8bd8c1941a"

Captured = Callable[[str], list[dict[str, Any]]]
Replay = Callable[[list[dict[str, Any]]], list[Any]]


def of_browser(visitor: str) -> list[tuple[str, str | None, str | None, str]]:
    """Two calls before the visitor logs in, and four after it."""
    known = ("cust-1", visitor)
    return [
        ("page", None, None, visitor),
        ("track", "Product Viewed", None, visitor),
        ("identify", None, *known),
        ("track", "review_left", *known),
        ("group", None, *known),
        ("alias", None, *known),
    ]


# Chromium sent identify before page, though the page was called first.
IN_CHROMIUM = [
    ("identify", None, "cust-1", CHROMIUM),
    ("page", None, "cust-1", CHROMIUM),
    ("track", "review_left", "cust-1", CHROMIUM),
]
EXPECTED = {
    **{f"segpy_{mode}": [*SERVER, NUMERIC] for mode in ("plain", "gzip", "sync")},
    **{f"rudpy_{mode}": SERVER for mode in ("plain", "gzip", "sync")},
    "segnode": SERVER,
    "rudpy_module": [REVIEW],
    "browser_std": of_browser(STD),
    "browser_batch": of_browser(BATCHED),
    "browser_chromium_cors": IN_CHROMIUM,
}


def events_of(server: Any) -> list[Event]:
    decoded = [decode_segment(frame) for frame in server.frames()]
    assert [each.rejects for each in decoded] == [[]] * len(decoded)
    return [event for each in decoded for event in each.events]


def messages_of(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages as they were sent, each with the time that its request was."""
    bodies = [request["body"] for request in requests if request["method"] == "POST"]
    return [
        {**message, "sentAt": body["sentAt"]}
        for body in bodies
        for message in body.get("batch", [body])
    ]


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_recorded_request_is_accepted_and_gives_its_events(
    server: Any, captured: Captured, replay: Replay, name: str
) -> None:
    requests = captured(name)
    answers = replay(requests)
    assert {answer.status for answer in answers} <= {200, 204}
    posted = [
        answer
        for request, answer in zip(requests, answers, strict=True)
        if request["method"] == "POST"
    ]
    assert [answer.body for answer in posted] == [{"success": True}] * len(posted)
    assert {frame.source_id for frame in server.frames()} == {"captured"}
    events, messages = events_of(server), messages_of(requests)
    told = [(each.type, each.event, each.user_id, each.anonymous_id) for each in events]
    assert told == EXPECTED[name]
    assert [each.message_id for each in events] == [each["messageId"] for each in messages]
    assert [each.occurred_at_us for each in events] == [corrected_us(each) for each in messages]


def corrected_us(message: dict[str, Any]) -> int:
    """When it was by our clock, and not later than now: the protocol's own formula."""
    said, sent = (datetime.fromisoformat(message[name]) for name in ("timestamp", "sentAt"))
    return (min(RECEIVED_AT - (sent - said), RECEIVED_AT) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"rudpy_module"}))
def test_what_the_recorded_calls_carry_is_kept(
    server: Any, captured: Captured, replay: Replay, name: str
) -> None:
    replay(captured(name))
    said = {(each.type, each.event): each for each in events_of(server)}
    traits = json.loads(said["identify", None].traits or "")
    email = "m@example.com" if name == "browser_chromium_cors" else "michael.scott@example.com"
    assert traits["email"] == email
    assert traits.get("plan") == ("gold" if name[:5] in ("segpy", "rudpy") else None)
    review = json.loads(said["track", "review_left"].properties or "")
    assert review["rating"] == 5
    if ("group", None) in said:
        group = said["group", None]
        assert json.loads(group.properties or "") == {"groupId": "acct-5"}
        assert json.loads(group.traits or "")["name"] == "Dunder Mifflin"
        (previous,) = json.loads(said["alias", None].properties or "").items()
        assert previous == ("previousId", "cust-1" if "browser" in name else "anon-9")
        page = json.loads(said["page", None].properties or "")
        assert page["category"] == "Docs"
        assert page["name"] in ("Home", "Python", "Node")


def test_the_clock_of_a_recorded_client_is_corrected(
    server: Any, captured: Captured, replay: Replay
) -> None:
    replay(captured("segpy_plain"))
    first, second = (each.occurred_at_us for each in events_of(server)[:2])
    # It was sent at 19:13:11.280166 by its own clock, and at 19:13:11 by ours.
    assert EPOCH + timedelta(microseconds=first) == datetime(
        2026, 11, 21, 19, 13, 10, 498834, tzinfo=UTC
    )
    # An old event keeps its time, but for those 280 ms.
    assert EPOCH + timedelta(microseconds=second) == datetime(
        2026, 1, 15, 9, 29, 59, 842834, tzinfo=UTC
    )


def test_one_message_of_three_clients_is_one_event_by_its_id(
    server: Any, captured: Captured, replay: Replay
) -> None:
    for name in ("segpy_plain", "rudpy_plain", "segnode"):
        replay(captured(name))
    ids = [event.message_id for event in events_of(server)]
    assert len(ids) == 22
    assert ids.count("fixed-message-id-1") == 3
    assert len(set(ids)) == 20


def test_a_browser_gets_its_settings_and_its_preflights_first(
    captured: Captured, replay: Replay
) -> None:
    answers = replay(captured("browser_chromium_cors"))
    assert [answer.status for answer in answers] == [200, 204, 204, 204, 200, 200, 200]
    assert answers[0].body["integrations"]["Segment.io"]["apiKey"] == "WRITE_KEY_abc123"
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"*"}
