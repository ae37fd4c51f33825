"""Whether every recommendation reaches its customer at most once, whatever goes wrong on the way.

So many recommendations, one a customer, go through the outbox to the Braze sandbox, each a process
of its own with an embedded PostgreSQL and a collector beside them. One call in twenty fails: every
status, silence and cut connections before and after the effect, half answers, slow ones, recipients
refused one by one, exports that fail. Braze Currents comes late and twice. The worker is killed
with SIGKILL every few seconds. What was sent is asked of the sandbox's journal, never of ourselves.

Throughput is what the sandbox accepted in whole rate limit windows, of what the limit lets through
with full calls.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import uvicorn

from opportune import project
from opportune.activation.connectors.braze import BATCH_SIZE
from opportune.api import WriteKeys, create_collector
from opportune.events import LIMITS
from opportune.keys import create_key
from opportune.sandbox import CAMPAIGN_ID, SandboxConfig, create_app
from opportune.settings import Settings, as_variables
from opportune.storage import SegmentLog, Stores, embedded, load_sql, open_stores

DAY = date(2026, 3, 1)
# Before the day is decided: what is to be sent is put into the outbox here.
NOW = datetime(2026, 3, 1, 2, tzinfo=UTC)
USE_CASE = "exactly_once"
FAULTS = (
    *("429", "500", "502", "503", "504", "500_after", "502_after", "503_after", "504_after"),
    *("timeout_before", "timeout_after", "reset_before", "reset_after", "malformed_after"),
    *("slow", "partial"),
)
FAULT_SHARE = 0.05
QUEUE = 10_000
TIMEOUT_S = 3.0
# Longer than a call can lie before a busy receiver takes it up, or it is taken for one never made.
SETTLE_S = 15.0
SILENCE_S = 6.0
LATE_SHARE = DUPLICATE_SHARE = 0.1
LOOK_S = 0.25
DEFINITIONS = {
    "metrics/orders.toml": 'event = "Order Completed"\nunit = "orders"\nwindow_days = 1\n',
    "segments/known.toml": 'rule = { trait = "email", exists = true }\n',
    f"use_cases/{USE_CASE}.toml": (
        'success_metric = "orders"\naudience = { segments = ["known"] }\ndecide_at = "23:00"\n'
        'activation = { connector = "braze", base_url = "%(url)s", campaign_id = "%(campaign)s" }\n'
        '[[dimensions]]\nname = "offer"\noptions = [{ name = "tv" }, { name = "sim" }]\n'
    ),
}
FILL = """
insert into outbox (key, use_case, day, connector, profile_id, user_id, properties, due_at)
select %(name)s || ':20260301:' || lpad(to_hex(n), 16, '0'), %(name)s, %(day)s, 'braze', n,
    'c' || lpad(n::text, 6, '0'), '{"offer": "tv"}', %(now)s
