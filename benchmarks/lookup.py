"""How fast one person is found, what that costs while events come in, and how long a timeline takes.

Profiles with identifiers, traits, consent, memberships, messages and hours of activity are written
straight into the tables of an embedded PostgreSQL; events into a lake. Then any of their
identifiers is looked up, their timeline is read, and batches are taken in.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from opportune import events, profiles, reports
from opportune.decisions import DECISIONS
from opportune.events import EVENTS
from opportune.settings import Settings
from opportune.storage import Stores, fetch, open_stores

PROFILES = 1_000_000
EVENTS_COUNT = 5_000_000
LOOKUPS = 2_000
TIMELINES = 60
BATCH = 5_000
# A commit of the lake: what the worker merges small ones into.
COMMIT = 1_000_000
FIRST_US = 1_767_225_600_000_000
SPAN_US = 365 * 86_400_000_000

FILL = (
    """insert into profile (profile_id, traits, first_seen_at, last_seen_at)
    select identity_hash('user_id', 'u' || n), jsonb_build_object('plan', 'plus', 'age', n % 90, 'city', 'c' || n % 500),
        '2026-01-01Z', '2026-12-31Z' from generate_series(0, %(profiles)s - 1) as n""",
    """insert into identifier (kind, value, profile_id, linked_at, sighted_at_us, told)
    select 'user_id', 'u' || n, identity_hash('user_id', 'u' || n), '2026-01-01Z', 1767225600000000,
        jsonb_build_object('1767225600000000.1000000000000000',
            jsonb_build_object('plan', 'plus', 'age', n % 90, 'city', 'c' || n % 500))
    from generate_series(0, %(profiles)s - 1) as n""",
    """insert into identifier (kind, value, profile_id, linked_at, sighted_at_us)
    select 'anonymous_id', 'a' || n, identity_hash('user_id', 'u' || n), '2026-01-01Z', 1767225600000000
    from generate_series(0, %(profiles)s - 1) as n""",
    """insert into consent select identity_hash('user_id', 'u' || n), 'marketing', channel, 'granted',
        1767225600000000, 'm' || n, 'shop', '{"form": 1}'
    from generate_series(0, %(profiles)s - 1) as n, unnest(array['email', 'push']) as channel""",
    """insert into telling select identity_hash('user_id', 'u' || n), '1767225600000000.1000000000000000', 'shop', 'm' || n
    from generate_series(0, %(profiles)s - 1) as n""",
    """insert into segment_membership select segment, identity_hash('user_id', 'u' || n), '2026-01-02Z'
    from generate_series(0, %(profiles)s - 1) as n, unnest(array['vip', 'active', 'new']) as segment""",
    """insert into outbox (key, use_case, day, connector, profile_id, user_id, properties, due_at, state)
    select 'k' || n || '-' || d, 'offer', '2026-03-01', 'braze', identity_hash('user_id', 'u' || n), 'u' || n,
        '{"offer": "bundle", "hour": "09"}', '2026-03-01Z'::timestamptz + d * interval '1 day', 'sent'
    from generate_series(0, %(profiles)s - 1) as n, generate_series(1, 3) as d""",
    "analyze",
)


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    parser.add_argument("--profiles", type=int, default=PROFILES)
    parser.add_argument("--events", type=int, default=EVENTS_COUNT)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        settings = Settings(data_folder=Path(folder))
        stores = open_stores(settings, now=datetime(2026, 12, 31, tzinfo=UTC))
        try:
            figures = measure(stores, options.profiles, options.events)
        finally:
            stores.close()
    for name, value in figures.items():
        print(f"{name:<36} {value:>14,.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(stores: Stores, profiles_: int, events_: int) -> dict[str, float]:
    """Times in milliseconds."""
    for statement in FILL:
        with stores.state.transaction() as connection:
            fetch(connection, statement, {"profiles": profiles_})
    events.create_tables(stores.lake)
    stores.lake.create("decisions", DECISIONS)
    for start in range(0, events_, COMMIT):
        table = batch(start, min(COMMIT, events_ - start), profiles_, events_)
        stores.lake.append("events", table)
        with stores.state.transaction() as connection:
            profiles.keep_activity(connection, table)
    stores.state.rows("analyze event_hour")
    random = np.random.default_rng(1)
    chosen = random.integers(0, profiles_, LOOKUPS).tolist()
    figures: dict[str, float] = {"profiles": profiles_, "events": events_}

    def look(place: int) -> None:
        kind, value = ("user_id", f"u{place}") if place % 2 else ("anonymous_id", f"a{place}")
        reports.person(stores.state, kind, value, default_zone="UTC")

    def read(place: int) -> None:
        found = profiles.get(stores.state, "user_id", f"u{place}")
        reports.timeline(stores, found.profile_id, limit=50)

    for place in chosen[:100]:
        look(place)
    figures |= quantiles("person", look, chosen)
    figures |= quantiles("timeline", read, chosen[:TIMELINES])
    for name, keep in (("activity", profiles.keep_activity), ("consent", profiles.keep_consent)):
        spent: list[float] = []
        for turn in range(6):
            table = batch(events_ + turn * BATCH, BATCH, profiles_, events_)
            began = time.perf_counter()
            with stores.state.transaction() as connection:
                keep(connection, table)
            spent.append((time.perf_counter() - began) * 1_000_000 / BATCH)
        figures[f"{name}_ms_per_1000_events"] = statistics.median(spent[1:])
    return figures


def quantiles(name: str, ask: Callable[[int], None], places: list[int]) -> dict[str, float]:
    """Milliseconds of each question, in the middle and at the slow end."""
    times = []
    for place in places:
        began = time.perf_counter()
        ask(place)
        times.append((time.perf_counter() - began) * 1_000)
    times.sort()
    return {
        f"{name}_p50_ms": statistics.median(times),
        f"{name}_p99_ms": times[len(times) * 99 // 100],
    }


def batch(start: int, count: int, profiles_: int, total: int) -> pa.Table:
    """Events of a year, in order; each person has a few sessions of five events."""
    places = np.arange(start, start + count)
    at_us = FIRST_US + (places * (SPAN_US / total)).astype(np.int64)
    people = (places // 5 * 7_919 + places % 3) % profiles_
    ids = [f"u{each}" for each in people.tolist()]
    at = pa.array(at_us)
    columns = {field.name: pa.nulls(count, field.type) for field in EVENTS} | {
        "message_id": pa.array([f"m{each}" for each in places.tolist()]),
        "source_id": pa.repeat("bench", count),
        "type": pa.repeat("track", count),
        "event": pa.repeat("Product Viewed", count),
        "user_id": pa.array(ids),
        "anonymous_id": pa.array([f"a{each}" for each in people.tolist()]),
        "properties": pa.repeat('{"sku": "S-1", "price": 12.5}', count),
        "context": pa.repeat('{"timezone":"Europe/Lisbon","locale":"pt-PT"}', count),
        **dict.fromkeys(("occurred_at_us", "received_at_us"), at),
        **dict.fromkeys(("occurred_at", "received_at"), at.cast(EVENTS.field("occurred_at").type)),
    }
    return pa.table(columns, schema=EVENTS)


if __name__ == "__main__":
    main()
