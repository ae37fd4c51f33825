"""Post events to the collector: few persistent connections, every post tried until accepted."""

from __future__ import annotations

import base64
import http.client
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from urllib.parse import SplitResult, urlsplit

import msgspec

from opportune.sandbox.model import EventsRefused, SandboxConfig
from opportune.sandbox.reactions import CurrentsEvent, TrackCall

__all__ = ["post_reaction"]

CONNECTIONS = 4
BATCH = 100
ANSWER_TIMEOUT_S = 10.0
LONGEST_PAUSE_S = 2.0
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)
_ENCODER = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class _Post:
    path: str
    headers: Mapping[str, str]
    body: bytes


def post_reaction(
    engagement: Sequence[CurrentsEvent], orders: Sequence[TrackCall], config: SandboxConfig
) -> None:
    """Post everything, in batches of at most 100; raise ``EventsRefused`` when one is not taken.

    Safe to repeat: the same day posts the same message ids.
    """
    if config.events_url is None:
        return
    target = urlsplit(config.events_url)
    posts = chain(_currents(engagement, config, target), _segment(orders, config, target))
    lock, failed = threading.Lock(), threading.Event()

    def drain() -> None:
        connection = _connect(target)
        try:
            while not failed.is_set():
                with lock:
                    post = next(posts, None)
                if post is None:
                    return
                _deliver(connection, post, config.post_patience_s)
        except BaseException:
            failed.set()
            raise
        finally:
            connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for future in [pool.submit(drain) for _ in range(CONNECTIONS)]:
            future.result()


def _currents(
    engagement: Sequence[CurrentsEvent], config: SandboxConfig, target: SplitResult
) -> Iterator[_Post]:
    path = f"{target.path.rstrip('/')}/api/connectors/braze/currents"
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"Bearer {config.currents_key}",
        "Braze-Currents-Version": "1",
    }
    for events in _batches(engagement):
        yield _Post(path, headers, _ENCODER.encode({"events": events}))


def _segment(
    orders: Sequence[TrackCall], config: SandboxConfig, target: SplitResult
) -> Iterator[_Post]:
    """No ``sentAt``: the times of the virtual clock are meant as they are."""
    path = f"{target.path.rstrip('/')}/v1/batch"
    key = base64.b64encode(f"{config.write_key}:".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {key}"}
    for calls in _batches(orders):
        yield _Post(path, headers, _ENCODER.encode({"batch": calls}))


def _batches(rows: Sequence[object]) -> Iterator[Sequence[object]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _connect(target: SplitResult) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    return kind(target.hostname or "127.0.0.1", target.port, timeout=ANSWER_TIMEOUT_S)


def _deliver(connection: http.client.HTTPConnection, post: _Post, patience_s: float) -> None:
    """Try until 2xx; pause longer each time, with jitter, and give up after ``patience_s``."""
    gives_up_at = time.monotonic() + patience_s
    pause_s = 0.05
    while True:
        outcome = _attempt(connection, post)
        if outcome is None:
            return
        if outcome not in _TRY_AGAIN and outcome != 0:
            raise EventsRefused(
                f"{post.path} answered {outcome}; check events_url and its keys, then react again."
            )
        if time.monotonic() + pause_s > gives_up_at:
            problem = f"answered {outcome}" if outcome else "could not be reached"
            raise EventsRefused(
                f"{post.path} {problem} for {patience_s:g} s; start it, then react again."
            )
        time.sleep(pause_s * random.uniform(0.5, 1.0))
        pause_s = min(pause_s * 2, LONGEST_PAUSE_S)


def _attempt(connection: http.client.HTTPConnection, post: _Post) -> int | None:
    """None when accepted, else the status, or 0 when no answer came."""
    try:
        connection.request("POST", post.path, post.body, dict(post.headers))
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return 0
    return None if 200 <= response.status < 300 else response.status
