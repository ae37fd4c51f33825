"""The collector over real sockets: what it answers, and what is then in the log."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
import http.client
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from segment.analytics.client import Client
from starlette.applications import Starlette

from opportune.api import collector
from opportune.api.collector import UnknownSource, WriteKeys, create_collector
from opportune.events import Limits, decode_segment
from opportune.storage import Frame, SegmentLog, read_frames

CAPTURES = Path(__file__).parents[2].parent / "shared" / "reference" / "segment-captures"
CAPTURED_KEY = "WRITE_KEY_abc123"
KEY = "shop-key"
NOW_US = 1_795_288_391_000_000
LIMITS = Limits(batch_bytes=100_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    port: int
    log: SegmentLog
    keys_path: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def frames(self) -> list[Frame]:
        return read_frames(self.log.folder, {}, limit_bytes=1 << 40)[0]

    def call(
        self,
        path: str,
        body: object,
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
    ) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, data, dict(headers or basic(KEY)))
            response = connection.getresponse()
            text = response.read()
        finally:
            connection.close()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(status=response.status, headers=names, body=json.loads(text))


def basic(key: str, *, colon: bool = True) -> dict[str, str]:
    text = f"{key}:" if colon else key
    return {"Authorization": "Basic " + base64.b64encode(text.encode()).decode()}


def write_keys(path: Path, keys: Mapping[str, str]) -> None:
    entries = {
        hashlib.sha256(key.encode()).hexdigest(): {"source_id": source_id, "name": source_id}
        for key, source_id in keys.items()
    }
    path.with_suffix(".new").write_text(json.dumps(entries))
    os.replace(path.with_suffix(".new"), path)


@contextlib.contextmanager
def running(app: Starlette) -> Iterator[int]:
    """Serve ``app`` on a port that the system chooses."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False)
    served = uvicorn.Server(config)
    thread = threading.Thread(target=served.run)
    thread.start()
    try:
        while not served.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield served.servers[0].sockets[0].getsockname()[1]
    finally:
        served.should_exit = True
        thread.join(30)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    keys_path = tmp_path / "keys.json"
    write_keys(keys_path, {KEY: "shop", CAPTURED_KEY: "captured"})
    log = SegmentLog(tmp_path / "log")
    app = create_collector(log, WriteKeys(keys_path), limits=LIMITS, clock=lambda: NOW_US)
    with running(app) as port:
        yield Server(port=port, log=log, keys_path=keys_path)
    log.close()


