"""The report of a use case with 1,000,000 customers and 90 days, and what its daily sums cost.

Decisions and rewards are made up in columns and put straight into the lake; then the days are
summed up as `pipeline.run_day` does, and the report is asked for. Beside it, in the same run, the
floor: one scan that counts the same decisions by variant and day. The ratio is the promise; seconds
are this machine's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import numpy as np
import pyarrow as pa

from opportune import pipeline, project, reports
from opportune.decisions import DECISIONS, FEATURES, UseCase
from opportune.learning import REWARDS
from opportune.settings import Settings
from opportune.storage import Stores, open_stores

CUSTOMERS, DAYS = 1_000_000, 90
USE_CASE = "next-best-offer"
FIRST = datetime(2026, 3, 1, 6, tzinfo=UTC)
TIMES = 5
FLOOR = """
    select day, variant, count(*) as decisions from decisions
    where use_case = $use_case and version = $version
    group by day, variant order by day, variant
"""


def main(arguments: list[str] | None = None) -> None:
    """Measure and print; ``--json FILE`` also writes the figures for a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--days", type=int, default=DAYS)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="opportune-bench-") as folder:
        Path(folder).chmod(0o755)
        stores = open_stores(Settings(data_folder=Path(folder) / "data"), now=FIRST)
        figures = measure(stores, given.customers, given.days)
        stores.close()
    for name, value in figures.items():
        print(f"{name:28} {value:,.3f}" if isinstance(value, float) else f"{name:28} {value:,}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2))


def measure(stores: Stores, customers: int, days: int) -> dict[str, float | int]:
    """Live the days one by one, then ask for the report and for the floor."""
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as folder:
        project.apply(stores.state, folder, now=FIRST)
    pipeline.create_tables(stores)
    defined = project.read(stores.state)
    use_case = defined.use_case(USE_CASE)
    metric = defined.metric_of(use_case)
    summed = []
    for place in range(days):
        fill(stores, use_case, customers, place)
        matured = place - metric.window_days
        if matured >= 0:
            stores.lake.append("rewards", rewards(use_case, customers, matured))
        began = time.perf_counter()
        reports.summarise(stores, use_case, metric)
        summed.append(time.perf_counter() - began)
    now = FIRST + timedelta(days=days)
    asked = []
    for _ in range(TIMES):
        began = time.perf_counter()
        found = reports.results(stores, use_case, metric, now=now).performance
        chosen = reports.insights(stores, use_case, now=now)
        asked.append(time.perf_counter() - began)
    assert found.decided_days == days
    assert chosen.choices
    floor_s = floor(stores, use_case)
    return {
        "customers": customers,
        "days": days,
        "decisions": customers * days,
        "mature_days": found.mature_days,
        "first_report_s": asked[0],
        "report_s": min(asked),
        "floor_s": floor_s,
        "ratio_to_floor": min(asked) / floor_s,
        "sum_up_a_day_s": statistics.median(summed[len(summed) // 2 :]),
    }


def fill(stores: Stores, use_case: UseCase, customers: int, place: int) -> None:
    """Write a day of decisions, and what was known of everybody."""
    random = np.random.default_rng(place)
    day = FIRST.date() + timedelta(days=place)
    same = common(use_case, customers, day)
    at = pa.repeat(pa.scalar(FIRST + timedelta(days=place), pa.timestamp("us", "UTC")), customers)
    options = [
        pa.array([each.name for each in dimension.options]).take(
            pa.array(random.integers(len(dimension.options), size=customers))
        )
        for dimension in use_case.dimensions
    ]
    width = len(options)
    flat = np.arange(customers * width) % width * customers + np.arange(customers * width) // width
    actions = pa.concat_arrays(options).take(pa.array(flat))
    decided = {
        **same,
        "action": lists(actions, width),
        "propensity": pa.repeat(0.1, customers),
        "dimension_propensities": lists(pa.repeat(0.5, customers * width), width),
        "eligible": lists(pa.repeat(7, customers * width), width),
        "policy_version": pa.repeat("p", customers),
        "explored": pa.array(random.random(customers) < 0.1),
        "decided_at": at,
        "decided_at_us": at.cast(pa.int64()),
        "due_at": at,
    }
    stores.lake.append("decisions", fitted(decided, DECISIONS, customers))
    columns = len(use_case.feature_names)
    values = pa.array(np.floor(random.gamma(2.0, 15.0, customers * columns)))
    known = {**same, "values": lists(values, columns), "eligible": decided["eligible"]}
    stores.lake.append("features", fitted(known, FEATURES, customers))


def rewards(use_case: UseCase, customers: int, place: int) -> pa.Table:
    """What the decisions of a day earned: 3 in a hundred something, treatment a fifth more."""
    random = np.random.default_rng(10_000 + place)
    day = FIRST.date() + timedelta(days=place)
    rate = np.where(np.arange(customers) % 10 == 0, 0.03, 0.036)
    amounts = (random.random(customers) < rate) * random.gamma(2.0, 20.0, customers)
    at = pa.scalar(FIRST + timedelta(days=place), pa.timestamp("us", "UTC"))
    earned = {
        **common(use_case, customers, day),
        "reward": pa.array(amounts),
        "matured_at": pa.repeat(at, customers),
    }
    return fitted(earned, REWARDS, customers)


def common(use_case: UseCase, customers: int, day: date) -> dict[str, pa.Array]:
    numbers = np.arange(customers, dtype=np.int64)
    prefix = f"{use_case.name}:{day:%Y%m%d}:"
    names = np.char.add(prefix, np.char.zfill(numbers.astype(str), 16))
    return {
        "decision_id": pa.array(names),
        "use_case": pa.repeat(use_case.name, customers),
        "version": pa.repeat(pa.scalar(use_case.version, pa.int32()), customers),
        "day": pa.repeat(pa.scalar(day, pa.date32()), customers),
        "profile_id": pa.array(numbers),
        "user_id": pa.array(numbers).cast(pa.string()),
        "variant": pa.array(np.where(numbers % 10 == 0, "control", "treatment")),
    }


def lists(values: pa.Array, width: int) -> pa.ListArray:
    return pa.ListArray.from_arrays(np.arange(0, len(values) + 1, width, dtype=np.int32), values)


def fitted(columns: dict[str, pa.Array], schema: pa.Schema, count: int) -> pa.Table:
    return pa.table(
        [columns.get(field.name, pa.nulls(count, field.type)) for field in schema],
        names=schema.names,
    )


def floor(stores: Stores, use_case: UseCase) -> float:
    """Count the same decisions once by day and variant and return the seconds."""
    facts = {"use_case": use_case.name, "version": use_case.version}
    began = time.perf_counter()
    stores.engine.query(FLOOR, facts, tables={"decisions": None})
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
