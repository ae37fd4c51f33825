"""How fast files of history become messages of the log, and how much memory that takes.

A table of orders is written as CSV, as Parquet, as JSON lines of its own shape, and as messages of
the tracking protocol. Each file is imported by ``opportune import`` in a process of its own; what
counts is the time from its start to its end. Beside it, in the same run, the floor: pyarrow reads
the same file and writes it as Parquet, which nobody who reads every cell can beat. "share" is rows
a second over those of the floor; "peak" the most memory the process held.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj
from pyarrow import csv, parquet

ROWS = 500_000
CHUNK_ROWS = 100_000
SINCE = datetime(2024, 1, 1, tzinfo=UTC)
SCHEMA = """
[types]
amount = "number"

[[messages]]
type = "track"
event = { constant = "Order Completed" }
user_id = "customer"
timestamp = "ordered_at"
message_id = { column = "order_no", prefix = "order-" }
properties = ["amount", "city", "plan", "items"]
"""
CITIES = ("Graz", "Linz", "Wien", "Salzburg", "Innsbruck")
PLANS = ("basic", "plus", "family")


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    parser.add_argument("--rows", type=int, default=ROWS, help="of each file")
    parser.add_argument("--kinds", nargs="*", default=sorted(WRITERS), help="of files")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    figures: dict[str, float] = {}
    for kind in options.kinds:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            figures |= measure(kind, options.rows, Path(folder))
    for name, value in figures.items():
        print(f"{name:<36} {value:>14,.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(kind: str, rows: int, folder: Path) -> dict[str, float]:
    """Rows per second, share of the floor, and megabytes, of files of one kind."""
    file, schema = folder / f"orders.{kind}", folder / "orders.toml"
    WRITERS[kind](file, rows)
    schema.write_text(SCHEMA)
    floor_s = floor(kind, file, folder / "floor.parquet")
    command = ["import", str(file), "--source", "shop", "--json"]
    if kind != "messages":
        command += ["--schema", str(schema)]
    took, said = run(command, folder)
    assert said[0]["rows"] == rows, said
    assert said[0]["messages"] == {"track": {"Order Completed": rows}}, said
    again, _ = run(command, folder)
    return {
        f"{kind}_file_mb": file.stat().st_size / 1e6,
        f"{kind}_rows_per_s": rows / took.seconds,
        f"{kind}_cpu_us_per_row": took.cpu_s / rows * 1e6,
        f"{kind}_floor_rows_per_s": rows / floor_s,
        f"{kind}_share": floor_s / took.seconds,
        f"{kind}_peak_mb": took.peak_mb,
        f"{kind}_second_time_s": again.seconds,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What a process took: seconds, those of the processor, and megabytes at most."""

    seconds: float
    cpu_s: float
    peak_mb: float


def run(command: list[str], folder: Path) -> tuple[Took, list[Mapping[str, object]]]:
    """Run a process of ours; return what it took and what it answered."""
    begun = time.perf_counter()
    given = {**os.environ, "OPPORTUNE_DATA_FOLDER": str(folder / "data")}
    process = subprocess.Popen(
        [sys.executable, "-m", "opportune", *command],
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    took = Took(
        seconds=time.perf_counter() - begun,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
    )
    return took, json.loads(said)


def floor(kind: str, file: Path, out: Path) -> float:
    """Seconds in which pyarrow alone reads ``file`` and writes it as Parquet."""
    begun = time.perf_counter()
    batches = READERS[kind](file)
    first = next(batches)
    with parquet.ParquetWriter(out, first.schema, compression="zstd") as writer:
        writer.write_batch(first)
        for batch in batches:
            writer.write_batch(batch)
    return time.perf_counter() - begun


def chunks(rows: int) -> Iterator[pa.RecordBatch]:
    random = np.random.default_rng(1)
    start_s = int(SINCE.timestamp())
    for first in range(0, rows, CHUNK_ROWS):
        count = min(CHUNK_ROWS, rows - first)
        numbers = np.arange(first, first + count)
        customers = random.integers(0, max(1, rows // 10), count)
        seconds = start_s + numbers * int(timedelta(days=600).total_seconds()) // rows
        times = pa.array(seconds * 1_000_000, pa.timestamp("us", tz="UTC"))
        yield pa.RecordBatch.from_pydict(
            {
                "customer": texts("customer-", customers),
                "ordered_at": pc.strftime(times, "%Y-%m-%dT%H:%M:%SZ"),
                "order_no": numbers,
                "amount": np.round(random.gamma(2.0, 30.0, count), 2),
                "city": pa.array(CITIES).take(pa.array(random.integers(0, len(CITIES), count))),
                "plan": pa.array(PLANS).take(pa.array(random.integers(0, len(PLANS), count))),
                "items": random.integers(1, 9, count),
            }
        )


def texts(prefix: str, numbers: np.ndarray) -> pa.Array:
    return pc.binary_join_element_wise(prefix, pa.array(numbers).cast(pa.string()), "")


def write_csv(file: Path, rows: int) -> None:
    batches = chunks(rows)
    first = next(batches)
    with csv.CSVWriter(file, first.schema) as writer:
        writer.write(first)
        for batch in batches:
            writer.write(batch)


def write_parquet(file: Path, rows: int) -> None:
    batches = chunks(rows)
    first = next(batches)
    with parquet.ParquetWriter(file, first.schema) as writer:
        writer.write(first)
        for batch in batches:
            writer.write(batch)


def write_lines(file: Path, rows: int) -> None:
    with file.open("w") as stream:
        for batch in chunks(rows):
            stream.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())


def write_messages(file: Path, rows: int) -> None:
    with file.open("w") as stream:
        for batch in chunks(rows):
            stream.writelines(json.dumps(message(row)) + "\n" for row in batch.to_pylist())


def message(row: dict[str, object]) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": row["customer"],
        "messageId": f"order-{row['order_no']}",
        "timestamp": row["ordered_at"],
        "properties": {name: row[name] for name in ("amount", "city", "plan", "items")},
    }


def read_csv(file: Path) -> Iterator[pa.RecordBatch]:
    yield from csv.open_csv(file)


def read_parquet(file: Path) -> Iterator[pa.RecordBatch]:
    yield from parquet.ParquetFile(file).iter_batches()


def read_lines(file: Path) -> Iterator[pa.RecordBatch]:
    yield from pj.open_json(file)


WRITERS = {
    "csv": write_csv,
    "json": write_lines,
    "messages": write_messages,
    "parquet": write_parquet,
}
READERS = {
    "csv": read_csv,
    "json": read_lines,
    "messages": read_lines,
    "parquet": read_parquet,
}


if __name__ == "__main__":
    main()
