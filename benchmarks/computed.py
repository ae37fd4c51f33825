"""Computed traits: all of them in one scan of the events, beside one scan for each.

Ten traits over the events of 90 days, of four kinds of events and with several windows. Beside
them, in the same run, the floor: the same traits asked one by one, each with a scan of its own.
Then what it takes to make the values of few and of many people anew, and to write the whole.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from opportune import events, profiles, rules
from opportune.settings import Settings
from opportune.storage import Stores, embedded, load_sql, open_stores

PEOPLE = 1_000_000
EVENTS = 10_000_000
BATCH = 1_000_000
DAYS = 90
TOUCHED = (1, 10_000)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
NAMES = {
    "Page Viewed": 0.50,
    "Product Viewed": 0.30,
    "Email Clicked": 0.10,
    "Order Completed": 0.10,
}
ORDER = {"event": "Order Completed"}
TRAITS: dict[str, dict[str, object]] = {
    "orders_90d": {**ORDER, "compute": "count", "within": {"days": 90}},
    "revenue_90d": {**ORDER, "compute": "sum", "property": "revenue", "within": {"days": 90}},
    "revenue_30d": {**ORDER, "compute": "sum", "property": "revenue", "within": {"days": 30}},
    "mean_order": {**ORDER, "compute": "average", "property": "revenue"},
    "largest_order": {**ORDER, "compute": "maximum", "property": "revenue"},
    "books": {**ORDER, "compute": "count", "where": {"property": "category", "is": "books"}},
    "last_category": {**ORDER, "compute": "last", "property": "category"},
    "usual_category": {
        "event": "Product Viewed",
        "compute": "most_frequent",
        "property": "category",
        "within": {"days": 30},
    },
    "pages_7d": {"event": "Page Viewed", "compute": "count", "within": {"days": 7}},
    "quiet_days": {"event": "Email Clicked", "compute": "days_since_last"},
}


def main() -> None:
    """Measure and print; ``--json FILE`` also writes the figures for a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--events", type=int, default=EVENTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="opportune-bench-") as folder:
        settings = Settings(data_folder=Path(folder))
        server = embedded.start(settings.database_folder)
        try:
            stores = open_stores(
                Settings(data_folder=Path(folder), database_url=server.url), now=NOW
            )
            fill(stores, given.people, given.events)
            figures = {"people": given.people, "events": given.events, **measure(stores)}
            stores.close()
        finally:
            server.stop()
    for name, value in figures.items():
        print(f"{name:28} {value:,.2f}" if isinstance(value, float) else f"{name:28} {value:,}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2))


def fill(stores: Stores, people: int, count: int) -> None:
    """Write people, and events in the order of their time, as they would have come in."""
    events.create_tables(stores.lake)
    facts = {"people": people, "now": NOW}
    stores.state.rows(PROFILES, facts)
    stores.state.rows(IDENTIFIERS, facts)
    random = np.random.default_rng(2)
    first_us = int((NOW - timedelta(days=DAYS)).timestamp()) * 1_000_000
    names = pa.array(list(NAMES))
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        at = (start + np.sort(random.random(size)) * size) / count
        at_us = first_us + (at * DAYS * 86_400_000_000).astype(np.int64)
        who = (random.random(size) ** 2 * people).astype(np.int64)
        chosen = random.choice(len(NAMES), size, p=list(NAMES.values())).astype(np.int32)
        columns = {
            "message_id": [f"{number:x}" for number in random.integers(1 << 62, size=size)],
            "source_id": pa.repeat("shop", size),
            "type": pa.repeat("track", size),
            "event": pa.DictionaryArray.from_arrays(chosen, names).cast(pa.string()),
            "user_id": np.char.add("u", who.astype(str)),
            "occurred_at": at_us,
            "occurred_at_us": at_us,
            "received_at": at_us,
            "received_at_us": at_us,
            "properties": random.choice(PROPERTIES, size),
        }
        for name in ("anonymous_id", "traits", "context"):
            columns[name] = pa.nulls(size, pa.string())
        table = pa.table([columns[name] for name in events.EVENTS.names], schema=events.EVENTS)
        stores.lake.append("events", table, key=f"fill:{start}")


PROFILES = """
insert into profile (profile_id, first_seen_at, last_seen_at)
select identity_hash('user_id', 'u' || number), %(now)s, %(now)s
from generate_series(0, %(people)s - 1) as number
"""
IDENTIFIERS = """
insert into identifier (kind, value, profile_id, linked_at)
select 'user_id', 'u' || number, identity_hash('user_id', 'u' || number), %(now)s
from generate_series(0, %(people)s - 1) as number
"""
NOTES = """
insert into computed_note (profile_id)
select profile_id from profile order by profile_id limit %(count)s
"""
PROPERTIES = np.array(
    [
        json.dumps(
            {
                "product_id": f"p{number}",
                "category": ["shoes", "books", "garden", "toys"][number % 4],
                "revenue": round(number * 0.37, 2),
                "path": f"/shop/{number % 97}/{number}",
            }
        )
        for number in range(1_000)
    ]
)


def measure(stores: Stores) -> dict[str, float | int]:
    """Ask for all traits in one scan and in one for each, then calculate and write them."""
    traits = [parsed(name, body) for name, body in TRAITS.items()]
    figures: dict[str, float | int] = {"traits": len(traits)}
    known = profiles.identifiers(stores.state)
    together = [[each.computation for each in traits]]
    figures["one_scan_s"], figures["one_scan_cpu_s"] = scanned(stores, known, together)
    alone = [[each.computation] for each in traits]
    figures["scan_each_s"], figures["scan_each_cpu_s"] = scanned(stores, known, alone)
    for name in ("first", "again"):
        began = time.perf_counter()
        figures[f"{name}_changed"] = profiles.compute(stores, traits, now=NOW)
        figures[f"{name}_s"] = time.perf_counter() - began
    for touched in TOUCHED:
        stores.state.rows(NOTES, {"count": touched})
        began = time.perf_counter()
        profiles.follow_computed(stores, traits, now=NOW)
        figures[f"touched_{touched}_s"] = time.perf_counter() - began
    return figures


def scanned(
    stores: Stores, known: pa.Table, groups: list[list[rules.Computation]]
) -> tuple[float, float]:
    """Return the seconds, and those of this process's processors, that statements take."""
    events_of = load_sql("opportune.profiles", "own_events")
    began, began_cpu = time.perf_counter(), time.process_time()
    for group in groups:
        query = rules.computations(group, now=NOW, events=events_of)
        span_us = rules.span_us([each.window for each in group], now=NOW)
        stores.engine.query(
            query.text,
            query.parameters,
            tables={"events": ("occurred_at_us", *span_us)},
            relations={"identifiers": known},
        )
    return time.perf_counter() - began, time.process_time() - began_cpu


def parsed(name: str, body: dict[str, object]) -> profiles.ComputedTrait:
    """Read one of `TRAITS`."""
    problems: list[str] = []
    found = profiles.parse_computed_trait(name, body, problems)
    assert found is not None, problems
    return found


if __name__ == "__main__":
    main()
