"""How fast one profile is decided for on request, at a steady rate, beside an empty endpoint.

Profiles with traits and a membership are written straight into the tables of an embedded
PostgreSQL, and a policy that has learned is kept for each of two use cases: one of 60 combinations,
one of 1,000. A server of one process answers `POST /api/decide` on 127.0.0.1. A load generator in
another process sends so many requests a second, whether or not the ones before were answered, and
counts the time from when a request was due. The floor is an endpoint of the same server that reads
the same body and answers at once.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from opportune import api, decisions, policies, project
from opportune.settings import Settings
from opportune.storage import Stores, fetch, load_sql, open_stores

PROFILES = 100_000
RATE = 500
SECONDS = 20
CONNECTIONS = 64
FEATURES = 10
USE_CASES = {"sixty": (4, 5, 3), "thousand": (10, 10, 10)}
FLOOR = "/floor"
LEARNED_ROWS = 20_000

FILL = (
    """
    insert into profile (profile_id, traits, first_seen_at, last_seen_at)
    select identity_hash('user_id', 'u' || n),
        jsonb_build_object(
            'plan', (array['basic', 'plus', 'family'])[1 + mod(n, 3)], 'age', mod(n, 90)
        ) || (
            select jsonb_object_agg('t' || k, mod(n * 7919 + k * 104729, 1000))
            from generate_series(1, 12) as k
        ),
        '2026-01-01Z', '2026-12-31Z'
    from generate_series(0, %(profiles)s - 1) as n
    """,
    """
    insert into identifier (kind, value, profile_id, linked_at, sighted_at_us)
    select kind, left(kind, 1) || n, identity_hash('user_id', 'u' || n), '2026-01-01Z',
        1767225600000000
    from generate_series(0, %(profiles)s - 1) as n,
        unnest(array['user_id', 'anonymous_id']) as kind
    """,
    """
    insert into segment_membership (segment, profile_id, entered_at)
    select 'everybody', identity_hash('user_id', 'u' || n), '2026-01-02Z'
    from generate_series(0, %(profiles)s - 1) as n
    """,
    "delete from membership_untold",
    "delete from profile_touched",
    "analyze",
)


def main(arguments: list[str] | None = None) -> None:
    """Print the table; with --json FILE also write the figures there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"), help="on the disk")
    parser.add_argument("--profiles", type=int, default=PROFILES)
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each measurement")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        settings = Settings(data_folder=Path(folder))
        stores = open_stores(settings, now=datetime.now(UTC))
        try:
            fill(stores, options.profiles, Path(folder) / "project")
            with server(settings) as (address, process):
                figures = measure(address, process, options)
            figures["kept"] = stores.state.rows("select count(*) as kept from asked_decision")[0][
                "kept"
            ]
        finally:
            stores.close()
    for name, value in figures.items():
        print(f"{name:<36} {value:>14,.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def fill(stores: Stores, profiles: int, folder: Path) -> None:
    """Write the profiles, the definitions and two policies that have learned."""
    for statement in FILL:
        with stores.state.transaction() as connection:
            fetch(connection, statement, {"profiles": profiles})
    for name, text in definitions():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    now = datetime.now(UTC)
    project.apply(stores.state, folder, now=now)
    for use_case in project.read(stores.state).use_cases.values():
        facts = {
            "use_case": use_case.name,
            "version": use_case.version,
            "day": now.date(),
            "trained_through": None,
            "waiting": 0,
            "body": taught(use_case).to_bytes(),
            **dict.fromkeys(("lessons", "learner", "warm_start", "provisional")),
        }
        stores.state.rows(load_sql("opportune.learning", "keep_model"), facts)


def definitions() -> Iterator[tuple[str, str]]:
    """A metric, a segment, and a use case of each size: ten features, one rule a dimension."""
    yield "opportune.toml", "[traits]\npersonal = []\n"
    yield (
        "metrics/orders.toml",
        'title = "Orders"\nevent = "Order Completed"\nunit = "orders"\nwindow_days = 3\n',
    )
    yield (
        "segments/everybody.toml",
        'title = "Everybody"\nrule = { trait = "age", exists = true }\n',
    )
    for name, sizes in USE_CASES.items():
        features = ", ".join(f'"t{k}"' for k in range(1, FEATURES - 2))
        plans = '{ trait = "plan", one_of = ["basic", "plus", "family"] }'
        dimensions = "".join(
            f'[[dimensions]]\nname = "d{d}"\noptions = ['
            + ", ".join(
                f'{{ name = "o{o}"'
                + (f', eligible = {{ trait = "t{d + 1}", at_least = 300 }}' if o == 0 else "")
                + " }"
                for o in range(size)
            )
            + "]\n"
            for d, size in enumerate(sizes)
        )
        yield (
            f"use_cases/{name}.toml",
            (
                f'title = "{name}"\nsuccess_metric = "orders"\nfeatures = [{features}, {plans}]\n'
                '[audience]\nsegments = ["everybody"]\n[activation]\nconnector = "braze"\n'
                'base_url = "http://127.0.0.1:8421"\n'
                'campaign_id = "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10"\n' + dimensions
            ),
        )


def taught(use_case: decisions.UseCase) -> policies.Policy:
    """The default learner after one day of random play."""
    random = np.random.default_rng(1)
    space = use_case.space
    actions = np.stack([random.integers(0, size, LEARNED_ROWS) for size in space.sizes], axis=1)
    values = random.integers(0, 1000, (LEARNED_ROWS, use_case.feature_count)).astype(np.float64)
    batch = policies.Batch(
        features=values,
        actions=actions.astype(np.int16),
        rewards=(random.random(LEARNED_ROWS) < 0.02 + 0.05 * (actions[:, 0] == 1)).astype(float),
        propensities=np.full(LEARNED_ROWS, 1 / space.combinations),
    )
    start = policies.FactoredThompson.start(space, features=use_case.feature_count, reward="binary")
    return start.update(batch)


@contextlib.contextmanager
def server(settings: Settings) -> Iterator[tuple[tuple[str, int], psutil.Process]]:
    """Serve the interface in a process of its own, on 127.0.0.1 alone."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(settings, listening), daemon=True
        )
        process.start()
        try:
            yield listening.getsockname(), psutil.Process(process.pid)
        finally:
            process.terminate()
            process.join()


def serve(settings: Settings, listening: socket.socket) -> None:
    """The server's process."""

    async def floor(request: Request) -> Response:
        await request.body()
        return Response(b'{"status":"ok"}', media_type="application/json")

    stores = open_stores(settings, now=datetime.now(UTC))
    routes = [Route(FLOOR, floor, methods=["POST"]), *api.routes(stores)]
    # As `opportune serve` does.
    gc.collect()
    gc.freeze()
    config = uvicorn.Config(Starlette(routes=routes), log_level="error", access_log=False)
    uvicorn.Server(config).run(sockets=[listening])


def measure(
    address: tuple[str, int], process: psutil.Process, options: argparse.Namespace
) -> dict[str, float]:
    """Milliseconds from when a request was due to its answer, at the steady rate."""
    figures: dict[str, float] = {"profiles": options.profiles, "rate": options.rate}
    until = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(address, timeout=1).close()
            break
        assert time.monotonic() < until, "the server does not start"
        time.sleep(0.1)
    for name in ("floor", *USE_CASES):
        # Without it the first answers wait for definitions and draws.
        ask(address, name, options.profiles, rate=50, seconds=3)
        began = process.cpu_times()
        times, failed = ask(
            address, name, options.profiles, rate=options.rate, seconds=options.seconds
        )
        ended = process.cpu_times()
        spent = ended.user + ended.system - began.user - began.system
        figures |= {
            f"{name}_answers": len(times),
            f"{name}_failed": failed,
            f"{name}_p50_ms": float(np.quantile(times, 0.5)),
            f"{name}_p99_ms": float(np.quantile(times, 0.99)),
            f"{name}_worst_ms": max(times),
            f"{name}_server_cpu_share": spent / options.seconds,
        }
    return figures


def ask(
    address: tuple[str, int], name: str, profiles: int, *, rate: int, seconds: int
) -> tuple[list[float], int]:
    """Ask in another process; return the times of the answers, and how many were no success."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_ask, (address, name, profiles, rate, seconds))


def _ask(
    address: tuple[str, int], name: str, profiles: int, rate: int, seconds: int
) -> tuple[list[float], int]:
    return asyncio.run(_open_loop(address, name, profiles, rate, seconds))


async def _open_loop(
    address: tuple[str, int], name: str, profiles: int, rate: int, seconds: int
) -> tuple[list[float], int]:
    random = np.random.default_rng(os.getpid())
    chosen = random.integers(0, profiles, rate * seconds).tolist()
    requests = [request(address, name, place) for place in chosen]
    idle: asyncio.Queue[Any] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection(*address))
    times: list[float] = []
    failed = 0

    async def one(place: int, due: float) -> None:
        nonlocal failed
        reader, writer = await idle.get()
        writer.write(requests[place])
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        times.append((time.perf_counter() - due) * 1_000)
        failed += not head.startswith(b"HTTP/1.1 200")
        idle.put_nowait((reader, writer))

    began = time.perf_counter() + 0.1
    tasks = []
    for place in range(len(requests)):
        due = began + place / rate
        if (ahead := due - time.perf_counter()) > 0:
            await asyncio.sleep(ahead)
        tasks.append(asyncio.create_task(one(place, due)))
    await asyncio.wait_for(asyncio.gather(*tasks), timeout=60)
    return times, failed


def request(address: tuple[str, int], name: str, place: int) -> bytes:
    """One request as it goes over the wire."""
    kind, value = ("user_id", f"u{place}") if place % 2 else ("anonymous_id", f"a{place}")
    body = json.dumps(
        {"use_case": name, "profile": {"kind": kind, "value": value}, "traits": {"t1": place % 900}}
    ).encode()
    path = FLOOR if name == "floor" else "/api/decide"
    return (
        f"POST {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    ).encode() + body


if __name__ == "__main__":
    main()
