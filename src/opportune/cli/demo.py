"""``opportune demo``: the whole loop on a made-up market whose truth is known, then its result."""

from __future__ import annotations

import http.client
import secrets
import shutil
import signal
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from opportune import pipeline, project, reports, settings
from opportune.cli.serve import Children, environment, free_port, until_signal
from opportune.cli.show import print_insights, print_performance
from opportune.decisions import UseCase
from opportune.errors import Conflict, Unavailable
from opportune.keys import create_key
from opportune.learning import action_indices
from opportune.settings import Settings
from opportune.simulate import MARKETS, Market
from opportune.storage import Stores, attach, load_sql, open_stores

__all__ = ["demo"]


# Every send would be an event otherwise; and who unsubscribed is still reached, as figures tell.
SANDBOX_OPTIONS = ("--no-report-sends", "--no-unsubscribes-stick")
HOST = "127.0.0.1"
MARKET = "internet-provider"
USE_CASE = "next-best-offer"
TRUTH_FILE = "demo.json"
BATCH = 100
POLL_S = 0.02
PATIENCE_S = 120.0


class FolderInUse(Conflict):
    """The demo's folder holds something that is not a demo."""

    code = "folder_in_use"


class DemoStuck(Unavailable):
    """A part of the demo did not get done in time."""

    code = "demo_stuck"


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """A demo that is being played."""

    stores: Stores
    market: Market
    children: Children
    events: http.client.HTTPConnection
    sandbox: http.client.HTTPConnection
    first_day: date
    days: int


def demo(  # noqa: PLR0913 - one option each
    *,
    data: Annotated[
        Path, typer.Option(help="Folder of the demo; an older demo in it is replaced.")
    ] = (Path("opportune-data/demo")),
    seed: Annotated[int, typer.Option(help="Same seed, same market.")] = 1,
    customers: Annotated[int, typer.Option(min=10, help="How many customers it has.")] = 20_000,
    days: Annotated[int, typer.Option(min=1, max=90, help="How many days are played.")] = 30,
    port: Annotated[int, typer.Option(help="Port of the dashboard; 0: any free one.")] = 8420,
    sandbox_port: Annotated[
        int, typer.Option(help="Port of the Braze sandbox; 0: any free one.")
    ] = 8421,
    serve: Annotated[bool, typer.Option(help="Go on serving the dashboard.")] = True,
) -> None:
    """Play thirty days of deciding, sending and learning, and show what it earned."""
    console = Console()
    # All that may be refused comes first: a demo that is refused has not emptied the older one.
    if port == sandbox_port != 0:
        raise typer.BadParameter(f"--port and --sandbox-port are both {port}; give two ports.")
    dashboard, sandbox = free_port(HOST, port), free_port(HOST, sandbox_port)
    configured = _prepare(data, dashboard, settings.load())
    # Told to end, it ends as by Ctrl-C: just killed, it would leave its children behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with ExitStack() as stack:
        play = _start(stack, configured, sandbox, (seed, customers, days))
        captured = list(_play(play, console))
        _keep_truth(data, seed, captured)
        _show(play, console, captured, address=f"http://{HOST}:{configured.port}")
        if serve:
            console.print("Serving; Ctrl-C ends it.")
            play.children.watch(until_signal())


def _prepare(data: Path, port: int, base: Settings) -> Settings:
    """Empty the folder if it holds an older demo, and refuse if it holds anything else."""
    if data.exists() and not data.is_dir():
        raise FolderInUse(f"{data} is a file. Give a folder with --data.")
    if data.exists() and any(data.iterdir()):
        if not (data / TRUTH_FILE).exists():
            raise FolderInUse(
                f"{data} is not empty and holds no demo. Give another folder with --data, or "
                "empty it."
            )
        _end_leftover(replace(base, data_folder=data.resolve(), database_url=""))
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    (data / TRUTH_FILE).write_text("{}")
    return replace(
        base,
        data_folder=data.resolve(),
        port=port,
        host=HOST,
        hosts="",
        sign_in=False,
        braze_api_key=secrets.token_hex(16),
        braze_timeout_s=5.0,
        braze_settle_s=6.0,
        # Made-up customers do not belong into anybody's database.
        database_url="",
    )


