"""What turning messages into profiles costs, and how fast one is found again.

Batches of 20,000 messages go through ``profiles.resolve`` on an embedded PostgreSQL of its own: new
customers with a user id, an anonymous id and three traits; the same with an email; messages of
known customers, one each or of a click stream of 5,000; logins of known visitors, which are folded
one by one; thousands of users of one device, the later ones first. Each batch is a transaction with
its commit. The time of the processor is that of the database's process and of this one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
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
    """Messages per second, milliseconds of the processor per 1,000 of them, times as named."""
    plain = '{"plan": "plus", "age": 41, "vip": true}'
    mail = '{"plan": "plus", "email": "c%d@example.com", "vip": true}'
    kinds = {
        "new_customers": Kind(name="new", type="identify", traits=plain),
        "identify_again": Kind(name="new", type="identify", later=1, traits=plain),
        "one_event_of_each_known": Kind(name="new", type="page", later=2),
        "clicks_of_5000_known": Kind(name="new", type="track", later=3, people=5_000),
        "new_with_email": Kind(name="mail", type="identify", traits=mail),
        "new_visitors": Kind(name="seen", type="page", known=False),
        "logins_of_visitors": Kind(name="seen", type="page", later=1),
        "users_of_one_device": Kind(name="one", type="page", device="kiosk"),
    }
    figures = {}
    for name, kind in kinds.items():
        tables = [*batches(kind, count)]
        figures[f"{name}_per_s"], figures[f"{name}_cpu_ms"] = rate(
            state, reversed(tables) if kind.device else tables
        )
    began = time.perf_counter()
    figures["snapshot_profiles"] = float(profiles.snapshot(state).num_rows)
    figures["snapshot_s"] = time.perf_counter() - began
    times = sorted(look_up(state, f"a-new-{place}") for place in range(min(LOOKUPS, count)))
    figures["get_p50_ms"] = statistics.median(times)
    figures["get_p99_ms"] = times[len(times) * 99 // 100]
    return figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Messages of one type: one of each person, of ``people``, or of many on one ``device``."""

    name: str
    type: str
    later: int = 0
    known: bool = True
    people: int | None = None
    device: str | None = None
    traits: str = ""


def batches(kind: Kind, count: int) -> Iterator[pa.Table]:
    """``count`` messages; ``later`` ones happened as many minutes later."""
    for start in range(0, count, BATCH):
        places = range(start, min(start + BATCH, count))
        size = len(places)
        who = [place % (kind.people or count) for place in places]
        at_us = pa.array([kind.later * 60_000_000 + place for place in places], pa.int64())
        columns = {field.name: pa.nulls(size, field.type) for field in EVENTS} | {
            "message_id": pa.array(
                [f"{kind.name}-{kind.type}-{kind.later}-{place}" for place in places]
            ),
            "source_id": pa.repeat("bench", size),
            "type": pa.repeat(kind.type, size),
            "anonymous_id": pa.array([kind.device or f"a-{kind.name}-{place}" for place in who]),
            **dict.fromkeys(("occurred_at_us", "received_at_us"), at_us),
            **dict.fromkeys(
                ("occurred_at", "received_at"), at_us.cast(EVENTS.field("occurred_at").type)
            ),
        }
        if kind.known:
            columns["user_id"] = pa.array([f"u-{kind.name}-{place}" for place in who])
        if kind.traits:
            columns["traits"] = pa.array([kind.traits.replace("%d", str(place)) for place in who])
        yield pa.table(columns, schema=EVENTS)


def rate(state: State, tables: Iterable[pa.Table]) -> tuple[float, float]:
    """Messages per second, commits included; milliseconds of the processor per 1,000 of them."""
    messages, spent_s, cpu_s = 0, 0.0, 0.0
    for table in tables:
        began, cpu_began = time.perf_counter(), time.process_time()
        with state.transaction() as connection:
            backend = Path(f"/proc/{connection.info.backend_pid}/schedstat")
            cpu_began += nanoseconds(backend) / 1e9
            profiles.resolve(connection, table)
        spent_s += time.perf_counter() - began
        cpu_s += time.process_time() + nanoseconds(backend) / 1e9 - cpu_began
        messages += table.num_rows
    return messages / spent_s, cpu_s / messages * 1e6


def nanoseconds(schedstat: Path) -> int:
    """Return how long a process has had a processor."""
    return int(schedstat.read_text().split()[0])


def look_up(state: State, anonymous_id: str) -> float:
    """Milliseconds to find one profile by its anonymous id."""
    began = time.perf_counter()
    profiles.get(state, "anonymous_id", anonymous_id)
    return (time.perf_counter() - began) * 1_000


if __name__ == "__main__":
    main()
