"""The worker sends events on; killed with -9 within calls, it loses nothing and doubles no file."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvicorn
from standardwebhooks import Webhook

from opportune.api import WriteKeys, create_collector
from opportune.events import LIMITS, decode_segment
from opportune.settings import PREFIX, Settings, as_variables
from opportune.storage import Frame, SegmentLog, load_sql, read_frames

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
# Nothing is decided before six.
TWO = MIDNIGHT + timedelta(hours=2)
NOW_US = int(MIDNIGHT.timestamp() * 1_000_000)
SIGNING = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = (("OPPORTUNE_SECRET_HOOK", SIGNING), ("OPPORTUNE_SECRET_KEY", "wk-one"))
EVENTS, USERS = 120, 12
Until = Callable[..., None]


@dataclass
class Holding:
    """Holds the answer of some calls back, once they were taken, until somebody lets go."""

    calls: set[int]
    count: int = 0
    held: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def passes(self) -> None:
        with self.guard:
            self.count += 1
            holds = self.count in self.calls
        if holds:
            self.released.clear()
            self.held.set()
            assert self.released.wait(60)


@contextmanager
def hooks(holding: Holding) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A receiver of webhooks: its address, and the messages that came, verified, in order."""
    messages: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            message = Webhook(SIGNING).verify(body, dict(self.headers))
            messages.append({**message["data"], "webhook-id": self.headers["webhook-id"]})
            holding.passes()
            try:
                self.send_response(204)
                self.end_headers()
            except OSError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook", messages
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def collecting(folder: Path, holding: Holding) -> Iterator[tuple[str, Callable[[], list[Any]]]]:
    """Our own collector: its address, and the events that it took, repeats included."""
    folder.mkdir()
    digest = hashlib.sha256(b"wk-one").hexdigest()
    keys = folder / "keys.json"
    keys.write_text(json.dumps({digest: {"source_id": "one", "name": "one"}}))
    with closing(SegmentLog(folder / "log")) as log:
        app = create_collector(log, WriteKeys(keys), limits=LIMITS, clock=lambda: NOW_US)

        async def held(scope: Any, receive: Any, send: Any) -> None:
            async def answer(message: Any) -> None:
                if message["type"] == "http.response.start":
                    await asyncio.to_thread(holding.passes)
                await send(message)

            await app(scope, receive, answer if scope["type"] == "http" else send)

        server = uvicorn.Server(uvicorn.Config(held, port=0, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            assert thread.is_alive()

        def events() -> list[Any]:
            frames = read_frames(folder / "log", {}, limit_bytes=1 << 30)[0]
            return [event for frame in frames for event in decode_segment(frame).events]

        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", events
        finally:
            server.should_exit = True
            thread.join(30)


@contextmanager
def worker(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    with subprocess.Popen(
        [sys.executable, "-m", "opportune", "worker", "--simulated-clock", "--tick-s", "0.01"],
        env={**inherited, **as_variables(settings)},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def accept(folder: Path, count: int) -> None:
    """Log orders of some users, in the order of their numbers."""
    messages = [
        {
            "type": "track",
            "event": "Order Completed",
            "messageId": f"m{n:04}",
            "userId": f"u{n % USERS}",
            "timestamp": (MIDNIGHT - timedelta(days=1) + timedelta(seconds=n)).isoformat(),
            "properties": {"n": n},
        }
        for n in range(count)
    ]
    with closing(SegmentLog(folder)) as log:
        frame = Frame(
            received_at_us=NOW_US,
            source_id="shop",
            kind="batch",
            body=msgspec.json.encode({"batch": messages}),
        )
        log.append(frame).result()


def first_ones_in_order(messages: list[tuple[str, str]]) -> bool:
    """Whether what is new of each user came in the order in which it happened."""
    seen: dict[str, list[str]] = {}
    for user, message_id in messages:
        if message_id not in seen.setdefault(user, []):
            seen[user].append(message_id)
    return all(ids == sorted(ids) for ids in seen.values())


def test_the_worker_sends_what_it_takes_in(market: Any, until: Until) -> None:
    market.apply(
        {"next-best-offer": "http://127.0.0.1:1"},
        destinations={
            "lines": 'title = "x"\nconnector = "file"\nevents = ["*"]\n',
            "broken": 'title = "x"\nconnector = "webhook"\nurl = "http://127.0.0.1:1"\n'
            'secret = "OPPORTUNE_SECRET_UNSET"\nevents = ["*"]\n',
        },
    )
    accept(market.stores.settings.log_folder, 3)
    with market.working(lambda: TWO):
        until(lambda: market.outbox("destination/lines") == {"sent": 3})
    assert market.outbox("destination/broken") == {"pending": 3}
    (part,) = (market.stores.settings.outgoing_folder / "lines").glob("*.jsonl")
    assert len(part.read_text().splitlines()) == 3


def test_the_day_s_recommendations_are_told(market: Any, sandbox: Any, until: Until) -> None:
    written = 'title = "x"\nconnector = "file"\nkinds = ["decision"]\n'
    market.apply({"next-best-offer": sandbox.url}, destinations={"lines": written}, at_once=True)
    market.register(20)
    with market.working():
        until(market.all_sent)
        until(lambda: market.outbox("destination/lines").keys() == {"sent"})
    assert market.outbox("destination/lines") == market.outbox()
    (part,) = (market.stores.settings.outgoing_folder / "lines").glob("*.jsonl")
    told = [json.loads(line)["properties"]["decision_id"] for line in part.read_text().splitlines()]
    sent = market.stores.state.rows("select key from outbox where message is null")
    assert sorted(told) == sorted(row["key"] for row in sent)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_killed_within_calls_sends_everything_on(
    market: Any, until: Until, tmp_path: Path
) -> None:
    settings = replace(
        market.stores.settings,
        secrets=SECRETS,
        destination_settle_s=0.1,
        # A worker of its own refuses to settle before it gives up.
        braze_settle_s=31.0,
    )
    hooked, collected = Holding({3, 40}), Holding({2})
    with (
        hooks(hooked) as (hook, came),
        collecting(tmp_path / "theirs", collected) as (segment, taken),
    ):
        common = 'title = "x"\nevents = ["*"]\nproperties = ["*"]\n'
        market.apply(
            {"next-best-offer": "http://127.0.0.1:1"},
            destinations={
                "hook": f'{common}connector = "webhook"\nurl = "{hook}"\n'
                'secret = "OPPORTUNE_SECRET_HOOK"\n',
                "warehouse": f'{common}connector = "segment"\nurl = "{segment}"\n'
                'secret = "OPPORTUNE_SECRET_KEY"\nbatch_size = 20\n',
                "lines": f'{common}connector = "file"\nbatch_size = 10\n',
            },
        )
        market.stores.state.rows(load_sql("opportune", "set_simulated_now"), {"now": TWO})
        accept(settings.log_folder, EVENTS)
        kills = 0
        for holding in (hooked, collected, hooked):
            with worker(settings) as process:
                until(holding.held.is_set)
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
            holding.held.clear()
            holding.released.set()
        hooked.calls.clear()
        with worker(settings):
            until(lambda: market.count("outbox", "state = 'sent'") == 3 * EVENTS)
        assert market.count("outbox") == 3 * EVENTS
    ids = {f"m{n:04}" for n in range(EVENTS)}
    assert kills == 3
    assert {each["messageId"] for each in came} == ids
    assert all(each["webhook-id"] == each["messageId"] for each in came)
    assert len(came) > EVENTS, "a call that was not answered is made again"
    assert first_ones_in_order([(each["userId"], each["messageId"]) for each in came])
    assert {event.message_id for event in taken()} == ids
    assert first_ones_in_order([(event.user_id, event.message_id) for event in taken()])
    parts = sorted((settings.outgoing_folder / "lines").glob("*.jsonl"))
    lines = [json.loads(line) for part in parts for line in part.read_text().splitlines()]
    assert Counter(each["messageId"] for each in lines) == dict.fromkeys(ids, 1)