def _end_leftover(older: Settings) -> None:
    """Stop the database of an older demo that was killed: it would go on in the deleted folder."""
    if older.database_folder.exists():
        attach(older).close()


def _start(
    stack: ExitStack, configured: Settings, sandbox_port: int, size: tuple[int, int, int]
) -> Play:
    seed, customers, days = size
    first_day = datetime.now(UTC).date() - timedelta(days=days)
    stores = open_stores(configured, now=datetime.now(UTC))
    stack.callback(stores.close)
    _apply(stores, configured, sandbox_port)
    keys = {name: create_key(configured, name) for name in ("shop", "braze")}
    children = stack.enter_context(Children(environment(configured, stores.database_url)))
    address = f"http://{HOST}:{configured.port}"
    # Keys go to the child as variables: the command line of a process is anybody's to read.
    children.start(
        "sandbox",
        [
            *("sandbox", "braze", "--port", str(sandbox_port), "--market", MARKET),
            *("--customers", str(customers), "--seed", str(seed)),
            *("--start", first_day.isoformat(), "--events-url", address),
            *("--journal", str(configured.data_folder / "sandbox.jsonl"), *SANDBOX_OPTIONS),
        ],
        {
            "SANDBOX_API_KEY": configured.braze_api_key,
            "SANDBOX_WRITE_KEY": keys["shop"],
            "SANDBOX_CURRENTS_KEY": keys["braze"],
        },
    )
    children.start("http", ["serve", "--only", "http"])
    _tell_time(stores, datetime.combine(first_day, datetime.min.time(), UTC))
    children.start("worker", ["worker", "--simulated-clock", "--tick-s", "0.015"])
    play = Play(
        stores=stores,
        market=MARKETS[MARKET](customers=customers, seed=seed),
        children=children,
        events=_connected(stack, children, configured.port),
        sandbox=_connected(stack, children, sandbox_port),
        first_day=first_day,
        days=days,
    )
    _register(play, keys["shop"])
    return play


def _apply(stores: Stores, configured: Settings, sandbox_port: int) -> None:
    folder = configured.data_folder / "project"
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as shipped:
        shutil.copytree(shipped, folder)
    file = folder / "use_cases" / f"{USE_CASE}.toml"
    file.write_text(file.read_text().replace("127.0.0.1:8421", f"127.0.0.1:{sandbox_port}"))
    project.apply(stores.state, folder, now=datetime.now(UTC))


