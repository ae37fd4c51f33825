"""What the catalogue, tracking plans and the tail add to the ingest of 1,000 events.

Micro-batches of 16,000 and 2,000 events of a shop: orders with lists, pages, customers with traits,
clicks under fifty names, views with half a kilobyte of properties. Each step is timed by itself, as
the ingest calls it, on an embedded PostgreSQL of its own; the best of five rounds counts. "cpu" is
the processor time of this process, all its threads included.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pyarrow as pa

from opportune import events
from opportune.events import Recorded
from opportune.settings import Settings
from opportune.storage import Engine, Frame, Stores, open_engine, open_stores

SIZES = (16_000, 2_000)
ROUNDS = 5
REQUEST = 100
RECEIVED_US = 1_772_344_800_000_000
PLAN = {
    "violations": "accept",
    "events": [
        {
            "name": "Order Completed",
            "properties": {
                "revenue": {"type": "number", "required": True},
                "order_id": {"type": "string", "pattern": "^[0-9]+$"},
            },
        }
    ],
}

Took = dict[str, float]
T = TypeVar("T")


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    figures: Took = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        stores = open_stores(Settings(data_folder=Path(folder)), now=datetime.now(UTC))
        events.create_tables(stores.lake)
        engine = open_engine("duckdb:", stores.lake)
        plan = events.parse_plan("shop", PLAN, [])
        for size in SIZES:
            figures |= measure(stores, engine, size)
            figures |= measure(stores, engine, size, plan)
        engine.close()
        stores.close()
    for name, value in figures.items():
        print(f"{name:<44} {value:>10,.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(
    stores: Stores, engine: Engine, size: int, plan: events.TrackingPlan | None = None
) -> Took:
    """Milliseconds for 1,000 events, by step."""
    plans = [] if plan is None else [plan]
    rounds = [one_round(stores, engine, batch(size, number), plans) for number in range(ROUNDS)]
    place = f"{size}_{'planned' if plans else 'unplanned'}"
    return {
        f"{step}_{place}_ms": min(each[step] for each in rounds) * 1e6 / size for step in rounds[0]
    }


def one_round(
    stores: Stores, engine: Engine, table: pa.Table, plans: list[events.TrackingPlan]
) -> Took:
    took: Took = {}
    cpu_before = time.process_time()
    checked = timed(took, "violations", lambda: events.violations(engine, plans, table))
    recorded = Recorded(
        events=table, blocked=table.slice(0, 0), duplicates=0, rejected=0, checked=checked
    )
    declared = events.FieldClasses()
    counts = timed(took, "count", lambda: events.count(engine, recorded, declared=declared))
    took["cpu"] = time.process_time() - cpu_before
    with stores.state.transaction() as connection:
        timed(took, "keep_counts", lambda: events.keep_counts(connection, counts))
        timed(took, "keep_tail", lambda: events.keep_tail(connection, recorded))
    return took


def timed(took: Took, step: str, work: Callable[[], T]) -> T:
    begun = time.perf_counter()
    done = work()
    took[step] = time.perf_counter() - begun
    return done


def batch(size: int, number: int) -> pa.Table:
    frames = []
    for first in range(number * size, (number + 1) * size, REQUEST):
        body = json.dumps({"batch": [message(first + place) for place in range(REQUEST)]}).encode()
        frames.append(
            Frame(received_at_us=RECEIVED_US + first, source_id="shop", kind="batch", body=body)
        )
    return events.event_table([(each, events.decode_segment(each).events) for each in frames])


def message(number: int) -> dict[str, object]:
    sent = {"userId": f"customer-{number % 5000}", "messageId": f"message-{number:012d}"}
    order = {
        "order_id": str(number),
        "revenue": number % 97 + 0.5,
        "coupon": "SUMMER" if number % 3 else None,
        "products": [{"sku": "a", "price": 1.5, "quantity": 2}] * 2,
    }
    page = {"url": "http://shop.example/p/77", "title": "A thing", "referrer": ""}
    traits = {"email": f"c{number}@shop.example", "plan": "plus", "age": 33, "city": "Graz"}
    view = {
        "product_id": f"product-{number}",
        "price": 19.99,
        "image_url": "http://shop.example/images/" + "i" * 120,
        "name": "n" * 240,
        "tags": ["new", "sale", "blue"],
    }
    kinds: tuple[dict[str, object], ...] = (
        {"type": "track", "event": "Order Completed", "properties": order},
        {"type": "page", "properties": page},
        {"type": "identify", "traits": traits},
        {"type": "track", "event": f"Clicked {number % 50}", "properties": {"place": number % 7}},
        {"type": "track", "event": "Product Viewed", "properties": view},
    )
    return {**sent, **kinds[number % len(kinds)]}


if __name__ == "__main__":
    main()
