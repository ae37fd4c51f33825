from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import opportune
from opportune.activation import Answer, Request
from opportune.activation import transport as transport_module
from opportune.activation.authentication import Bearer, InvalidApiKey
from opportune.activation.transport import InvalidAddress, Transport, download

KEY = "0a1b2c3d-secret"
REQUEST = Request(
    method="POST", path="/campaigns/trigger/send", body=b'{"campaign_id":"x"}', keys=("k1",)
)
Reply = Callable[[BaseHTTPRequestHandler], None]


def reply(status: int, body: bytes, **headers: str) -> Reply:
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return send


def reset(handler: BaseHTTPRequestHandler) -> None:
    """End the connection with a reset instead of an orderly close."""
    linger = struct.pack("ii", 1, 0)
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    handler.close_connection = True
    handler.connection.close()


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def cut_short(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(201)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"message":"succ')
    handler.close_connection = True


def slow(seconds: float) -> Reply:
    def send(handler: BaseHTTPRequestHandler) -> None:
        time.sleep(seconds)
        reply(201, b"{}")(handler)

    return send


def not_http(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"220 mail.example ready\r\n\r\n")
    handler.close_connection = True


class _Server(ThreadingHTTPServer):
    """Quiet, and open to a caller that went away before its answer."""

    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        pass


@contextmanager
def serving(answer: Reply) -> Iterator[tuple[str, list[tuple[str, dict[str, str], bytes]]]]:
    """A real HTTP server on a free port; yields its address and what it was sent."""
    seen: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            seen.append((f"{self.command} {self.path}", dict(self.headers), body))
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

        do_GET = do_POST = answer  # noqa: N815  # the names http.server calls

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def call(address: str, request: Request = REQUEST, *, read_timeout_s: float = 5.0) -> Answer:
    with Transport(address, Bearer(KEY), read_timeout_s=read_timeout_s) as transport:
        return transport.call(request)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


def test_a_call_arrives_as_written_and_its_answer_comes_back() -> None:
    with serving(reply(201, b'{"message":"success"}', X_Request_Id="r1")) as (address, seen):
        answer = call(address)
    assert (answer.status, answer.body, answer.processed) == (201, b'{"message":"success"}', True)
    assert answer.headers["x-request-id"] == "r1"
    [(line, headers, body)] = seen
    assert (line, body) == ("POST /campaigns/trigger/send", b'{"campaign_id":"x"}')
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == f"opportune/{opportune.__version__}"


@pytest.mark.parametrize("tail", ["", "/", "//"])
def test_a_trailing_slash_makes_no_difference(tail: str) -> None:
    with serving(reply(200, b"{}")) as (address, seen):
        call(address + tail)
        call(address + "/prefix" + tail)
    assert [line for line, _, _ in seen] == [
        "POST /campaigns/trigger/send",
        "POST /prefix/campaigns/trigger/send",
    ]


def test_one_connection_serves_several_calls() -> None:
    ports: list[int] = []

    def note(handler: BaseHTTPRequestHandler) -> None:
        ports.append(handler.client_address[1])
        reply(200, b"{}")(handler)

    with serving(note) as (address, _), Transport(address, Bearer(KEY), pool_size=1) as transport:
        answers = [transport.call(REQUEST).status for _ in range(3)]
    assert answers == [200, 200, 200]
    assert len(set(ports)) == 1


def test_a_refused_connection_was_surely_not_processed() -> None:
    answer = call(f"http://127.0.0.1:{free_port()}")
    assert (answer.status, answer.headers, answer.processed) == (None, {}, False)
    assert answer.body.startswith(b"NewConnectionError: ")


def test_a_name_that_leads_nowhere_was_surely_not_processed() -> None:
    answer = call("http://no-such-host.invalid")
    assert (answer.status, answer.processed) == (None, False)
    answer = call(f"http://{'a' * 64}.invalid")
    assert (answer.status, answer.processed) == (None, False)


@pytest.mark.parametrize("broken", [reset, hang_up, not_http])
def test_a_connection_lost_after_the_body_may_have_been_processed(broken: Reply) -> None:
    with serving(broken) as (address, seen):
        answer = call(address)
    assert (answer.status, answer.processed) == (None, None)
    assert answer.body.startswith(b"ProtocolError: ")
    assert len(seen) == 1, "a lost call is never repeated"


def test_a_late_answer_may_have_been_processed() -> None:
    with serving(slow(1.0)) as (address, seen):
        answer = call(address, read_timeout_s=0.2)
        assert (answer.status, answer.processed) == (None, None)
        assert answer.body.startswith(b"ReadTimeoutError: ")
        assert len(seen) == 1


def test_an_answer_within_the_time_is_waited_for() -> None:
    with serving(slow(0.2)) as (address, _):
        assert call(address, read_timeout_s=5.0).status == 201


def test_an_answer_cut_short_keeps_its_status() -> None:
    with serving(cut_short) as (address, _):
        answer = call(address)
    assert (answer.status, answer.processed) == (201, True)
    assert b'{"message":"succ'.startswith(answer.body)


def test_an_endless_answer_is_read_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "MAX_ANSWER_BYTES", 100_000)
    with serving(reply(200, b"x" * 300_000)) as (address, _):
        assert call(address).body == b"x" * 100_000


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with serving(reply(302, b"", Location="/elsewhere")) as (address, seen):
        answer = call(address)
    assert (answer.status, answer.processed) == (302, True)
    assert len(seen) == 1