def track(**fields: object) -> dict[str, object]:
    return {"type": "track", "userId": "c1", "event": "e", "messageId": "m1", **fields}


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/v1/batch", "batch", {"batch": [track()]}),
        ("/v1/track", "track", track()),
        ("/v1/identify", "identify", {"userId": "c1", "traits": {"plan": "gold"}}),
        ("/api/connectors/braze/currents", "currents", {"events": [{"id": "1"}]}),
    ],
)
def test_what_is_answered_200_is_in_the_log_as_it_was_sent(
    server: Server, path: str, kind: str, body: dict[str, object]
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"} if kind == "currents" else basic(KEY)
    answer = server.call(path, body, headers=headers)
    assert (answer.status, answer.body) == (200, {"success": True})
    assert answer.headers["content-type"] == "application/json"
    data = json.dumps(body).encode()
    assert server.frames() == [Frame(received_at_us=NOW_US, source_id="shop", kind=kind, body=data)]


@pytest.mark.parametrize(
    "headers",
    [
        basic(KEY),
        basic(KEY, colon=False),
        {"Authorization": "basic " + base64.b64encode(b"shop-key:").decode().rstrip("=")},
        {**basic(KEY), "Content-Type": "text/plain"},
        {**basic(KEY), "Content-Encoding": "identity"},
        {},
        {"Authorization": "Bearer something"},
        basic(""),
    ],
)
def test_a_write_key_is_taken_from_the_header_else_from_the_body(
    server: Server, headers: dict[str, str]
) -> None:
    body = {"batch": [track()], "writeKey": KEY}
    assert server.call("/v1/batch", body, headers=headers or {"X-None": "1"}).status == 200
    assert [frame.source_id for frame in server.frames()] == ["shop"]


@pytest.mark.parametrize(
    ("headers", "write_key"),
    [
        (basic("unknown"), None),
        (basic("unknown"), KEY),
        (basic("unknown"), CAPTURED_KEY),
        ({"X-None": "1"}, None),
        ({"X-None": "1"}, "unknown"),
        ({"X-None": "1"}, 5),
        ({"Authorization": "Basic //79"}, None),
        ({"Authorization": "Basic a"}, None),
    ],
)
def test_an_unknown_write_key_is_401_and_nothing_is_kept(
    server: Server, headers: dict[str, str], write_key: object
) -> None:
    answer = server.call("/v1/batch", {"batch": [track()], "writeKey": write_key}, headers=headers)
    assert (answer.status, answer.body["code"]) == (401, "unknown_source")
    assert isinstance(answer.body["message"], str)
    assert answer.body["success"] is False
    assert server.frames() == []


def test_the_header_wins_over_the_body(server: Server) -> None:
    body = {"batch": [track()], "writeKey": CAPTURED_KEY}
    assert server.call("/v1/batch", body, headers=basic(KEY)).status == 200
    assert [frame.source_id for frame in server.frames()] == ["shop"]


def test_bad_messages_are_listed_and_their_batch_is_kept_whole(server: Server) -> None:
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
    assert len(decode_segment(frame, limits=LIMITS).rejects) == 2


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/batch", b"", "bad_request"),
        ("/v1/batch", b"{", "bad_request"),
        ("/v1/batch", b'{"batch": 5}', "bad_request"),
        ("/v1/batch", b'{"batch": []}', "empty_batch"),
        ("/v1/batch", b'{"batch": ["\xff"]}', "bad_request"),
        ("/v1/batch", b"[" * 90_000, "bad_request"),
        ("/v1/track", b"[]", "bad_request"),
        ("/v1/track", json.dumps(track(text="x" * 33_000)).encode(), "body_too_large"),
        ("/v1/batch", json.dumps({"batch": [track(x="x" * 100_000)]}).encode(), "body_too_large"),
        ("/v1/batch", b" " * 1_000_000, "body_too_large"),
    ],
)
def test_a_body_that_cannot_be_taken_is_400_with_a_code(
    server: Server, path: str, body: bytes, code: str
) -> None:
    answer = server.call(path, body)
    assert (answer.status, answer.body["code"]) == (400, code)
    assert isinstance(answer.body["message"], str)
    assert server.frames() == []


def test_an_unreadable_body_without_a_header_is_400(server: Server) -> None:
    answer = server.call("/v1/batch", b"{", headers={"X-None": "1"})
    assert (answer.status, answer.body["code"]) == (400, "bad_request")


def test_one_oversize_message_is_dropped_from_its_batch(server: Server) -> None:
    body = {"batch": [track(x="x" * 33_000), track(messageId="m2")]}
    answer = server.call("/v1/batch", body)
    assert answer.status == 200
    assert [each["code"] for each in answer.body["rejected"]] == ["message_too_large"]


def gzipped(body: bytes) -> tuple[bytes, dict[str, str]]:
    return gzip.compress(body), {**basic(KEY), "Content-Encoding": "gzip"}


def test_a_gzipped_body_is_kept_decompressed(server: Server) -> None:
    plain = json.dumps({"batch": [track()]}).encode()
    body, headers = gzipped(plain)
    assert server.call("/v1/batch", body, headers=headers).status == 200
    assert [frame.body for frame in server.frames()] == [plain]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (gzip.compress(b" " * 50_000_000), "body_too_large"),
        (b"no gzip", "bad_request"),
        (gzip.compress(b'{"batch": []}', mtime=0)[:-9], "bad_request"),
    ],
)
def test_a_gzip_bomb_or_a_broken_one_is_400(server: Server, body: bytes, code: str) -> None:
    headers = {**basic(KEY), "Content-Encoding": "gzip"}
    answer = server.call("/v1/batch", body, headers=headers)
    assert (answer.status, answer.body["code"]) == (400, code)
    assert server.frames() == []


