"""A segment of five conditions with a sequence, asked of all profiles at once.

Beside it, in the same run, the floor: a plain scan of the same columns of the same events. The
ratio of the two is the promise; seconds are this machine's.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from opportune import rules
from opportune.storage import DuckDB, Engine, Lake

PROFILES = 1_000_000
EVENTS = 100_000_000
BATCH = 2_000_000
DAYS = 90
ROUNDS = 3
DAY_US = 86_400_000_000
NOW = datetime(2026, 3, 1, tzinfo=UTC)

NAMES = {
    "Page Viewed": 0.50,
    "Product Viewed": 0.22,
    "Product Added": 0.08,
    "Email Opened": 0.07,
    "Checkout Started": 0.04,
    "Email Clicked": 0.04,
    "Order Completed": 0.03,
    "Product Removed": 0.02,
}
SCHEMA = pa.schema(
    [
        ("profile_id", pa.int64()),
        ("event", pa.string()),
        ("occurred_at_us", pa.int64()),
        ("message_id", pa.string()),
        ("properties", pa.string()),
    ]
)
COUNTRY = {"trait": "country", "one_of": ["AT", "CH", "DE"]}
SPENT = {
    "event": "Order Completed",
    "where": {"property": "category", "is_not": "books"},
    "sum": {"property": "revenue", "at_least": 100},
    "within": {"days": 60},
}
LOOKS = {"event": "Page Viewed", "count": {"at_least": 10}, "within": {"days": 30}}
QUIET = {"event": "Email Clicked", "count": {"is": 0}, "within": {"days": 14}}
ABANDONED = {
    "sequence": [
        {"event": "Product Added"},
        {"event": "Checkout Started", "within": {"days": 1}},
        {"event": "Order Completed", "absent": True, "within": {"hours": 2}},
    ],
    "within": {"days": 60},
}
RULES: dict[str, dict[str, object]] = {
    "five_conditions": {"all": [COUNTRY, SPENT, LOOKS, QUIET, ABANDONED]},
    "without_sequence": {"all": [COUNTRY, SPENT, LOOKS, QUIET]},
    "sequence_alone": ABANDONED,
    "in_one_session": {"session": {"all": [{"event": "Product Added"}, {"not": SPENT}]}},
}
FLOOR = """
    select count(*) as events, sum(profile_id) as profiles, sum(occurred_at_us) as times,
        max(event) as event, max(message_id) as message, sum(length(properties)) as letters
    from events
"""


def main() -> None:
    """Measure and print; ``--json FILE`` also writes the figures for a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--profiles", type=int, default=PROFILES)
    parser.add_argument("--events", type=int, default=EVENTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="opportune-bench-") as folder:
        lake = Lake(Path(folder))
        fill(lake, given.profiles, given.events)
        figures = {"profiles": given.profiles, "events": given.events}
        figures |= measure(DuckDB(lake), profiles(given.profiles))
    for name, value in figures.items():
        print(f"{name:28} {value:,.2f}" if isinstance(value, float) else f"{name:28} {value:,}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2))


def profiles(count: int) -> pa.Table:
    """Profiles with a country and an age."""
    random = np.random.default_rng(1)
    countries = random.choice(["AT", "CH", "DE", "FR", "IT"], count)
    traits = [
        f'{{"country": "{country}", "age": {age}}}'
        for country, age in zip(countries, random.integers(18, 90, count), strict=True)
    ]
    return pa.table({"profile_id": np.arange(count), "traits": traits})


def fill(lake: Lake, people: int, events: int) -> None:
    """Write events of `DAYS` days in the order of their time, as they would have come in."""
    lake.create("events", SCHEMA)
    random = np.random.default_rng(2)
    first_us = int((NOW - timedelta(days=DAYS)).timestamp()) * 1_000_000
    names = pa.array(list(NAMES))
    for start in range(0, events, BATCH):
        size = min(BATCH, events - start)
        at = (start + np.sort(random.random(size)) * size) / events
        # Few people do much: the square of a uniform number.
        who = (random.random(size) ** 2 * people).astype(np.int64)
        chosen = random.choice(len(NAMES), size, p=list(NAMES.values())).astype(np.int32)
        table = pa.table(
            {
                "profile_id": who,
                "event": pa.DictionaryArray.from_arrays(chosen, names).cast(pa.string()),
                "occurred_at_us": first_us + (at * DAYS * DAY_US).astype(np.int64),
                "message_id": [f"{number:x}" for number in random.integers(1 << 62, size=size)],
                "properties": random.choice(PROPERTIES, size),
            },
            schema=SCHEMA,
        )
        lake.append("events", table, key=f"fill:{start}")


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


def measure(engine: Engine, people: pa.Table) -> dict[str, float | int]:
    """Ask each rule and, every time anew, for the floor; the best time of each counts."""
    asked = {"floor": rules.Sql(text=FLOOR, parameters={})}
    for name, document in RULES.items():
        asked[name] = rules.to_sql(rules.parse(document, where=name), now=NOW)
    seconds = dict.fromkeys(asked, float("inf"))
    members = {}
    for _ in range(ROUNDS):
        for name, sql in asked.items():
            began = time.perf_counter()
            relations = {"profiles": people}
            found = engine.query(
                sql.text, sql.parameters, tables={"events": None}, relations=relations
            )
            seconds[name] = min(seconds[name], time.perf_counter() - began)
            members[name] = found.num_rows
    figures: dict[str, float | int] = {"floor_s": seconds["floor"]}
    for name in RULES:
        figures[f"{name}_s"] = seconds[name]
        figures[f"{name}_to_floor"] = seconds[name] / seconds["floor"]
        figures[f"{name}_members"] = members[name]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures["peak_memory_mib"] = peak / 1024
    return figures


if __name__ == "__main__":
    main()
