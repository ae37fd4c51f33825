"""How fast events are taken in, beside the floor of the disk that it cannot avoid.

Batches of 100 events (about 93 KB) go over 16 persistent connections from this process to a
collector in a process of its own, on 127.0.0.1: as fast as they are answered, then at an offered
load. An event counts when it was answered 200, so when it is on disk; at the end the log is read
back and must hold them all. The floor writes the same bodies in a bare loop, one write and one
fdatasync each, to the same folder in the same run. Behind the log: decode and Arrow, then all of
``record`` into a lake.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import uvicorn

from opportune.api import WriteKeys, create_collector
from opportune.events import (
    LIMITS,
    Deduplicator,
    create_tables,
    decode_segment,
    event_table,
    record,
)
from opportune.keys import create_key
from opportune.settings import Settings
from opportune.storage import Lake, SegmentLog, read_frames

EVENTS = 100
BODIES = 64
CONNECTIONS = 16
SECONDS = 5.0
OFFERED = 20_000
FRAMES = 300


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(Path(folder))
    for name, value in figures.items():
        print(f"{name:<44} {value:>14,.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(folder: Path) -> dict[str, float]:
    """Rates in events per second, times in milliseconds."""
    bodies = [body(number) for number in range(BODIES)]
    settings = Settings(data_folder=folder)
    key = create_key(settings, "bench")
    floor = write_bare(folder / "floor", bodies)
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(folder, theirs), daemon=True)
    server.start()
    port = ours.recv()
    post(port, key, bodies, seconds=1.0)
    cpu_before = cpu_s(server.pid)
    fast = post(port, key, bodies, seconds=SECONDS)
    cpu = cpu_s(server.pid) - cpu_before
    paced = post(port, key, bodies, seconds=SECONDS, offered=OFFERED)
    ours.send("stop")
    server.join(30)
    check(settings.log_folder, at_least=len(fast) + len(paced))
    rate = len(fast) * EVENTS / SECONDS
    behind = process(settings.log_folder, Lake(folder / "lake"))
    return {
        "body_bytes": float(len(bodies[0])),
        "accepted_events_per_s": rate,
        "floor_events_per_s": floor,
        "accepted_over_floor": rate / floor,
        "accepted_p50_ms": percentile(fast, 50),
        "accepted_p99_ms": percentile(fast, 99),
        "accepted_events_per_server_cpu_s": len(fast) * EVENTS / cpu,
        "offered_events_per_s": float(OFFERED),
        "offered_accepted_events_per_s": len(paced) * EVENTS / SECONDS,
        "offered_p50_ms": percentile(paced, 50),
        "offered_p99_ms": percentile(paced, 99),
        **behind,
    }


def body(number: int) -> bytes:
    """A batch as the Python library sends it; no two messages have the same id."""
    messages = [message(number * EVENTS + place) for place in range(EVENTS)]
    return json.dumps({"batch": messages, "sentAt": "2026-01-15T09:30:01.000+00:00"}).encode()


def message(number: int) -> dict[str, object]:
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0"
    return {
        "type": "track",
        "userId": f"customer-{number % 5000}",
        "anonymousId": None,
        "messageId": f"0c5f9a52-51c8-4b5f-8a3e-{number:012d}",
        "event": "Product Viewed",
        "timestamp": "2026-01-15T09:30:00.123+00:00",
        "integrations": {},
        "context": {
            "library": {"name": "analytics-python", "version": "2.4.0"},
            "ip": "203.0.113.9",
            "userAgent": agent,
            "page": {"url": "http://shop.example/p/77", "referrer": "http://shop.example/"},
        },
        "properties": {
            "product_id": f"product-{number}",
            "price": 19.99,
            "currency": "EUR",
            "category": "things",
            "image_url": "http://shop.example/images/" + "i" * 120,
            "name": "n" * 120,
            "position": 3,
            "tags": ["new", "sale", "blue"],
        },
    }


def write_bare(path: Path, bodies: list[bytes]) -> float:
    """Write bodies with one fdatasync each for `SECONDS`; events per second."""
    with path.open("wb", buffering=0) as file:
        begun = time.perf_counter()
        count = 0
        while time.perf_counter() - begun < SECONDS:
            file.write(bodies[count % BODIES])
            os.fdatasync(file.fileno())
            count += 1
        spent = time.perf_counter() - begun
    path.unlink()
    return count * EVENTS / spent


def serve(folder: Path, pipe: Connection) -> None:
    """Be the collector's process: tell the port, stop when told."""
    settings = Settings(data_folder=folder)
    log = SegmentLog(settings.log_folder)
    keys = WriteKeys(folder / "keys.json")
    app = create_collector(log, keys, limits=LIMITS, clock=lambda: time.time_ns() // 1000)
    config = uvicorn.Config(app, log_level="warning", access_log=False, loop="uvloop")
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    pipe.send(listening.getsockname()[1])

    def wait() -> None:
        pipe.recv()
        server.should_exit = True

    threading.Thread(target=wait, daemon=True).start()
    server.run(sockets=[listening])
    log.close()


def post(
    port: int, key: str, bodies: list[bytes], *, seconds: float, offered: int | None = None
) -> list[float]:
    """Post bodies for ``seconds``; the milliseconds that each accepted one took to be answered."""
    took_ms: list[list[float]] = [[] for _ in range(CONNECTIONS)]
    begun = time.perf_counter()

    def run(worker: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"Authorization": basic(key), "Content-Type": "application/json"}
        count = 0
        while (due := start_of(worker, count, offered)) < seconds:
            time.sleep(max(0.0, begun + due - time.perf_counter()))
            if (sent := time.perf_counter()) - begun >= seconds:
                break
            connection.request("POST", "/v1/batch", bodies[(worker + count) % BODIES], headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise RuntimeError(f"The collector answered {answer.status}.")
            took_ms[worker].append((time.perf_counter() - sent) * 1000)
            count += 1
        connection.close()

    threads = [threading.Thread(target=run, args=(worker,)) for worker in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [each for worker in took_ms for each in worker]


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def start_of(worker: int, count: int, offered: int | None) -> float:
    """When a worker's next batch is due, in seconds: at once, or evenly spread over all workers."""
    if offered is None:
        return 0.0
    return (count * CONNECTIONS + worker) * EVENTS / offered


def cpu_s(process_id: int | None) -> float:
    """The processor time of a process so far, where the system tells it."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def check(folder: Path, *, at_least: int) -> None:
    offsets: dict[str, int] = {}
    found = 0
    while frames := (read := read_frames(folder, offsets, limit_bytes=1 << 26))[0]:
        found, offsets = found + len(frames), read[1]
    if found < at_least:
        raise RuntimeError(f"{at_least} batches were acknowledged and {found} are in the log.")


def process(folder: Path, lake: Lake) -> dict[str, float]:
    """What the normaliser does with the log, on one core: the best of three rounds."""
    frames, offsets = read_frames(folder, {}, limit_bytes=FRAMES * 100_000)
    create_tables(lake)
    rates = []
    for _ in range(3):
        begun = time.perf_counter()
        event_table([(frame, decode_segment(frame).events) for frame in frames])
        rates.append(len(frames) * EVENTS / (time.perf_counter() - begun))
    begun = time.perf_counter()
    record(lake, frames, offsets=offsets, decoders={"batch": decode_segment}, seen=Deduplicator())
    recorded = len(frames) * EVENTS / (time.perf_counter() - begun)
    return {"decode_and_arrow_events_per_s": max(rates), "record_events_per_s": recorded}


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


if __name__ == "__main__":
    main()