def test_another_encoding_is_400(server: Server) -> None:
    answer = server.call("/v1/batch", b"x", headers={**basic(KEY), "Content-Encoding": "br"})
    assert (answer.status, answer.body["code"]) == (400, "bad_request")


def test_currents_with_no_events_are_fine_and_keep_nothing(server: Server) -> None:
    path, headers = "/api/connectors/braze/currents", {"Authorization": f"Bearer {KEY}"}
    assert server.call(path, {"events": []}, headers=headers).status == 200
    assert server.frames() == []


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"Authorization": f"Bearer {KEY}"}, 400),
        (b'{"events": 5}', {"Authorization": f"Bearer {KEY}"}, 400),
        (b"{}", {"Authorization": f"Bearer {KEY}"}, 400),
        (b'{"events": [{}]}', {"Authorization": "Bearer unknown"}, 401),
        (b'{"events": []}', {"X-None": "1"}, 401),
        (b'{"events": [{}]}', basic(KEY), 401),
    ],
)
def test_currents_need_a_bearer_key_and_a_list_of_events(
    server: Server, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = server.call("/api/connectors/braze/currents", body, headers=headers)
    assert answer.status == status
    assert sorted(answer.body) == ["code", "message", "success"]
    assert server.frames() == []


def test_a_log_that_cannot_write_is_503_with_retry_after(server: Server) -> None:
    server.log.close()
    for path, body, headers in (
        ("/v1/batch", {"batch": [track()]}, basic(KEY)),
        (
            "/api/connectors/braze/currents",
            {"events": [{}]},
            {"Authorization": f"Bearer {KEY}"},
        ),
    ):
        answer = server.call(path, body, headers=headers)
        assert (answer.status, answer.body["code"]) == (503, "log_unavailable")
        assert answer.headers["retry-after"] == "5"
    assert server.frames() == []


def test_a_disk_that_does_not_answer_is_503_and_the_frame_is_not_kept_later(
    server: Server, monkeypatch: pytest.MonkeyPatch
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


def test_an_endless_body_is_cut_off(server: Server) -> None:
    head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {1 << 40}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(head.encode())
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 200_000_000:
                sent += connection.send(b" " * 1_000_000)
        with contextlib.suppress(ConnectionError):
            assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert sent < 100_000_000
    assert server.frames() == []


def test_a_mistake_of_ours_is_500_with_a_code(tmp_path: Path) -> None:
    def broken_clock() -> int:
        raise RuntimeError("broken")

    log = SegmentLog(tmp_path / "log")
    write_keys(tmp_path / "keys.json", {KEY: "shop"})
    keys = WriteKeys(tmp_path / "keys.json")
    with running(create_collector(log, keys, limits=LIMITS, clock=broken_clock)) as port:
        server = Server(port=port, log=log, keys_path=tmp_path / "keys.json")
        answer = server.call("/v1/batch", {"batch": [track()]})
    log.close()
    assert (answer.status, answer.body["code"]) == (500, "internal")
    assert server.frames() == []


def test_health_needs_no_key_and_unknown_paths_have_a_code(server: Server) -> None:
    healthy = server.call("/healthz", b"", headers={"X-None": "1"}, method="GET")
    assert (healthy.status, healthy.body) == (200, {"status": "ok"})
    missing = server.call("/v1/nothing", b"")
    assert (missing.status, missing.body["code"]) == (404, "not_found")
    wrong = server.call("/v1/batch", b"", method="GET")
    assert (wrong.status, wrong.body["code"]) == (405, "method_not_allowed")


def test_keys_are_read_again_when_their_file_changes(server: Server) -> None:
    body = {"batch": [track()]}
    assert server.call("/v1/batch", body, headers=basic("new")).status == 401
    write_keys(server.keys_path, {"new": "second-shop"})
    assert server.call("/v1/batch", body, headers=basic("new")).status == 200
    assert server.call("/v1/batch", body, headers=basic(KEY)).status == 401
    server.keys_path.unlink()
    assert server.call("/v1/batch", body, headers=basic("new")).status == 401


def test_keys_stay_valid_while_their_file_cannot_be_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"
    write_keys(path, {KEY: "shop"})
    keys = WriteKeys(path)
    assert keys.source(KEY).source_id == "shop"
    path.write_text('{"abc": 5}')
    assert keys.source(KEY).source_id == "shop"
    assert "keys.json cannot be read" in caplog.text
    with pytest.raises(UnknownSource):
        keys.source("other")


def test_neither_keys_nor_bodies_are_logged(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"batch": [track(userId="personal-value")]}
    server.call("/v1/batch", body)
    server.call("/v1/batch", body, headers=basic("wrong-key"))
    server.call("/v1/batch", b'{"personal-value": ')
    server.log.close()
    server.call("/v1/batch", body)
    assert "Nothing can be taken in" in caplog.text
    for secret in (KEY, "wrong-key", "personal-value"):
        assert secret not in caplog.text
        assert base64.b64encode(secret.encode()).decode()[:8] not in caplog.text


def test_a_client_that_hangs_up_in_the_middle_of_its_body_leaves_nothing(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert server.call("/v1/batch", {"batch": [track()]}).status == 200
    assert len(server.frames()) == 1


def test_many_connections_at_once_are_all_kept(server: Server) -> None:
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


@pytest.mark.parametrize(
    "name",
    [
        *("segpy_plain", "segpy_gzip", "segpy_sync", "segnode"),
        *("rudpy_plain", "rudpy_gzip", "rudpy_sync", "rudpy_module"),
    ],
)
def test_recorded_requests_of_real_clients_are_taken(server: Server, name: str) -> None:
    path = CAPTURES / f"{name}.json"
    if not path.exists():
        pytest.skip(f"the recorded requests of real clients are not here: {path.name}")
    requests = json.loads(path.read_text())["requests"]
    for request in requests:
        headers = {
            key: value
            for key, value in request["headers"].items()
            if key.lower() not in ("content-length", "host", "connection")
        }
        body = json.dumps(request["body"]).encode()
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.compress(body)
        answer = server.call(request["path"], body, headers=headers)
        assert (answer.status, answer.body) == (200, {"success": True})
    frames = server.frames()
    assert [json.loads(frame.body) for frame in frames] == [each["body"] for each in requests]
    assert {frame.source_id for frame in frames} == {"captured"}


@pytest.mark.parametrize("gzip_on", [False, True])
def test_the_real_python_client_delivers(server: Server, gzip_on: bool) -> None:
    failed: list[object] = []
    client = Client(
        KEY,
        host=server.address,
        gzip=gzip_on,
        max_retries=1,
        on_error=lambda error, batch: failed.append(error),
    )
    client.identify("c1", {"plan": "gold"})
    for number in range(250):
        client.track("c1", "Order Completed", {"revenue": number}, message_id=f"order-{number}")
    client.flush()
    client.join()
    assert failed == []
    frames = server.frames()
    events = [event for frame in frames for event in decode_segment(frame).events]
    assert [len(decode_segment(frame).rejects) for frame in frames] == [0] * len(frames)
    assert events[0].traits is not None
    assert json.loads(events[0].traits) == {"plan": "gold"}
    assert [event.message_id for event in events[1:]] == [f"order-{n}" for n in range(250)]


def test_the_real_python_client_hears_of_a_wrong_key(server: Server) -> None:
    failed: list[Any] = []

    def on_error(error: Any, batch: object) -> None:
        failed.append(error.status)

    client = Client("wrong", host=server.address, max_retries=1, on_error=on_error)
    client.track("c1", "e")
    client.flush()
    client.join()
    assert failed == [401]
    assert server.frames() == []
