"""A destination that speaks Segment's protocol: our own collector takes what it sends."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from opportune.activation import Answer, InvalidSecret, dead_letters
from opportune.activation.connectors.segment import MAX_BATCH_BYTES, Segment
from opportune.api import WriteKeys, create_collector
from opportune.events import LIMITS, Event, decode_segment
from opportune.storage import Frame, SegmentLog, read_frames
from opportune.testing import check_connector

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
RECEIVED_US = int(NOW.timestamp() * 1_000_000) + 60_000_000


@dataclass
class Collector:
    port: int
    folder: Path

    def events(self) -> list[Event]:
        """All that was accepted, repeats included, in the order of acceptance."""
        frames: list[Frame] = read_frames(self.folder, {}, limit_bytes=1 << 30)[0]
        decoded = [decode_segment(frame) for frame in frames]
        return [event for each in decoded for event in each.events]


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collector]:
    with collecting(tmp_path) as started:
        yield started


@contextmanager
def collecting(folder: Path) -> Iterator[Collector]:
    keys = folder / "their-keys.json"
    digest = hashlib.sha256(b"wk-one").hexdigest()
    keys.write_text(json.dumps({digest: {"source_id": "opportune-one", "name": "x"}}))
    with closing(SegmentLog(folder / "their-log")) as log:
        app = create_collector(log, WriteKeys(keys), limits=LIMITS, clock=lambda: RECEIVED_US)
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            assert thread.is_alive()
        try:
            port = server.servers[0].sockets[0].getsockname()[1]
            yield Collector(port, folder / "their-log")
        finally:
            server.should_exit = True
            thread.join(30)


def segment(out: Any, collector: Collector, **more: object) -> Any:
    return out.apply(
        **{
            "connector": "segment",
            "url": f"http://127.0.0.1:{collector.port}",
            "secret": "OPPORTUNE_SECRET_KEY",
            "events": ["*"],
            "properties": ["*"],
            **more,
        }
    )


def events(count: int, *, users: int = 7, size: int = 10) -> list[dict[str, Any]]:
    return [
        {
            "event": "Order Completed",
            "user": f"u{n % users}",
            "id": f"m{n}",
            "properties": {"n": n, "text": "x" * size},
        }
        for n in range(count)
    ]


def test_the_connector_keeps_the_promises_of_one() -> None:
    check_connector(Segment(batch_size=10), config={"path": "/v1/batch"})


def test_what_is_sent_arrives_once_in_order_as_it_was(out: Any, collector: Collector) -> None:
    channel = out.reach(segment(out, collector, kinds=["profile"], traits=["plan"], batch_size=40))
    out.feed(
        *events(500),
        {"type": "identify", "user": "u1", "id": "i", "traits": {"plan": "gold", "email": "a@b.c"}},
    )
    out.drain(channel)
    arrived = collector.events()
    assert out.states() == {"sent": 501}
    tracked = [event for event in arrived if event.type == "track"]
    assert Counter(event.message_id for event in tracked) == Counter(f"m{n}" for n in range(500))
    for user in (f"u{n}" for n in range(7)):
        numbers = [int(each.message_id[1:]) for each in tracked if each.user_id == user]
        assert numbers == sorted(numbers)
    assert {each.occurred_at_us - int(each.message_id[1:]) for each in tracked} == {
        int(NOW.timestamp() * 1_000_000)
    }
    assert json.loads(tracked[0].properties or "")["text"] == "x" * 10
    (identify,) = [event for event in arrived if event.type == "identify"]
    assert (identify.user_id, json.loads(identify.traits or "")) == ("u1", {"plan": "gold"})


def test_batches_stay_below_segment_s_limits(out: Any, collector: Collector) -> None:
    destination = segment(out, collector, batch_size=2500)
    out.feed(*events(60, size=30_000))
    channel = out.reach(destination)
    sizes: list[int] = []
    call = channel.call

    def noted(request: Any) -> Answer:
        sizes.append(len(request.body))
        return call(request)

    object.__setattr__(channel, "call", noted)
    out.drain(channel)
    assert out.states() == {"sent": 60}
    assert len(sizes) >= 4
    assert max(sizes) <= MAX_BATCH_BYTES


def test_a_message_that_is_refused_is_given_up_and_its_neighbours_are_not(
    out: Any, collector: Collector
) -> None:
    destination = segment(out, collector)
    out.feed(
        *events(3), {"event": "Big", "user": "u1", "id": "big", "properties": {"x": "y" * 40_000}}
    )
    out.drain(out.reach(destination))
    assert out.states() == {"sent": 3, "failed": 1}
    (letter,) = dead_letters(out.stores.state, destination)
    assert (letter.message_id, letter.attempts) == ("big", 1)
    assert letter.reason.startswith("The message was refused: ")
    assert sorted(event.message_id for event in collector.events()) == ["m0", "m1", "m2"]


def test_a_batch_whose_answer_is_lost_is_sent_again_under_the_same_ids(
    out: Any, collector: Collector
) -> None:
    channel = out.reach(segment(out, collector))
    call = channel.call
    lost: list[Answer] = []

    def deaf(request: Any) -> Answer:
        answer = call(request)
        if lost:
            return answer
        lost.append(answer)
        return Answer(status=None, headers={}, body=b"ReadTimeoutError: x", processed=None)

    object.__setattr__(channel, "call", deaf)
    out.feed(*events(3))
    assert out.send(channel) == {"unknown": 3}
    assert out.rows()[0]["reason"] == "No answer came (ReadTimeoutError)."
    assert out.ask(channel) == {"retry": 3}
    out.expire()
    assert out.send(channel) == {"sent": 3}
    ids = [event.message_id for event in collector.events()]
    assert Counter(ids) == {"m0": 2, "m1": 2, "m2": 2}


def test_a_wrong_write_key_waits_for_somebody_to_repair_it(out: Any, collector: Collector) -> None:
    destination = segment(out, collector)
    out.feed(*events(1))
    wrong = out.reach(destination, secrets=(("OPPORTUNE_SECRET_KEY", "other"),))
    assert out.send(wrong) == {"retry": 1}
    (row,) = out.rows()
    assert (row["attempts"], "(401)" in row["reason"], "other" in row["reason"]) == (0, True, False)
    with pytest.raises(InvalidSecret) as caught:
        out.reach(destination, secrets=())
    assert "OPPORTUNE_SECRET_KEY, which is not set" in caught.value.message
    out.expire()
    out.drain(out.reach(destination))
    assert out.states() == {"sent": 1}


def test_nobody_listens_is_no_attempt_lost(out: Any, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with collecting(tmp_path / "one") as gone:
        destination = segment(out, gone)
    out.feed(*events(2))
    assert out.send(out.reach(destination)) == {"retry": 2}
    assert out.states() == {"pending": 2}
