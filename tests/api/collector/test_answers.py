"""What the collector takes, what it answers, and what is then in the log."""

from __future__ import annotations

import base64
import json
import logging
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest

from opportune.api import collector
from opportune.events import decode_segment
from opportune.storage import Frame

CURRENTS = "/api/connectors/braze/currents"
NOW_US = 1_795_288_391_000_000
TYPES = ("identify", "track", "page", "screen", "group", "alias")


def track(**fields: object) -> dict[str, object]:
    return {"type": "track", "userId": "c1", "event": "e", "messageId": "m1", **fields}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        *((f"/v1/{kind}", kind) for kind in (*TYPES, "batch")),
        *((f"/v1/{kind[0]}", kind) for kind in (*TYPES, "batch")),
        ("/v1/import", "batch"),
    ],
)
def test_what_is_answered_200_is_in_the_log_as_it_was_sent(
    server: Any, path: str, kind: str
) -> None:
    message = track(type=None, groupId="g1", previousId="p1")
    body = {"batch": [track()]} if kind == "batch" else message
    answer = server.call(path, body)
    assert (answer.status, answer.body) == (200, {"success": True})
    assert answer.headers["content-type"] == "application/json"
    data = json.dumps(body).encode()
    (frame,) = server.frames()
    assert frame == Frame(received_at_us=NOW_US, source_id="shop", kind=kind, body=data)
    (event,) = decode_segment(frame).events
    assert event.type == ("track" if kind == "batch" else kind)


def test_what_the_browser_library_says_of_itself_is_swallowed(server: Any) -> None:
    answer = server.call("/v1/m", {"series": [{"type": "Counter"}]}, key=None)
    assert (answer.status, answer.body) == (200, {"success": True})
    assert server.call("/v1/m", b" " * 100_001, key=None).body["code"] == "body_too_large"
    assert server.frames() == []


def test_bad_messages_are_listed_and_their_batch_is_kept_whole(server: Any) -> None:
    body = {"batch": [track(), track(event=""), 5, track(messageId="m2")]}
    answer = server.call("/v1/batch", body)
    assert answer.status == 200
    assert answer.body == {
        "success": True,
        "rejected": [
            {
                "index": 1,
                "messageId": "m1",
                "code": "event_not_defined",
                "message": "A track message needs the name of its event.",
            },
            {
                "index": 2,
                "messageId": None,
                "code": "message_not_object",
                "message": "A message must be an object.",
            },
        ],
    }
    (frame,) = server.frames()
    decoded = decode_segment(frame)
    assert [event.message_id for event in decoded.events] == ["m1", "m2"]
    assert [reject.index for reject in decoded.rejects] == [1, 2]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/batch", b"", "bad_request"),
        ("/v1/batch", b"{", "bad_request"),
        ("/v1/batch", b'{"batch": 5}', "bad_request"),
        ("/v1/import", b'{"batch": []}', "empty_batch"),
        ("/v1/batch", b'{"batch": ["\xff"]}', "bad_request"),
        ("/v1/batch", b"[" * 90_000, "bad_request"),
        ("/v1/track", b"[]", "bad_request"),
        ("/v1/p", b"", "bad_request"),
        ("/v1/track", json.dumps(track(text="x" * 33_000)).encode(), "body_too_large"),
    ],
)
def test_a_body_that_cannot_be_taken_is_400_with_a_code(
    server: Any, path: str, body: bytes, code: str
) -> None:
    answer = server.call(path, body)
    assert (answer.status, answer.body["code"]) == (400, code)
    assert isinstance(answer.body["message"], str)
    assert server.frames() == []


def test_one_oversize_message_is_dropped_from_its_batch(server: Any) -> None:
    body = {"batch": [track(x="x" * 33_000), track(messageId="m2")]}
    answer = server.call("/v1/batch", body)
    assert answer.status == 200
    assert [each["code"] for each in answer.body["rejected"]] == ["message_too_large"]


@pytest.mark.parametrize(
    ("body", "authorization", "status"),
    [
        (b'{"events": [{"id": "1"}]}', "Bearer shop-key", 200),
        (b'{"events": []}', "Bearer shop-key", 200),
        (b"{", "Bearer shop-key", 400),
        (b'{"events": 5}', "Bearer shop-key", 400),
        (b"{}", "Bearer shop-key", 400),
        (b'{"events": [{}]}', "Bearer unknown", 401),
        (b'{"events": []}', None, 401),
        (b'{"events": [{}]}', "Basic c2hvcC1rZXk6", 401),
    ],
)
def test_currents_need_a_bearer_key_and_a_list_of_events(
    server: Any, body: bytes, authorization: str | None, status: int
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = server.call(CURRENTS, body, key=None, headers=headers)
    assert answer.status == status
    assert sorted(answer.body) == (["success"] if status == 200 else ["code", "message", "success"])
    kept = [frame.body for frame in server.frames()]
    assert kept == ([body] if status == 200 and b"id" in body else [])
    assert {frame.kind for frame in server.frames()} <= {"currents"}


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v1/batch", {"batch": [track()]}, {}),
        (CURRENTS, {"events": [{}]}, {"Authorization": "Bearer shop-key"}),
    ],
)
def test_a_log_that_cannot_write_is_503_with_retry_after(
    server: Any, path: str, body: object, headers: dict[str, str]
) -> None:
    server.log.close()
    answer = server.call(path, body, headers=headers)
    assert (answer.status, answer.body["code"]) == (503, "log_unavailable")
    assert answer.headers["retry-after"] == "5"
    assert server.frames() == []