def _play(play: Play, console: Console) -> Iterator[tuple[date, float]]:
    """Live through the days; yields each with the share of the achievable uplift it captured."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    use_case = project.read(play.stores.state).use_case(USE_CASE)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(f"{play.days} days of deciding and learning", total=play.days)
        for place in range(play.days):
            day = play.first_day + timedelta(days=place)
            _live(play, use_case, day)
            share = _captured(play, use_case, day)
            progress.update(task, advance=1, description=f"{day}  captured {share:+.0%}")
            if not console.is_terminal:
                console.print(f"{day} done, captured {share:+.0%} of the achievable uplift")
            yield day, share


def _live(play: Play, use_case: UseCase, day: date) -> None:
    """One day: decide, send at each hour, let the customers react, take in what happened."""
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    key = f"{use_case.name}:{day}"
    _set_clocks(play, use_case.decided_from(day))
    _until(play.children, partial(_none_open, play, "job_open", {"key": key}), f"deciding {day}")
    hours = next(each for each in use_case.dimensions if each.meaning == "hour").options
    for hour in hours:
        now = midnight + timedelta(hours=int(hour.name))
        _set_clocks(play, now)
        facts = {"use_case": use_case.name, "now": now}
        settled = partial(_none_open, play, "sends_open", facts)
        _until(play.children, settled, f"sending {now}")
    _set_clocks(play, midnight + timedelta(hours=23, minutes=59))
    _post(play.sandbox, "/_sandbox/react", {"day": day.isoformat()})
    _until(play.children, lambda: pipeline.caught_up(play.stores), f"taking in {day}")


def _captured(play: Play, use_case: UseCase, day: date) -> float:
    rows = play.stores.engine.query(
        load_sql("opportune.cli", "treated"),
        {"use_case": use_case.name, "day": day.isoformat()},
        tables={"decisions": ("day", day, day)},
    )
    places = np.searchsorted(play.market.user_ids, np.array(rows["user_id"].to_pylist()))
    return play.market.captured(places, action_indices(use_case, rows["action"]))


def _keep_truth(data: Path, seed: int, captured: list[tuple[date, float]]) -> None:
    truth = {
        "seed": seed,
        "captured": [{"day": day.isoformat(), "share": share} for day, share in captured],
    }
    (data / TRUTH_FILE).write_bytes(msgspec.json.encode(truth))


def _show(
    play: Play, console: Console, captured: list[tuple[date, float]], *, address: str
) -> None:
    definitions = project.read(play.stores.state)
    use_case = definitions.use_case(USE_CASE)
    end = datetime.combine(play.first_day + timedelta(days=play.days), datetime.min.time(), UTC)
    performance = reports.performance(
        play.stores, use_case, definitions.metric_of(use_case), now=end
    )
    sends = _get(play.sandbox, "/_sandbox/sends")
    chosen = reports.insights(play.stores, use_case, now=end)
    deliveries = reports.delivery_counts(play.stores.state, use_case.name)
    print_performance(console, performance, captured=captured)
    print_insights(console, chosen, deliveries, address=address)
    console.print(
        f"Braze sandbox: {sends['sends']} messages, at most {sends['most_per_customer_and_day']} "
        "per customer and day."
    )


def _register(play: Play, write_key: str) -> None:
    """Tell who the customers are, as the provider's own back end would."""
    table = play.market.traits
    at = datetime.combine(play.first_day, datetime.min.time(), UTC) - timedelta(days=1)
    for start in range(0, table.num_rows, BATCH):
        batch = [
            {
                "type": "identify",
                "messageId": f"customer-{row['user_id']}",
                "userId": row.pop("user_id"),
                "timestamp": at.isoformat(),
                "traits": row,
            }
            for row in table.slice(start, BATCH).to_pylist()
        ]
        _post(play.events, "/v1/batch", {"batch": batch}, key=write_key)
    _until(play.children, lambda: pipeline.caught_up(play.stores), "taking in the customers")


def _set_clocks(play: Play, now: datetime) -> None:
    _post(play.sandbox, "/_sandbox/clock", {"now": now.isoformat()})
    _tell_time(play.stores, now)


def _tell_time(stores: Stores, now: datetime) -> None:
    stores.state.rows(load_sql("opportune", "set_simulated_now"), {"now": now})


def _none_open(play: Play, name: str, facts: Mapping[str, object]) -> bool:
    is_open: bool = play.stores.state.rows(load_sql("opportune.cli", name), facts)[0]["is_open"]
    return not is_open


def _until(children: Children, done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        children.restart_dead()
        if time.monotonic() > deadline:
            raise DemoStuck(f"Still {what} after {PATIENCE_S:.0f} s. Run the demo again.")
        time.sleep(POLL_S)


def _connected(stack: ExitStack, children: Children, port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE_S)
    stack.callback(connection.close)
    _until(children, partial(_connects, connection), f"waiting for an answer on port {port}")
    return connection


def _connects(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.connect()
    except OSError:
        return False
    return True


def _post(
    connection: http.client.HTTPConnection, path: str, body: object, *, key: str = ""
) -> object:
    headers = {"Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"Basic {b64encode(f'{key}:'.encode()).decode()}"
    return _call(connection, "POST", path, msgspec.json.encode(body), headers)


def _get(connection: http.client.HTTPConnection, path: str) -> dict[str, int]:
    answer = _call(connection, "GET", path, None, {})
    assert isinstance(answer, dict)
    return answer


def _call(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str],
) -> object:
    for patience in (True, False):
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
            break
        except (OSError, http.client.HTTPException) as cause:
            # A server drops a connection that was idle for some seconds; every call is repeatable.
            connection.close()
            if not patience:
                raise DemoStuck(f"{path} is not answered: {cause}. Run the demo again.") from cause
    if response.status >= 300:
        raise DemoStuck(f"{path} answered {response.status}: {text.decode(errors='replace')[:300]}")
    return msgspec.json.decode(text)