from generate_series(1, %(count)s) as n
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of everything."""

    recommendations: int
    calls: int
    window_s: int
    kill_every_s: float
    seed: int


@dataclass(slots=True, kw_only=True)
class Windows:
    """What the sandbox had counted when each window of its rate limit ended."""

    window_s: int
    ends: dict[int, tuple[int, int]] = field(default_factory=dict)

    def look(self, calls: int, sends: int) -> None:
        """Note the newest figures of the running window."""
        self.ends[int(time.time()) // self.window_s] = calls, sends

    def whole(self) -> list[tuple[int, int]]:
        """Calls and sends of each whole window: neither the first nor the last one."""
        places = sorted(self.ends)
        return [
            (self.ends[place][0], self.ends[place][1] - self.ends[place - 1][1])
            for place in places[1:-1]
            if place - 1 in self.ends
        ]


def main(arguments: list[str] | None = None) -> None:
    """Print the figures; with --json FILE also write them there. Exits with 1 if one is too bad."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recommendations", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=400, help="calls that a window takes")
    parser.add_argument("--window-s", type=int, default=60, help="seconds of a window")
    parser.add_argument("--kill-every-s", type=float, default=6.0, help="on average")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    plan = Plan(
        recommendations=options.recommendations,
        calls=options.calls,
        window_s=options.window_s,
        kill_every_s=options.kill_every_s,
        seed=options.seed,
    )
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        figures = measure(Path(folder), plan)
    for name, value in figures.items():
        print(f"{name:<32} {json.dumps(value)}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(0 if is_right(figures) else 1)


def is_right(figures: dict[str, object]) -> bool:
    """Nobody twice, nobody lost without a word, nobody counted as sent who was not."""
    return (
        figures["most_messages_a_recommendation"] == 1
        and figures["not_sent"] == figures["reported_ambiguous_or_failed"]
        and figures["sent_as_reported_but_not_sent"] == 0
        and figures["failed_as_reported_but_sent"] == 0
        and figures["without_a_reason"] == 0
    )


def measure(folder: Path, plan: Plan) -> dict[str, object]:
    """Run everything once and return what it came to."""
    with ExitStack() as stack:
        server = embedded.start(folder / "pg")
        stack.callback(server.stop)
        settings = Settings(
            data_folder=folder / "data",
            database_url=server.url,
            braze_api_key="exactly-once-key",
            braze_settle_s=SETTLE_S,
            braze_timeout_s=TIMEOUT_S,
        )
        stores = open_stores(settings, now=NOW)
        stack.callback(stores.close)
        key = create_key(settings, "sandbox")
        collector = stack.enter_context(process(collect, settings))
        config = SandboxConfig(
            api_key=settings.braze_api_key,
            customers=plan.recommendations,
            seed=plan.seed,
            start=DAY,
            events_url=f"http://127.0.0.1:{collector}",
            write_key=key,
            currents_key=key,
            journal=folder / "journal",
            silence_s=SILENCE_S,
            unsubscribes_stick=False,
            limits={"default": (plan.calls, plan.window_s)},
        )
        sandbox = stack.enter_context(process(stand_in, config))
        prepare(stores, plan, folder / "project", f"http://127.0.0.1:{sandbox}")
        began = time.monotonic()
        windows, kills = work(stores, plan, settings, sandbox)
        took_s = time.monotonic() - began
        return figures_of(stores, plan, folder / "journal", windows) | {
            "kills": kills,
            "seconds": round(took_s, 1),
        }


def collect(settings: Settings, pipe: multiprocessing.connection.Connection) -> None:
    """Be the collector: it takes what Currents posts."""
    log, keys = SegmentLog(settings.log_folder), WriteKeys(settings.data_folder / "keys.json")
    application = create_collector(
        log, keys, limits=LIMITS, clock=lambda: int(NOW.timestamp() * 1_000_000)
    )
    serve(application, pipe)


def stand_in(config: SandboxConfig, pipe: multiprocessing.connection.Connection) -> None:
    """Be the sandbox."""
    serve(create_app(config), pipe)


def serve(application: object, pipe: multiprocessing.connection.Connection) -> None:
    """Serve on a free port, and tell which."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=128)
    pipe.send(listening.getsockname()[1])
    config = uvicorn.Config(application, log_level="error", access_log=False)  # type: ignore[arg-type]  # one of ours
    uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def process(target: object, given: object) -> Iterator[int]:
    """Run ``target`` in a process of its own until the block ends; gives its port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=target, args=(given, theirs), daemon=True)  # type: ignore[arg-type]  # a function above
    child.start()
    try:
        yield ours.recv()
    finally:
        child.kill()
        child.join()


def prepare(stores: Stores, plan: Plan, folder: Path, url: str) -> None:
    """Apply the use case, put its recommendations into the outbox, and order the trouble."""
    for name, text in DEFINITIONS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(
            text.replace("%(url)s", url).replace("%(campaign)s", CAMPAIGN_ID)
        )
    project.apply(stores.state, folder, now=NOW)
    stores.state.rows(load_sql("opportune", "set_simulated_now"), {"now": NOW})
    facts = {"name": USE_CASE, "day": DAY, "now": NOW, "count": plan.recommendations}
    stores.state.rows(FILL, facts)
    stores.state.rows("analyze outbox")
    ask(url, "clock", {"now": NOW.isoformat()})
    draw = random.Random(plan.seed)
    for path, kinds in (("", FAULTS), ("/users/export/ids", FAULTS[:-1])):
        ask(url, "faults", {"path": path, "faults": faults(kinds, draw)})


