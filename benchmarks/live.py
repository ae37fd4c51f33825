"""From the log to the members of segments: what it costs, and how soon an event is in force.

A log of 100-event batches is written first. Then ``Ingest.tick`` takes it in, with five segments
that follow every event (a trait, a count in a window, a sum, a sequence and one made of others; one
event in five concerns them), and with none: the floor, measured in the same run. Then a second
thread appends at a given rate, and the time from there to the membership that follows is taken.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from opportune import events, pipeline, profiles, segments
from opportune.settings import Settings
from opportune.storage import Frame, SegmentLog, Stores, open_stores

EVENTS = 200_000
PEOPLE = 50_000
BATCH = 100
RATE = 5_000
SECONDS = 20.0
MARKER = "Marker"
NAMES = {
    "Page Viewed": 0.45,
    "Product Viewed": 0.30,
    "Email Opened": 0.05,
    "Product Added": 0.08,
    "Checkout Started": 0.06,
    "Order Completed": 0.06,
}
RULES: dict[str, dict[str, object]] = {
    "plus": {"trait": "plan", "is": "plus"},
    "regulars": {"event": "Order Completed", "count": {"at_least": 3}, "within": {"days": 30}},
    "spenders": {
        "event": "Order Completed",
        "sum": {"property": "revenue", "at_least": 300},
        "within": {"days": 90},
    },
    "abandoned": {
        "sequence": [
            {"event": "Product Added"},
            {"event": "Checkout Started", "within": {"hours": 2}},
            {"event": "Order Completed", "absent": True, "within": {"hours": 1}},
        ],
        "within": {"days": 7},
    },
    "best": {"all": [{"segment": "plus"}, {"segment": "regulars"}]},
}
MARKED = {"event": MARKER}


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    parser.add_argument("--events", type=int, default=EVENTS, help="of the log that is taken in")
    parser.add_argument("--people", type=int, default=PEOPLE, help="who do them")
    parser.add_argument("--rate", type=int, default=RATE, help="events a second to wait for")
    given = parser.parse_args(arguments)
    given.folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, float] = {}
    for name, rules in (("floor", {}), ("live", RULES)):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            figures |= taken_in(Path(folder), name, rules, given)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        figures |= in_force(Path(folder), given)
    for name in ("ms_per_1000", "cpu_ms_per_1000"):
        figures[f"segments_{name}"] = figures[f"live_{name}"] - figures[f"floor_{name}"]
    for name, value in figures.items():
        print(f"{name:<36} {value:>14,.2f}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def taken_in(
    folder: Path, name: str, rules: Mapping[str, object], given: argparse.Namespace
) -> dict[str, float]:
    """Events per second of a prepared log, after everybody was seen once."""
    stores = open_stores(Settings(data_folder=folder), now=datetime.now(UTC))
    with closing(stores):
        follow(stores, rules)
        spent: dict[str, float] = {}
        with closing(ingest(stores)) as taking:
            append(stores, known(given.people))
            taking.catch_up()
            append(stores, did(given.events, given.people, seed=1))
            timed(spent)
            used, began = cpu_s(stores), time.perf_counter()
            taking.catch_up()
            seconds, used = time.perf_counter() - began, cpu_s(stores) - used
        found = {
            f"{name}_events_per_s": given.events / seconds,
            f"{name}_ms_per_1000": seconds * 1_000_000 / given.events,
            f"{name}_cpu_ms_per_1000": used * 1_000_000 / given.events,
        }
        for step, used in spent.items():
            found[f"{name}_{step}_ms_per_1000"] = used * 1_000_000 / given.events
        if rules:
            rows = stores.state.rows("select count(*)::int as n from segment_membership")
            found["live_memberships"] = float(rows[0]["n"])
        return found


def in_force(folder: Path, given: argparse.Namespace) -> dict[str, float]:
    """Milliseconds from the log to the membership, at a steady rate of events."""
    stores = open_stores(Settings(data_folder=folder), now=datetime.now(UTC))
    with closing(stores):
        follow(stores, {**RULES, "marked": MARKED})
        with closing(ingest(stores)) as taking:
            append(stores, known(given.people))
            taking.catch_up()
            appended: dict[str, float] = {}
            writer = threading.Thread(target=write, args=(stores, given, appended))
            writer.start()
            seen: dict[str, float] = {}
            place = 0
            while writer.is_alive() or len(seen) < len(appended):
                if not taking.tick():
                    time.sleep(0.05)
                place = look(stores, seen, place)
            writer.join()
        waits = sorted((seen[who] - at) * 1_000 for who, at in appended.items())
        return {
            "offered_events_per_s": float(given.rate),
            "event_to_membership_p50_ms": statistics.median(waits),
            "event_to_membership_p99_ms": waits[len(waits) * 99 // 100],
        }


def follow(stores: Stores, rules: Mapping[str, object]) -> None:
    """Define segments and have them follow."""
    for name, rule in rules.items():
        stores.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " values ('segment', %(name)s, 1, %(body)s::jsonb, now())",
            {"name": name, "body": json.dumps({"rule": rule})},
        )
    pipeline.create_tables(stores)
    segments.sync(stores.state, now=datetime.now(UTC))
    segments.fill(stores, now=datetime.now(UTC))


def ingest(stores: Stores) -> pipeline.Ingest:
    """Take in by the real clock."""
    decoders = {"batch": events.decode_segment}
    return pipeline.Ingest(stores, decoders, clock=lambda: datetime.now(UTC))


def cpu_s(stores: Stores) -> float:
    """Seconds of processor time that this process and the database have used."""
    file = stores.settings.database_folder / "postmaster.pid"
    found = [file] if file.exists() else list(stores.settings.database_folder.rglob(file.name))
    server = int(found[0].read_text().split()[0])
    ticks = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(process.name) == server or int(fields[1]) == server:
            ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def timed(spent: dict[str, float]) -> None:
    """Count the time that the steps of the ingest take; they are replaced for this process."""
    for room, name in ((profiles, "resolve"), (segments, "follow")):
        step = getattr(room, f"_timed_{name}", None) or getattr(room, name)
        setattr(room, f"_timed_{name}", step)

        def count(*given: object, step=step, name=name, **named: object) -> object:  # type: ignore[no-untyped-def]
            began = time.perf_counter()
            try:
                return step(*given, **named)
            finally:
                spent[name] = spent.get(name, 0.0) + time.perf_counter() - began

        setattr(room, name, count)


def append(stores: Stores, bodies: Iterator[bytes]) -> None:
    """Write batches to the log."""
    with closing(SegmentLog(stores.settings.log_folder)) as log:
        for future in [log.append(frame(body)) for body in bodies]:
            future.result()


def frame(body: bytes) -> Frame:
    return Frame(received_at_us=time.time_ns() // 1_000, source_id="bench", kind="batch", body=body)


def known(people: int) -> Iterator[bytes]:
    """Everybody says once who they are."""
    rows = [
        {
            "type": "identify",
            "messageId": f"i{number}",
            "userId": f"u{number}",
            "anonymousId": f"a{number}",
            "traits": {"plan": "plus" if number % 4 == 0 else "basic", "age": number % 80},
        }
        for number in range(people)
    ]
    yield from batches(rows)


def did(count: int, people: int, *, seed: int) -> Iterator[bytes]:
    """Events of random people, as web shops send them."""
    random = np.random.default_rng(seed)
    names = random.choice(list(NAMES), count, p=list(NAMES.values()))
    who = (random.random(count) ** 2 * people).astype(np.int64)
    amounts = random.integers(5, 200, count)
    rows = [
        {
            "type": "track",
            "messageId": f"e{seed}-{number}",
            "userId": f"u{who[number]}",
            "event": str(names[number]),
            "properties": {
                "revenue": int(amounts[number]),
                "product_id": f"p{number % 997}",
                "path": f"/shop/{number % 97}/{number}",
                "currency": "EUR",
            },
            "context": {"page": {"url": f"https://shop.example/{number}"}, "locale": "de-DE"},
        }
        for number in range(count)
    ]
    yield from batches(rows)


def batches(rows: list[dict[str, object]]) -> Iterator[bytes]:
    for start in range(0, len(rows), BATCH):
        yield json.dumps({"batch": rows[start : start + BATCH]}).encode()


def write(stores: Stores, given: argparse.Namespace, appended: dict[str, float]) -> None:
    """Append at the rate; in each batch a person does for the first time what one segment asks."""
    count = int(given.rate * SECONDS)
    bodies = list(did(count, given.people, seed=2))
    began = time.perf_counter()
    with closing(SegmentLog(stores.settings.log_folder)) as log:
        for number, body in enumerate(bodies):
            ahead = began + number * BATCH / given.rate - time.perf_counter()
            if ahead > 0:
                time.sleep(ahead)
            user_id = f"u{number}"
            said = json.loads(body)
            said["batch"][0] |= {"event": MARKER, "userId": user_id}
            at = time.perf_counter()
            log.append(frame(json.dumps(said).encode()))
            appended[user_id] = at


def look(stores: Stores, seen: dict[str, float], place: int) -> int:
    """Note since when each new membership can be seen; return how far the changes were read."""
    rows = stores.state.rows(
        "select change.change_id, identifier.value from segment_change as change"
        " join identifier on identifier.profile_id = change.profile_id and kind = 'user_id'"
        " where change.change_id > %(place)s and change.segment = 'marked' order by change_id",
        {"place": place},
    )
    at = time.perf_counter()
    seen.update((row["value"], at) for row in rows)
    return max((row["change_id"] for row in rows), default=place)


if __name__ == "__main__":
    main()
