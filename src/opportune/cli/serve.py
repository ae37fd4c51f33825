"""``serve`` and ``worker``: the parts of a running program, as children of one parent."""

from __future__ import annotations

import errno
import gc
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
import uvicorn
from starlette.applications import Starlette

from opportune import api, settings, sign_in, web
from opportune import worker as work
from opportune.errors import Conflict, InvalidInput, Unavailable
from opportune.events import limits
from opportune.keys import keys_file
from opportune.settings import PREFIX, Settings
from opportune.storage import DatabaseUnavailable, SegmentLog, Stores, attach, open_stores

__all__ = [
    "Children",
    "Part",
    "PortTaken",
    "UnusableAddress",
    "environment",
    "free_port",
    "http_application",
    "serve",
    "until_signal",
    "worker",
]

LOGGER = logging.getLogger("opportune")
RESTART_S = 0.5
GRACE_S = 3
END_S = 10.0
HIGHEST_PORT = 65_535


class PortTaken(Conflict):
    """Another program listens on the port."""

    code = "port_taken"


class UnusableAddress(InvalidInput):
    """The program cannot listen at the given host and port, whoever else does."""

    code = "unusable_address"


class Part(StrEnum):
    """What a process of the program does."""

    http = "http"
    collector = "collector"


def serve(
    *,
    only: Annotated[
        Part | None,
        typer.Option(
            help="One part in this process: everything over HTTP, or the collector alone."
        ),
    ] = None,
) -> None:
    """Take events, decide, send and show: collector, worker, API and pages until interrupted."""
    given = settings.load()
    configured = replace(given, port=free_port(given.host, given.port))
    if only is not Part.collector:
        _check_sign_in(configured)
    if only is not None:
        _serve_http(configured, only)
        return
    stop = until_signal()
    # Only named, not contacted: events are accepted even while the database is away.
    stores = attach(configured)
    with Children(environment(configured, stores.database_url)) as children:
        children.start("http", ["serve", "--only", "http"])
        children.start("worker", ["worker"])
        children.watch(stop, until=lambda: _answers(configured))
        if not stop.is_set():
            address = f"http://{configured.host}:{configured.port}"
            typer.echo(f"Opportune is at {address} (Ctrl-C stops it).")
        children.watch(stop)


def _check_sign_in(configured: Settings) -> None:
    """Refuse to show people to others while nobody can sign in. Raises ``NoSignIn``."""
    if not sign_in.is_needed(configured):
        return
    now = datetime.now(UTC)
    try:
        stores = open_stores(configured, now=now)
    except DatabaseUnavailable as error:
        # Events are taken in all the same, and until it answers nobody gets in.
        LOGGER.warning("%s: %s", error.code, error.message)
        return
    with closing(stores):
        sign_in.check_ready(stores.state, configured, now=now)


def worker(
    *,
    simulated: Annotated[
        bool, typer.Option("--simulated-clock", help="Read the time from State, as the demo does.")
    ] = False,
    tick_s: Annotated[float, typer.Option(min=0.001, help="Pause between rounds.")] = 0.2,
) -> None:
    """Work on what is due until interrupted: the log, the day, the outbox."""
    stop = until_signal()
    stores = _wait_for_stores(stop)
    if stores is None:
        return
    clock = work.simulated_clock(stores) if simulated else lambda: datetime.now(UTC)
    work.run(stores, clock=clock, stop=stop, tick_s=tick_s)
    stores.close()


def _wait_for_stores(stop: threading.Event) -> Stores | None:
    while not stop.is_set():
        try:
            return open_stores(settings.load(), now=datetime.now(UTC))
        except Unavailable as error:
            LOGGER.warning("%s: %s", error.code, error.message)
            stop.wait(RESTART_S)
    return None


def http_application(configured: Settings, log: SegmentLog, stack: ExitStack) -> Starlette:
    """Compose collector, API and pages into one application.

    The collector works without a database; the rest answers 503 until there is one.
    """
    stores = attach(configured)
    stack.callback(stores.close)
    counts = api.Counts()
    return Starlette(
        routes=[
            *api.collector_routes(
                log,
                api.WriteKeys(keys_file(configured)),
                limits=limits(configured),
                clock=_now_us,
                compatible=configured.segment_compatible,
                counts=counts,
            ),
            *api.routes(stores, counts=counts, report_page=web.report_page),
            *web.routes(stores),
        ],
        exception_handlers=api.HANDLERS,
    )


