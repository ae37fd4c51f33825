"""The daily run for 100,000 customers x 60 combinations: snapshot, decide, log, enqueue.

Beside it, in the same run, the floor: the rows it must leave behind written as plainly as possible
(one uncompressed Parquet file of the same decisions, one COPY of the same outbox rows into an
unlogged table). The ratio of the two is the promise; seconds are this machine's.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
from pyarrow import csv

from opportune import activation, decisions, events, learning, pipeline, profiles, project, segments
from opportune.settings import Settings
from opportune.simulate import internet_provider
from opportune.storage import Frame, SegmentLog, Stores, open_stores

CUSTOMERS = 100_000
USE_CASE = "next-best-offer"
FIRST = datetime(2026, 3, 1, 6, tzinfo=UTC)


def main() -> None:
    """Measure and print; ``--json FILE`` also writes the figures for a program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="opportune-bench-") as folder:
        Path(folder).chmod(0o755)
        stores = open_stores(Settings(data_folder=Path(folder) / "data"), now=FIRST)
        loaded_s = fill(stores, given.customers)
        figures = {"customers": given.customers, "combinations": 60, "load_s": loaded_s}
        figures |= measure(stores)
        stores.close()
    for name, value in figures.items():
        print(f"{name:28} {value:,.2f}" if isinstance(value, float) else f"{name:28} {value:,}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2))


def fill(stores: Stores, customers: int) -> float:
    """Put the customers of the made-up market through the log, as a shop would have sent them."""
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as folder:
        project.apply(stores.state, folder, now=FIRST)
    began = time.perf_counter()
    log = SegmentLog(stores.settings.log_folder)
    rows = internet_provider(customers=customers, seed=1).traits.to_pylist()
    received_at_us = int(FIRST.timestamp() * 1e6)
    for start in range(0, customers, 100):
        batch = [
            {
                "type": "identify",
                "messageId": row["user_id"],
                "timestamp": "2026-02-28T00:00:00Z",
                "userId": row.pop("user_id"),
                "traits": row,
            }
            for row in rows[start : start + 100]
        ]
        body = msgspec.json.encode({"batch": batch})
        frame = Frame(received_at_us=received_at_us, source_id="shop", kind="batch", body=body)
        log.append(frame).result()
    log.close()
    ingest = pipeline.Ingest(stores, {"batch": events.decode_segment})
    while ingest.tick():
        pass
    return time.perf_counter() - began


def measure(stores: Stores) -> dict[str, float | int]:
    """Run three days; the last, with every file and model warm, is the one that counts."""
    definitions = project.read(stores.state)
    figures: dict[str, float | int] = {}
    for place in range(3):
        day = FIRST.date() + timedelta(days=place)
        figures = steps(stores, definitions, day, FIRST + timedelta(days=place))
    rows = int(figures["rows"])
    figures["floor_s"] = floor(stores, FIRST.date() + timedelta(days=2))
    figures["ratio_to_floor"] = float(figures["total_s"]) / float(figures["floor_s"])
    figures["rows_per_s"] = rows / float(figures["total_s"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures["peak_memory_mib"] = peak / 1024
    return figures


def steps(
    stores: Stores, definitions: project.Project, day: date, now: datetime
) -> dict[str, float | int]:
    """The steps of `pipeline.run_day`, timed one by one."""
    use_case = definitions.use_case(USE_CASE)
    metric = definitions.metric_of(use_case)
    times: dict[str, float | int] = {}
    began = last = time.perf_counter()

    def done(name: str) -> None:
        nonlocal last
        times[f"{name}_s"] = time.perf_counter() - last
        last = time.perf_counter()

    known = profiles.snapshot(stores.state)
    for segment in use_case.audience:
        segments.refresh(stores, definitions.segments[segment], known, now=now)
    done("segments")
    learning.reward(stores, use_case, metric, now=now)
    done("reward")
    trained = learning.train(stores, use_case, metric, day)
    done("train")
    decisions.snapshot(stores, use_case, day, known)
    done("snapshot")
    version = trained.version
    decisions.decide(stores, use_case, day, policy=trained.policy, policy_version=version, now=now)
    done("decide_and_log")
    activation.enqueue(stores, use_case, day, now=now)
    done("enqueue")
    times["rows"] = known.num_rows
    times["total_s"] = time.perf_counter() - began
    return times


def floor(stores: Stores, day: date) -> float:
    """Write the same rows as plainly as possible and return the seconds."""
    decided = stores.engine.query(
        "select * from decisions where day = cast($day as date) order by decision_id",
        {"day": day.isoformat()},
        tables={"decisions": ("day", day, day)},
    )
    queued = stores.engine.query(
        "select decision_id, user_id, profile_id from decided"
        " where variant = 'treatment' order by decision_id",
        relations={"decided": decided},
    )
    began = time.perf_counter()
    pq.write_table(decided, stores.settings.data_folder / "floor.parquet", compression="none")
    buffer = io.BytesIO()
    csv.write_csv(queued, buffer, csv.WriteOptions(include_header=False))
    with stores.state.transaction() as connection, connection.cursor() as cursor:
        cursor.execute("create unlogged table floor (key text, user_id text, profile_id bigint)")
        with cursor.copy("copy floor from stdin (format csv)") as stream:
            stream.write(buffer.getbuffer())
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