def faults(kinds: tuple[str, ...], draw: random.Random) -> list[str]:
    """One call in twenty fails; each kind as often as any other, in any order."""
    size = round(1 / FAULT_SHARE)
    failing: list[str] = []
    while len(failing) < QUEUE // size:
        failing += draw.sample(kinds, len(kinds))
    queue = []
    for fault in failing[: QUEUE // size]:
        place = draw.randrange(size)
        queue += ["none"] * place + [fault] + ["none"] * (size - 1 - place)
    return queue


def work(stores: Stores, plan: Plan, settings: Settings, sandbox: int) -> tuple[Windows, int]:
    """Have workers work and kill them until all is settled; returns windows and kills."""
    url, draw = f"http://127.0.0.1:{sandbox}", random.Random(plan.seed)
    windows, kills, told = Windows(window_s=plan.window_s), 0, False
    gives_up_at = (
        time.monotonic()
        + 600
        + 4 * plan.window_s * plan.recommendations / (plan.calls * BATCH_SIZE)
    )
    worker, found = start(settings), states_of(stores)
    dies_at: float | None = None
    try:
        while time.monotonic() < gives_up_at:
            states = states_of(stores)
            if states.keys() <= {"sent", "failed"}:
                break
            busy = "pending" in states or "reserved" in states
            if dies_at is None and states != found:
                # It has begun to work.
                dies_at = time.monotonic() + plan.kill_every_s * draw.uniform(0.5, 1.5)
            if busy:
                used = ask(url, "limits")["pools"]["default"]["used"]
                windows.look(used, ask(url, "sends")["sends"])
            if not told and states["sent"] > plan.recommendations / 2:
                told = True
                live(url)
            if not busy:
                # Late events come in the end, and settle what is left.
                live(url)
                ask(url, "late", {})
                time.sleep(SETTLE_S / 4)
            elif worker.poll() is not None or (dies_at is not None and time.monotonic() > dies_at):
                worker.kill()
                worker.wait()
                kills += 1
                worker, found, dies_at = start(settings), states_of(stores), None
            time.sleep(LOOK_S)
    finally:
        worker.kill()
        worker.wait()
    return windows, kills


def live(url: str) -> None:
    """Have Currents told: a tenth of it late, a tenth of it twice."""
    shares = {"late_share": LATE_SHARE, "duplicate_share": DUPLICATE_SHARE}
    with suppress(OSError):
        ask(url, "react", {"day": DAY.isoformat(), **shares})


def start(settings: Settings) -> subprocess.Popen[bytes]:
    """Start a worker."""
    command = [sys.executable, "-c", "from opportune import cli; cli.main()"]
    return subprocess.Popen(
        [*command, "worker", "--simulated-clock"],
        env={**os.environ, **as_variables(replace(settings))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def states_of(stores: Stores) -> Counter[str]:
    """How many rows of the outbox are in which state."""
    rows = stores.state.rows("select state, count(*)::int as count from outbox group by state")
    return Counter({row["state"]: row["count"] for row in rows})


def figures_of(stores: Stores, plan: Plan, journal: Path, windows: Windows) -> dict[str, object]:
    """Compare what the sandbox accepted with what the outbox reports."""
    accepted: Counter[str] = Counter()
    with journal.open("rb") as lines:
        for line in lines:
            for message in json.loads(line)["messages"]:
                accepted[message["trigger_properties"]["decision_id"]] += 1
    rows = stores.state.rows(
        "select key, state, coalesce(reason, '') as reason, attempts from outbox order by key"
    )
    twice = [row for row in rows if accepted[row["key"]] > 1]
    open_rows = [row for row in rows if row["state"] != "sent"]
    reported = {row["key"] for row in rows if row["state"] == "sent"}
    failed = {row["key"] for row in rows if row["state"] == "failed"}
    whole = windows.whole()
    allowed = plan.calls * len(whole)
    sends = sum(each[1] for each in whole)
    return {
        "recommendations": len(rows),
        "sent": len(accepted),
        "most_messages_a_recommendation": max(accepted.values(), default=0),
        "twice": dict(Counter(f"{row['attempts']} tries: {row['reason']}" for row in twice)),
        "not_sent": len(rows) - len(accepted.keys()),
        "reported_ambiguous_or_failed": len(open_rows),
        "states": dict(Counter(row["state"] for row in rows)),
        "reasons": dict(Counter(f"{row['state']}: {row['reason']}" for row in open_rows)),
        "without_a_reason": sum(not row["reason"] for row in open_rows),
        "sent_as_reported_but_not_sent": len(reported - accepted.keys()),
        "failed_as_reported_but_sent": len(failed & accepted.keys()),
        "settled_by_engagement": sum("engagement shows" in row["reason"] for row in rows),
        "settled_by_asking": sum("was received" in row["reason"] for row in rows),
        "whole_windows": len(whole),
        "calls_share": round(sum(each[0] for each in whole) / allowed, 3) if whole else None,
        "throughput_share": round(sends / (allowed * BATCH_SIZE), 3) if whole else None,
    }


def ask(url: str, what: str, body: object = None) -> dict[str, object]:
    """Ask the sandbox's control side."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/_sandbox/{what}", data=data)
    for _ in range(40):
        try:
            with urllib.request.urlopen(request, timeout=300) as answer:
                found: dict[str, object] = json.loads(answer.read())
                return found
        except ConnectionRefusedError:
            time.sleep(0.25)
    raise ConnectionRefusedError(url)


if __name__ == "__main__":
    main()