def environment(configured: Settings, database_url: str) -> dict[str, str]:
    """The variables that make a child use the same folder and database as this process."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
        **settings.as_variables(configured),
        f"{PREFIX}DATABASE_URL": database_url,
    }


class Children:
    """Processes that are started again when they die, and end with their parent, even a killed one.

    Each holds the other end of a pipe from this process as its standard input.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self._arguments: dict[str, Sequence[str]] = {}
        self._extra: dict[str, dict[str, str]] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.running.values():
            child.send_signal(signal.SIGTERM)
        for child in self.running.values():
            try:
                child.wait(timeout=END_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
            _let_go(child)

    def start(
        self, name: str, arguments: Sequence[str], extra: Mapping[str, str] | None = None
    ) -> None:
        """Start ``opportune ARGUMENTS`` as the child ``name``; ``extra`` are more variables."""
        self._arguments[name], self._extra[name] = arguments, dict(extra or {})
        self.running[name] = subprocess.Popen(
            [sys.executable, "-m", "opportune", "--until-stdin-ends", *arguments],
            env={**self._environ, **self._extra[name]},
            stdin=subprocess.PIPE,
        )

    def restart_dead(self) -> None:
        """Start every child again that is not running any more."""
        for name, child in list(self.running.items()):
            if child.poll() is not None:
                LOGGER.warning(
                    "%s ended with status %s and is started again", name, child.returncode
                )
                _let_go(child)
                self.start(name, self._arguments[name], self._extra[name])

    def watch(self, stop: threading.Event, *, until: Callable[[], bool] = lambda: False) -> None:
        """Keep all children running until ``stop`` is set or ``until`` holds."""
        while not (until() or stop.wait(RESTART_S)):
            self.restart_dead()


def _serve_http(configured: Settings, part: Part) -> None:
    with ExitStack() as stack:
        log = SegmentLog(configured.log_folder)
        stack.callback(log.close)
        if part is Part.collector:
            keys = api.WriteKeys(keys_file(configured))
            application = api.create_collector(
                log,
                keys,
                limits=limits(configured),
                clock=_now_us,
                compatible=configured.segment_compatible,
            )
        else:
            application = http_application(configured, log, stack)
        # What is there for good is not looked through for garbage while somebody waits.
        gc.collect()
        gc.freeze()
        uvicorn.run(
            application,
            host=configured.host,
            port=configured.port,
            log_level="warning",
            access_log=False,
            # Whoever follows the newest events would hold it up.
            timeout_graceful_shutdown=GRACE_S,
        )


def _answers(configured: Settings) -> bool:
    try:
        socket.create_connection((configured.host, configured.port), timeout=RESTART_S).close()
    except OSError:
        return False
    return True


def _now_us() -> int:
    return time.time_ns() // 1000


def until_signal() -> threading.Event:
    """Return an event that is set when this process is asked to end."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def _let_go(child: subprocess.Popen[bytes]) -> None:
    if child.stdin is not None:
        child.stdin.close()


def free_port(host: str, port: int) -> int:
    """Return ``port`` if nobody listens there, any free one for 0.

    Raises ``PortTaken`` or ``UnusableAddress``.
    """
    try:
        if not 0 <= port <= HIGHEST_PORT:
            # Asked to, the system would take the rest of a division for it.
            raise OSError(f"a port is a number from 0 to {HIGHEST_PORT}")
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            chosen: int = probe.getsockname()[1]
            return chosen
    except OSError as cause:
        if cause.errno == errno.EADDRINUSE:
            raise PortTaken(
                f"Port {port} is taken. Stop what listens there, or give another: OPPORTUNE_PORT "
                "for `serve`, --port and --sandbox-port for `demo`, --port for `sandbox`."
            ) from cause
        raise UnusableAddress(
            f"Nothing can listen at {host}, port {port}: {cause.strerror or cause}. Give an "
            f"address of this machine and a port up to {HIGHEST_PORT}, 0 for any free one."
        ) from cause
