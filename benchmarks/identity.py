"""What turning messages into profiles costs, and how fast one is found again.

Batches of 20,000 messages go through ``profiles.resolve`` on an embedded PostgreSQL of its own: new
customers with a user id, an anonymous id and three traits; the same with an email; messages of
known customers; logins of known visitors, which are folded one by one. Each batch is a transaction
with its commit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from opportune import profiles
from opportune.events import EVENTS
from opportune.storage import State, embedded, migrate

MESSAGES = 100_000
BATCH = 20_000
LOOKUPS = 1_000


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="of each kind")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        server = embedded.start(Path(folder) / "state")
        state = State(server.url)
        migrate(state)
        figures = measure(state, options.messages)
        state.close()
        server.stop()
    for name, value in figures.items():
        print(f"{name:<36} {value:>14,.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(state: State, count: int) -> dict[str, float]:
    """Rates in messages per second, times in milliseconds or seconds."""
    plain = {"traits": '{"plan": "plus", "age": 41, "vip": true}'}
    mail = {"traits": '{"plan": "plus", "email": "c%d@example.com", "vip": true}'}
    figures = {
        "new_customers_per_s": rate(state, batches("new", "identify", count, **plain)),
        "identify_again_per_s": rate(state, batches("new", "identify", count, later=1, **plain)),
        "events_of_known_per_s": rate(state, batches("new", "page", count, later=2)),
        "new_with_email_per_s": rate(state, batches("mail", "identify", count, **mail)),
        "new_visitors_per_s": rate(state, batches("seen", "page", count, known=False)),
        "logins_of_visitors_per_s": rate(state, batches("seen", "page", count, later=1)),
    }
    began = time.perf_counter()
    figures["snapshot_profiles"] = float(profiles.snapshot(state).num_rows)
    figures["snapshot_s"] = time.perf_counter() - began
    times = sorted(look_up(state, f"a-new-{place}") for place in range(min(LOOKUPS, count)))
    figures["get_p50_ms"] = statistics.median(times)
    figures["get_p99_ms"] = times[len(times) * 99 // 100]
    return figures


def batches(
    name: str, kind: str, count: int, *, later: int = 0, known: bool = True, traits: str = ""
) -> Iterator[pa.Table]:
    """Messages of ``count`` customers, one each; ``later`` ones happened a minute later."""
    for start in range(0, count, BATCH):
        places = range(start, min(start + BATCH, count))
        size = len(places)
        at_us = pa.array([later * 60_000_000 + place for place in places], pa.int64())
        columns = {field.name: pa.nulls(size, field.type) for field in EVENTS} | {
            "message_id": pa.array([f"{name}-{kind}-{later}-{place}" for place in places]),
            "source_id": pa.repeat("bench", size),
            "type": pa.repeat(kind, size),
            "anonymous_id": pa.array([f"a-{name}-{place}" for place in places]),
            **dict.fromkeys(("occurred_at_us", "received_at_us"), at_us),
            **dict.fromkeys(
                ("occurred_at", "received_at"), at_us.cast(EVENTS.field("occurred_at").type)
            ),
        }
        if known:
            columns["user_id"] = pa.array([f"u-{name}-{place}" for place in places])
        if traits:
            columns["traits"] = pa.array([traits.replace("%d", str(place)) for place in places])
        yield pa.table(columns, schema=EVENTS)


def rate(state: State, tables: Iterator[pa.Table]) -> float:
    """Messages per second, commits included."""
    messages, spent_s = 0, 0.0
    for table in tables:
        began = time.perf_counter()
        with state.transaction() as connection:
            profiles.resolve(connection, table)
        spent_s += time.perf_counter() - began
        messages += table.num_rows
    return messages / spent_s


def look_up(state: State, anonymous_id: str) -> float:
    """Milliseconds to find one profile by its anonymous id."""
    began = time.perf_counter()
    profiles.get(state, "anonymous_id", anonymous_id)
    return (time.perf_counter() - began) * 1_000


if __name__ == "__main__":
    main()
