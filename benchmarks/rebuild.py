"""Rebuild of State from all events, beside the live way and a bare scan of the same lake.

People come, click, buy, log in on new and on shared devices, and some are cut apart; five segments
follow. All goes through the log and the ingest as in a worker (the live way), then State is built
again and compared: every row must be equal. The floor of the same run reads the lake in the same
parts and does nothing with them. The ratios are the promise; seconds are this machine's.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np

from opportune import pipeline, profiles, segments, worker
from opportune.errors import Conflict
from opportune.pipeline.rebuild import ROWS_AT_ONCE
from opportune.settings import Settings
from opportune.storage import Frame, SegmentLog, Stores, open_stores
from opportune.storage.scan import parts, scan

PROFILES = 1_000_000
EVENTS = 5_000_000
TOGETHER = 250
STEP = 50_000
CUTS = 100
START = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = ("Page Viewed", "Product Viewed", "Product Added", "Order Completed")
RULES: dict[str, dict[str, object]] = {
    "buyers": {"event": "Order Completed", "within": {"days": 30}},
    "browsers": {"event": "Product Viewed", "count": {"at_least": 3}, "within": {"days": 7}},
    "gold": {"trait": "tier", "is": "gold"},
    "left_cart": {
        "all": [
            {"event": "Product Added", "within": {"days": 2}},
            {"not": {"event": "Order Completed", "within": {"days": 2}}},
        ]
    },
    "golden_buyers": {"all": [{"segment": "gold"}, {"segment": "buyers"}]},
}


def main() -> None:
    """Measure and print; ``--json FILE`` also writes the figures for a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    parser.add_argument("--profiles", type=int, default=PROFILES)
    parser.add_argument("--events", type=int, default=EVENTS)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        stores = open_stores(Settings(data_folder=Path(folder)), now=START)
        try:
            figures = measure(stores, given.profiles, given.events)
        finally:
            stores.close()
    for name, value in figures.items():
        print(f"{name:<28} {value:>16,.2f}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(stores: Stores, people: int, count: int) -> dict[str, float]:
    """Seconds, events a second, and how many rows are not equal (which must be none)."""
    define(stores)
    with ExitStack() as stack:
        log = stores.open_log(stack)
        live_s, now = live(stores, log, people, count)
        live_mib = peak_mib()
        found = scan(stores.lake, "events")
        began = time.perf_counter()
        for _ in parts(found, after=0, rows_at_once=ROWS_AT_ONCE):
            pass
        floor_s = time.perf_counter() - began
        began = time.perf_counter()
        done = pipeline.rebuild(
            stores, worker.decoders(stores), log, swap=False, now=now, told=tell
        )
        rebuild_s = time.perf_counter() - began
    tables = {f"rows_{each.table}": float(each.live) for each in done.tables}
    wrong = {
        f"unequal_{each.table}": float(each.only_live + each.only_built + each.differing)
        for each in done.tables
        if not each.is_equal
    }
    return {
        "events": float(done.events),
        "live_s": live_s,
        "live_events_per_s": done.events / live_s,
        "floor_s": floor_s,
        "rebuild_s": rebuild_s,
        "rebuild_events_per_s": done.events / rebuild_s,
        "rebuild_over_live": rebuild_s / live_s,
        "rebuild_over_floor": rebuild_s / floor_s,
        "unequal_tables": float(len(wrong)),
        "live_peak_mib": live_mib,
        "peak_mib": peak_mib(),
        **tables,
        **wrong,
    }


def define(stores: Stores) -> None:
    """Five segments that follow every event."""
    pipeline.create_tables(stores)
    for name, rule in RULES.items():
        segments.define(stores.state, name, {"rule": rule}, now=START)
    segments.sync(stores.state, now=START)
    segments.fill(stores, now=START)


def live(stores: Stores, log: SegmentLog, people: int, count: int) -> tuple[float, datetime]:
    """Let all of it happen; return the seconds it took behind the log, and the time then."""
    spent = 0.0
    random = np.random.default_rng(3)
    now = START
    ingest = pipeline.Ingest(stores, worker.decoders(stores), clock=lambda: now)
    for start in range(0, count, STEP):
        now += timedelta(minutes=10)
        at_us = round(now.timestamp() * 1_000_000)
        bodies = batches(random, start, min(STEP, count - start), people, count, now)
        for appended in [log.append(frame(body, at_us)) for body in bodies]:
            appended.result()
        began = time.perf_counter()
        ingest.catch_up()
        segments.announce(stores.state, log, now=now)
        segments.tell(stores.state, log, now=now)
        ingest.purge()
        spent += time.perf_counter() - began
        tell(start + STEP, count)
    began = time.perf_counter()
    cut(stores, random, people, now)
    profiles.tell(stores.state, log, now=now)
    while segments.announce(stores.state, log, now=now) + segments.tell(stores.state, log, now=now):
        ingest.catch_up()
    ingest.close()
    return spent + time.perf_counter() - began, now


def cut(stores: Stores, random: np.random.Generator, people: int, now: datetime) -> None:
    """Cut some devices from their people, and put some back."""
    for place in range(CUTS):
        person = int(random.integers(people))
        try:
            done = profiles.cut(
                stores.state, "anonymous_id", f"a{person}", by="bench", reason="bench", now=now
            )
        except (Conflict, profiles.UnknownProfile):
            continue
        if place % 4 == 0:
            profiles.restore(stores.state, done.cut_id, by="bench", now=now)


def batches(
    random: np.random.Generator, start: int, size: int, people: int, count: int, now: datetime
) -> Iterator[bytes]:
    """Bodies of requests: who is new first says who they are, spread over all of the time."""
    fresh = range(start * people // count, (start + size) * people // count)
    who = (random.random(size) ** 2 * (fresh.stop or 1)).astype(int)
    kind = random.random(size)
    names = random.choice(NAMES, size, p=[0.5, 0.3, 0.15, 0.05])
    stamp = now.isoformat()
    messages: list[dict[str, object]] = [
        {
            "type": "identify",
            "messageId": f"i{person}",
            "userId": f"u{person}",
            "anonymousId": f"a{person}",
            "timestamp": stamp,
            "traits": {"tier": "gold" if person % 10 == 0 else "plain", "age": person % 80},
        }
        for person in fresh
    ]
    for place in range(size - len(messages)):
        person = int(who[place])
        says: dict[str, object] = {"userId": f"u{person}"}
        if kind[place] < 0.3:
            says = {"anonymousId": f"a{person}"}
        elif kind[place] > 0.995:
            # A kiosk of fifty people, or a second device of their own.
            shared = kind[place] > 0.998
            says["anonymousId"] = f"kiosk{person // 50}" if shared else f"b{person}"
        messages.append(
            {
                "type": "track",
                "messageId": f"e{start + place}",
                "event": str(names[place]),
                "timestamp": stamp,
                "properties": {"product_id": f"p{place % 997}", "revenue": place % 300},
                **says,
            }
        )
    for first in range(0, len(messages), TOGETHER):
        yield msgspec.json.encode({"batch": messages[first : first + TOGETHER]})


def frame(body: bytes, at_us: int) -> Frame:
    return Frame(received_at_us=at_us, source_id="shop", kind="batch", body=body)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tell(done: int, total: int) -> None:
    """Say how far it is, now and then."""
    if done % (STEP * 10) == 0 or done >= total:
        print(f"{time.strftime('%H:%M:%S')} {done:,} of {total:,}", flush=True)


if __name__ == "__main__":
    main()
