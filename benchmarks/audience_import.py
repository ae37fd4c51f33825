"""How long it takes to bring a large segment of Braze in, and how much memory.

The sandbox runs beside it with so many customers. ``opportune braze import-audience`` runs in a
process of its own: what counts is the time from its start to its end, with the wait for the file
told apart, and the most memory it held. What it put into the log is then taken in by another
process, into profiles, whose time and memory are told as well.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from opportune import pipeline, settings, worker
from opportune.sandbox.catalogue import SEGMENT_ID
from opportune.storage import load_sql, open_stores

KEY = "benchmark-key"
LONGEST_START_S = 300
FILES = {
    "metrics/orders.toml": 'event = "Order Completed"\nunit = "orders"\nwindow_days = 2\n',
    "segments/everybody.toml": 'rule = { trait = "braze_everybody", is = true }\n',
    "use_cases/next.toml": """
success_metric = "orders"
features = ["tenure_months"]
audience = { segments = ["everybody"] }
[policy]
name = "uniform"
[activation]
connector = "braze"
campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"
base_url = "http://127.0.0.1:8421"
[[dimensions]]
name = "offer"
options = [{ name = "tv" }, { name = "sim" }]
""",
    "braze_segments/everybody.toml": """
base_url = "http://127.0.0.1:PORT"
segment_id = "SEGMENT"
fields = ["time_zone", "country", "language"]
custom_attributes = ["plan", "tenure_months", "has_tv"]
""",
}


def main(arguments: list[str] | None = None) -> None:
    """Print the figures; with --json FILE also write them there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000, help="in the segment")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    parser.add_argument("--take-in", action="store_true", help="only take in what is in the log")
    options = parser.parse_args(arguments)
    if options.take_in:
        print(json.dumps(take_in()))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        figures = measure(options.customers, Path(folder).resolve())
    for name, value in figures.items():
        print(f"{name:<28} {value:>14,.1f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(customers: int, folder: Path) -> dict[str, float]:
    """Seconds and megabytes of an import, and of taking it in."""
    port = free_port()
    for name, text in FILES.items():
        file = folder / "project" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace("PORT", str(port)).replace("SEGMENT", SEGMENT_ID))
    environ = {
        **os.environ,
        "OPPORTUNE_DATA_FOLDER": str(folder / "data"),
        "OPPORTUNE_BRAZE_API_KEY": KEY,
    }
    run([sys.executable, "-m", "opportune", "apply", str(folder / "project")], environ)
    command = [sys.executable, "-m", "opportune", "braze", "import-audience", "everybody", "--json"]
    with sandbox(customers, port):
        brought = run(command, environ)
    said = json.loads(brought.out)
    assert said["members"] == said["messages"] == customers, said
    taken = run([sys.executable, __file__, "--take-in"], environ)
    assert json.loads(taken.out) == customers, taken.out
    waited = [line for line in brought.told.splitlines() if line.startswith("seconds waited")]
    return {
        "customers": customers,
        "import_s": brought.seconds,
        "of_that_waited_about_s": float(waited[-1].split(": ")[1].split()[0].replace(",", ""))
        if waited
        else 0.0,
        "import_cpu_s": brought.cpu_s,
        "import_peak_mb": brought.peak_mb,
        "take_in_s": taken.seconds,
        "take_in_peak_mb": taken.peak_mb,
    }


class Ran:
    """A process that has ended: what it said, seconds, those of the processor, megabytes."""

    def __init__(self, command: list[str], environ: dict[str, str], told: Path) -> None:
        begun = time.perf_counter()
        with told.open("wb") as stream:
            process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=stream)
            assert process.stdout is not None
            self.out = process.stdout.read().decode()
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.told = told.read_text()
        assert process.returncode == 0, self.told
        self.seconds = time.perf_counter() - begun
        self.cpu_s = usage.ru_utime + usage.ru_stime
        self.peak_mb = usage.ru_maxrss / 1024


def run(command: list[str], environ: dict[str, str]) -> Ran:
    """Run a process of ours to its end."""
    with tempfile.NamedTemporaryFile(suffix=".txt") as told:
        return Ran(command, environ, Path(told.name))


@contextlib.contextmanager
def sandbox(customers: int, port: int) -> Iterator[None]:
    """A sandbox with so many customers, for as long as it is needed."""
    command = [sys.executable, "-m", "opportune", "sandbox", "braze", "--api-key", KEY]
    command += ["--port", str(port), "--customers", str(customers), "--start", "2026-01-01"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + LONGEST_START_S
        while not answers(port):
            assert time.monotonic() < until, "the sandbox does not start"
            assert process.poll() is None, "the sandbox ended"
            time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def answers(port: int) -> bool:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/segments/list", headers={"Authorization": f"Bearer {KEY}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bool(answer.status)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def take_in() -> int:
    """Take in what is in the log, and count the profiles."""
    stores = open_stores(settings.load(), now=datetime.now(UTC))
    try:
        pipeline.take_in(stores, worker.decoders(stores), told=lambda *_: None)
        count: int = stores.state.rows(load_sql("opportune.cli", "count_profiles"))[0]["profiles"]
    finally:
        stores.close()
    return count


if __name__ == "__main__":
    main()
