"""Webhooks over real HTTP: signed, tried again under the same id, given up visibly."""

from __future__ import annotations

import importlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from opportune.activation import (
    InvalidSecret,
    Request,
    Signed,
    UnknownDeadLetter,
    dead_letters,
    resend,
    traffic,
)
from opportune.storage import read_frames

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
# A status and headers, "half" an answer, one that comes too "late", or None: none at all.
Script = Callable[[int, dict[str, Any]], Any]


@dataclass
class Receiver:
    """What a receiver of webhooks got: verified messages in their order, with their ids."""

    port: int
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    unsigned: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/opportune?tenant=7"

    def ids(self) -> list[str]:
        return [id for id, _ in self.calls]


@contextmanager
def receiving(script: Script) -> Iterator[Receiver]:
    """Answer the n-th call as ``script`` says; None closes the connection without a word."""
    guard = threading.Lock()
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with guard:
                assert self.path == "/hooks/opportune?tenant=7"
                try:
                    message = Webhook(SIGNING).verify(body, dict(self.headers))
                except WebhookVerificationError:
                    receiver.unsigned += 1
                    message = {}
                receiver.calls.append((self.headers["webhook-id"], message))
                answer = script(len(receiver.calls), message)
            if answer is None or answer == "half":
                self.connection.sendall(b"HTTP/1.1 20" if answer else b"")
                self.connection.shutdown(socket.SHUT_WR if answer else socket.SHUT_RDWR)
                self.close_connection = True
                return
            if answer == "late":
                released.wait(10)
                self.close_connection = True
                return
            status, headers = answer
            self.send_response(status)
            for name, value in {**headers, "Content-Length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        released.set()
        server.shutdown()
        thread.join()
        server.server_close()
    assert receiver.unsigned == 0


def webhook(out: Any, receiver: Receiver, **more: object) -> Any:
    return out.apply(
        connector="webhook",
        url=receiver.url,
        secret="OPPORTUNE_SECRET_SIGN",
        events=["*"],
        properties=["*"],
        **more,
    )


def events(count: int, *, users: int = 1) -> list[dict[str, Any]]:
    return [
        {"event": "Order Completed", "user": f"u{n % users}", "id": f"m{n}", "properties": {"n": n}}
        for n in range(count)
    ]


def test_the_signature_is_the_published_one() -> None:
    clock = lambda: datetime.fromtimestamp(1614265330, UTC)  # noqa: E731
    request = Request(
        method="POST",
        path="/",
        body=b'{"test": 2432232314}',
        keys=("k",),
        request_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
    )
    assert Signed(SIGNING, clock).headers(request) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    "secret", ["", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2hvcnQ=", "whsec_??"]
)
def test_a_secret_that_cannot_sign_is_refused_without_being_shown(out: Any, secret: str) -> None:
    with receiving(lambda n, message: (200, {})) as receiver:
        destination = webhook(out, receiver)
        with pytest.raises(InvalidSecret) as caught:
            out.reach(destination, secrets=(("OPPORTUNE_SECRET_SIGN", secret),))
    assert not secret or secret not in caught.value.message


def test_events_of_a_profile_arrive_in_order_and_signed(out: Any) -> None:
    with receiving(lambda n, message: (204, {})) as receiver:
        channel = out.reach(webhook(out, receiver))
        out.feed(*events(30, users=3))
        out.drain(channel)
    assert out.states() == {"sent": 30}
    assert sorted(receiver.ids()) == sorted(f"m{n}" for n in range(30))
    for user in ("u0", "u1", "u2"):
        numbers = [
            each["data"]["properties"]["n"]
            for _, each in receiver.calls
            if each["data"]["userId"] == user
        ]
        assert numbers == sorted(numbers)
    first = next(each for id, each in receiver.calls if id == "m0")
    assert (first["type"], first["timestamp"]) == ("Order Completed", "2026-03-01T09:00:00.000000Z")
    assert first["data"]["context"] == {"opportune": {"destination": "crm"}, "traits": {}}


@pytest.mark.parametrize(
    "trouble", [(500, {}), (503, {"Retry-After": "1"}), (429, {}), (404, {}), None, "half", "late"]
)
def test_what_was_not_taken_is_sent_again_under_the_same_id_before_what_came_later(
    out: Any, trouble: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By name, because the room shows its function of the same name.
    module = importlib.import_module("opportune.activation.reach")
    monkeypatch.setattr(module, "READ_TIMEOUT_S", 0.3)
    with receiving(lambda n, message: trouble if n <= 2 else (200, {})) as receiver:
        channel = out.reach(webhook(out, receiver))
        out.feed(*events(3))
        out.drain(channel)
    assert receiver.ids() == ["m0", "m0", "m0", "m1", "m2"]
    assert out.states() == {"sent": 3}


def test_no_more_is_reserved_at_once_than_can_be_held(
    out: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("opportune.activation.send")
    monkeypatch.setattr(module, "MOST_BYTES", 700)
    with receiving(lambda n, message: (200, {})) as receiver:
        channel = out.reach(webhook(out, receiver))
        out.feed(*events(5, users=5))
        assert [out.send(channel) for _ in range(4)] == [{"sent": 2}, {"sent": 2}, {"sent": 1}, {}]
        out.feed({"event": "Big", "user": "u", "id": "big", "properties": {"x": "y" * 1_000}})
        assert out.send(channel) == {"sent": 1}


def test_a_receiver_that_wants_to_be_left_alone_is(out: Any) -> None:
    with receiving(lambda n, message: (429, {"Retry-After": "120"})) as receiver:
        channel = out.reach(webhook(out, receiver, most_attempts=1))
        out.feed(*events(1))
        assert out.send(channel) == {"retry": 1}
        (wait,) = out.stores.state.rows(
            "select extract(epoch from leased_until - clock_timestamp())::int as s from outbox"
        )
        assert 100 < wait["s"] <= 132
        assert out.rows()[0]["attempts"] == 0, "it is no try"
        out.feed({"event": "Later", "user": "u0", "id": "later"})
        assert out.send(channel) == {}, "what is of the same profile waits as well"
    assert receiver.ids() == ["m0"]


def test_after_so_many_tries_a_message_is_a_dead_letter_that_can_be_sent_again(out: Any) -> None:
    healthy = threading.Event()
    with receiving(lambda n, message: (200, {}) if healthy.is_set() else (500, {})) as receiver:
        destination = webhook(out, receiver, most_attempts=3)
        channel = out.reach(destination)
        out.feed(*events(2, users=2))
        out.drain(channel)
        assert receiver.ids().count("m0") == 3
        letters = dead_letters(out.stores.state, destination)
        assert [(each.message_id, each.event, each.attempts) for each in letters] == [
            ("m0", "Order Completed", 3),
            ("m1", "Order Completed", 3),
        ]
        assert letters[0].reason == "Given up at try 3. The receiver cannot take it now (500)."
        found = traffic(out.stores.state, [destination])["crm"]
        assert (found.waiting, found.under_way, found.sent, found.dead) == (0, 0, 0, 2)
        healthy.set()
        with pytest.raises(UnknownDeadLetter):
            resend(out.stores.state, destination, ["nothing"], now=NOW)
        assert resend(out.stores.state, destination, ["m1"], now=NOW) == 1
        out.drain(channel)
        assert resend(out.stores.state, destination, None, now=NOW) == 1
        out.drain(channel)
    assert out.states() == {"sent": 2}
    assert receiver.ids().count("m1") == 4
    assert dead_letters(out.stores.state, destination) == []


def test_after_so_long_a_message_is_given_up(out: Any) -> None:
    with receiving(lambda n, message: (503, {"Retry-After": "5"})) as receiver:
        channel = out.reach(webhook(out, receiver, longest_hours=2))
        out.feed(*events(1))
        assert out.send(channel, now=NOW + timedelta(hours=1)) == {"retry": 1}
        out.expire()
        assert out.send(channel, now=NOW + timedelta(hours=2)) == {"failed": 1}
    assert out.rows()[0]["reason"].startswith("Given up at try 1. ")


def test_a_message_that_is_refused_does_not_hold_up_the_next(out: Any) -> None:
    def script(n: int, message: dict[str, Any]) -> tuple[int, dict[str, str]]:
        return (422, {}) if message["data"]["properties"]["n"] == 0 else (200, {})

    with receiving(script) as receiver:
        destination = webhook(out, receiver)
        out.feed(*events(2))
        out.drain(out.reach(destination))
    assert receiver.ids() == ["m0", "m1"]
    (letter,) = dead_letters(out.stores.state, destination)
    assert (letter.message_id, letter.reason) == ("m0", "The receiver refused it (422).")
    assert dead_letters(out.stores.state, destination, after=letter.sequence) == []


def test_a_sender_that_was_killed_leaves_what_is_sent_again_at_once(out: Any) -> None:
    with receiving(lambda n, message: (200, {})) as receiver:
        channel = out.reach(webhook(out, receiver))
        out.feed(*events(2))
        out.stores.state.rows("alter table outbox add constraint broken check (state <> 'sent')")
        with pytest.raises(Exception, match="failed"):
            out.send(channel)
        out.stores.state.rows("alter table outbox drop constraint broken")
        assert out.abandon() == 1
        out.drain(channel)
    assert receiver.ids() == ["m0", "m0", "m1"]
    assert out.states() == {"sent": 2}


def test_nothing_comes_back_as_an_event(out: Any) -> None:
    with receiving(lambda n, message: (200, {}) if n == 1 else (400, {})) as receiver:
        channel = out.reach(webhook(out, receiver))
        out.feed(*events(2))
        out.drain(channel)
    assert out.states() == {"sent": 1, "failed": 1}
    assert read_frames(out.log.folder, {}, limit_bytes=1_000_000)[0] == []