def test_a_busy_service_is_an_answer_and_is_not_repeated() -> None:
    with serving(reply(503, b"", Retry_After="1")) as (address, seen):
        assert call(address).status == 503
    assert len(seen) == 1


def test_a_host_without_tls_settles_nothing() -> None:
    with serving(reply(200, b"{}")) as (address, seen):
        answer = call(address.replace("http:", "https:"))
    assert (answer.status, answer.processed) == (None, None)
    assert answer.body.startswith(b"SSLError: ")
    assert seen == []


def test_the_key_is_shown_nowhere() -> None:
    echo = json.dumps({"message": f"Invalid API key: {KEY}"}).encode()
    with serving(reply(401, echo, X_Echo=KEY)) as (address, _):
        answer = call(address)
    assert answer.body == b'{"message": "Invalid API key: [api key]"}'
    assert answer.headers["x-echo"] == "[api key]"
    transport = Transport(f"http://{KEY}.invalid", Bearer(KEY))
    assert repr(Transport("https://b.example/", Bearer(KEY))) == (
        "Transport('https://b.example', api_key='[api key]')"
    )
    assert KEY.encode() not in transport.call(REQUEST).body


@pytest.mark.parametrize("key", ["", "two words", 'a"b', "a\\b", "line\nbreak", "schlüssel"])
def test_a_key_that_cannot_stand_in_a_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InvalidApiKey) as caught:
        Transport("https://b.example", Bearer(key))
    assert caught.value.message == (
        "The API key must be of plain characters with no spaces, quotes or backslashes, and not"
        " empty. Set OPPORTUNE_BRAZE_API_KEY to the key as Braze shows it."
    )


@pytest.mark.parametrize(
    "address",
    [
        "",
        "b.example",
        "ftp://b.example",
        "http://",
        "http://b:99999",
        "http://[b",
        "http://b?x=1",
        "http://b#x",
        "http://me:secret@b.example",
    ],
)
def test_a_base_url_that_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddress) as caught:
        Transport(address, Bearer(KEY))
    assert "secret" not in caught.value.message
    assert caught.value.message == (
        "The base URL must be http(s)://host[:port] with no user, query or fragment, such as"
        " 'https://rest.fra-01.braze.eu'."
    )


def test_more_callers_than_connections_take_turns() -> None:
    with (
        serving(slow(0.05)) as (address, seen),
        Transport(address, Bearer(KEY), pool_size=2) as transport,
    ):
        statuses: list[int | None] = []
        threads = [
            threading.Thread(target=lambda: statuses.append(transport.call(REQUEST).status))
            for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [201] * 6
    assert len(seen) == 6


def test_a_file_is_fetched_whole_or_not_at_all_and_without_a_key(tmp_path: Path) -> None:
    file, other = tmp_path / "export.zip", tmp_path / "other.zip"
    with serving(reply(200, b"PK-all-of-it")) as (address, seen):
        assert download(f"{address}/x.zip?token=secret", file).status == 200
    assert file.read_bytes() == b"PK-all-of-it"
    assert "Authorization" not in seen[0][1]
    with serving(reply(403, b"<Code>AccessDenied</Code>")) as (address, _):
        denied = download(f"{address}/x", other)
    assert (denied.status, denied.body) == (403, b"<Code>AccessDenied</Code>")
    with serving(cut_short_file) as (address, _):
        cut = download(f"{address}/x?token=secret", other)
    assert cut.status is None
    assert b"secret" not in cut.body
    assert not other.exists()


def cut_short_file(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"PK")
    handler.close_connection = True