def test_a_disk_that_does_not_answer_is_503_and_the_frame_is_not_kept_later(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "DURABLE_WITHIN_S", 0.05)
    syncing, released = threading.Event(), threading.Event()

    def slow_sync(descriptor: int) -> None:
        syncing.set()
        released.wait(10)

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    server.log.append(Frame(received_at_us=1, source_id="ahead", kind="batch", body=b"{}"))
    assert syncing.wait(10)
    answer = server.call("/v1/batch", {"batch": [track()]})
    released.set()
    assert (answer.status, answer.body["code"]) == (503, "log_unavailable")
    server.log.close()
    assert [frame.source_id for frame in server.frames()] == ["ahead"]


def test_a_mistake_of_ours_is_500_with_a_code(
    collecting: Callable[..., AbstractContextManager[Any]],
) -> None:
    def broken_clock() -> int:
        raise RuntimeError("broken")

    with collecting(clock=broken_clock) as server:
        answer = server.call("/v1/batch", {"batch": [track()]})
    assert (answer.status, answer.body["code"]) == (500, "internal")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert server.frames() == []


def test_more_than_the_disk_takes_is_429_and_the_rest_is_kept(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"batch": [track()]}
    size = len(json.dumps(body))
    monkeypatch.setattr(collector, "MOST_WAITING_BYTES", size)
    syncing, released = threading.Event(), threading.Event()

    def slow_sync(descriptor: int) -> None:
        syncing.set()
        released.wait(10)

    monkeypatch.setattr(os, "fdatasync", slow_sync)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(server.call, "/v1/batch", body)
        assert syncing.wait(10)
        second = server.call("/v1/batch", body)
        released.set()
        assert first.result().status == 200
    assert (second.status, second.body["code"]) == (429, "too_busy")
    assert (second.headers["retry-after"], second.headers["x-ratelimit-reset"]) == ("1", "1")
    assert str(size) in second.body["message"]
    third = server.call("/v1/batch", body, headers={"X-Retry-Count": "1"})
    assert third.status == 200
    assert len(server.frames()) == 2
    figures = server.call("/metrics", key=None, method="GET").text.decode()
    assert "opportune_requests_turned_away_total{} 1\n" in figures
    assert "opportune_requests_retried_total{} 1\n" in figures


def test_health_needs_no_key_and_unknown_paths_have_a_code(server: Any) -> None:
    healthy = server.call("/healthz", key=None, method="GET")
    assert (healthy.status, healthy.body) == (200, {"status": "ok"})
    missing = server.call("/v1/nothing")
    assert (missing.status, missing.body["code"]) == (404, "not_found")
    wrong = server.call("/v1/batch", method="GET")
    assert (wrong.status, wrong.body["code"]) == (405, "method_not_allowed")


def test_neither_keys_nor_bodies_are_logged(server: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"batch": [track(userId="personal-value")]}
    server.call("/v1/batch", body)
    server.call("/v1/batch", body, key="wrong-key")
    server.call("/v1/batch", b'{"personal-value": ')
    server.log.close()
    server.call("/v1/batch", body)
    assert "Nothing can be taken in" in caplog.text
    for secret in ("shop-key", "wrong-key", "personal-value"):
        assert secret not in caplog.text
        assert base64.b64encode(secret.encode()).decode()[:8] not in caplog.text


def test_a_client_that_hangs_up_in_the_middle_of_its_body_leaves_nothing(server: Any) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert server.call("/v1/batch", {"batch": [track()]}).status == 200
    assert len(server.frames()) == 1


def test_many_connections_at_once_are_all_kept(server: Any) -> None:
    statuses: list[int] = []

    def post(worker: int) -> None:
        for number in range(20):
            body = {"batch": [track(messageId=f"{worker}-{number}")]}
            statuses.append(server.call("/v1/batch", body).status)

    threads = [threading.Thread(target=post, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = {event.message_id for frame in server.frames() for event in decode_segment(frame).events}
    assert statuses == [200] * 160
    assert ids == {f"{worker}-{number}" for worker in range(8) for number in range(20)}
