"""What many rooms' tests stand on: stores on a fresh database, a sandbox over HTTP, patience.

Every test gets a database that is as new, on the embedded PostgreSQL and, in another job, on an
installed one.
"""

from __future__ import annotations

import http.client
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg
import pytest
import uvicorn

from lent import Lent
from opportune import events, pipeline
from opportune.sandbox import SandboxConfig, create_app
from opportune.settings import Settings
from opportune.storage import Frame, State, Stores, embedded, migrate, open_stores

FAILED = pytest.StashKey[bool]()
TEMPLATE = "opportune_template"
NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("embedded", marks=pytest.mark.embedded),
        pytest.param("installed", marks=pytest.mark.installed),
    ],
)
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The maintenance database of a running server, with a migrated template beside it."""
    # Not below pytest's own folder, which it closes to every other user again and again.
    with tempfile.TemporaryDirectory(prefix="opportune-test-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "pg"
        if request.param == "embedded":
            server = embedded.start(folder)
            _make_template(server.url)
            yield server.url
            server.stop()
            return
        binaries = shutil.which("initdb")
        installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if binaries is None and not installed:
            pytest.skip("no PostgreSQL server is installed; install the package 'postgresql'")
        yield from _installed(Path(binaries or installed[-1]).resolve().parent, folder)


def _installed(binaries: Path, folder: Path) -> Iterator[str]:
    owner = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    folder.mkdir(mode=0o700)
    os.chown(folder, owner.pw_uid, owner.pw_gid)

    def run(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, user=owner.pw_uid, cwd="/")

    run(f"{binaries}/initdb", "-D", str(folder), "-U", "postgres", "--auth=trust", "-N")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    run(
        f"{binaries}/pg_ctl", "-D", str(folder), "-w", "-l", f"{folder}/log", "-o", options, "start"
    )
    try:
        url = f"postgresql://postgres@/postgres?host={quote(str(folder))}"
        _make_template(url)
        yield url
    finally:
        run(f"{binaries}/pg_ctl", "-D", str(folder), "-m", "immediate", "stop")


def _make_template(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create database {TEMPLATE}")
    state = State(named(url, TEMPLATE))
    migrate(state)
    state.close()


def named(url: str, database: str) -> str:
    """The address of another database on the same server."""
    head, _, query = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{database}?{query}"


@pytest.fixture(scope="session")
def fresh_database(server_url: str) -> Callable[..., AbstractContextManager[str]]:
    """Make a database, migrated or a copy of the one named, that is dropped after the block."""

    @contextmanager
    def made(*, template: str = TEMPLATE) -> Iterator[str]:
        name = f"test_{uuid.uuid4().hex}"
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}")
        try:
            yield named(server_url, name)
        finally:
            with psycopg.connect(server_url, autocommit=True) as connection:
                connection.execute(f"drop database {name} with (force)")

    return made


@pytest.fixture(scope="session")
def lent(server_url: str) -> Lent:
    """Migrated databases that are lent to one test after another."""
    return Lent(server_url, TEMPLATE, partial(named, server_url))


@pytest.fixture
def database_url(lent: Lent, request: pytest.FixtureRequest) -> Iterator[str]:
    """A migrated database that is as new."""
    with lent.one(has_failed=lambda: request.node.stash.get(FAILED, False)) as url:
        yield url


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note of each test whether any part of it failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Settings of a fresh data folder and database."""
    return Settings(data_folder=tmp_path / "data", database_url=database_url)


@pytest.fixture
def stores(settings: Settings) -> Iterator[Stores]:
    """Empty stores."""
    opened = open_stores(settings, now=NOW)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def until() -> Callable[..., None]:
    """Wait until something holds, looking at it again and again."""

    def wait(
        done: Callable[[], bool], *, within_s: float = 40.0, looking_every_s: float = 0.01
    ) -> None:
        ends = time.monotonic() + within_s
        while not done():
            assert time.monotonic() < ends, "it did not happen in time"
            time.sleep(looking_every_s)

    return wait


@pytest.fixture(scope="session")
def parts_of() -> Callable[..., list[psutil.Process]]:
    """Find the children of a process that are programs of ours, run, and were begun with a word."""

    def find(parent: int, word: str = "opportune") -> list[psutil.Process]:
        found = []
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(parent).children():
                # Between two looks it may be gone.
                with suppress(psutil.NoSuchProcess):
                    words = child.cmdline()
                    ours = "opportune" in words and word in words
                    if ours and child.status() != psutil.STATUS_ZOMBIE:
                        found.append(child)
        return found

    return find


@dataclass(frozen=True)
class Sandbox:
    """A served sandbox, and its control side."""

    port: int
    journal: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, f"/_sandbox/{path}", json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def tell_time(self, now: datetime) -> None:
        self.ask("POST", "clock", {"now": now.isoformat()})

    def faults(self, *names: str) -> None:
        self.ask("POST", "faults", {"faults": list(names)})

    def sends(self) -> tuple[int, int, int]:
        """Messages, customers, and the most that one got in a day."""
        counted = self.ask("GET", "sends")
        return counted["sends"], counted["customers"], counted["most_per_customer_and_day"]

    def messages(self) -> Counter[tuple[str, str, str]]:
        """How often each (day, user, message) was accepted, from the journal."""
        calls = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return Counter(
            (call["at"][:10], each["external_user_id"], json.dumps(each["trigger_properties"]))
            for call in calls
            for each in call["messages"]
        )


@pytest.fixture(scope="session")
def api_key() -> str:
    """The key that a sandbox takes."""
    return "test-key"


@pytest.fixture(scope="session")
def serve_sandbox(
    api_key: str, until: Callable[..., None]
) -> Callable[[Path], AbstractContextManager[Sandbox]]:
    """Serve a sandbox of 300 customers with its journal at the path, until the block ends."""

    @contextmanager
    def served(journal: Path) -> Iterator[Sandbox]:
        config = SandboxConfig(
            api_key=api_key,
            customers=300,
            seed=1,
            start=date(2026, 3, 1),
            silence_s=5,
            journal=journal,
        )
        server = uvicorn.Server(
            uvicorn.Config(create_app(config), log_level="critical", timeout_graceful_shutdown=1)
        )
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            thread = threading.Thread(target=server.run, args=([listener],))
            thread.start()
            try:
                until(lambda: server.started)
                yield Sandbox(listener.getsockname()[1], journal)
            finally:
                server.should_exit = True
                thread.join(timeout=10)
            assert not thread.is_alive()

    return served


@pytest.fixture
def sandbox(
    serve_sandbox: Callable[[Path], AbstractContextManager[Sandbox]], tmp_path: Path
) -> Iterator[Sandbox]:
    """A sandbox whose clock stands at its first midnight."""
    with serve_sandbox(tmp_path / "journal.jsonl") as started:
        yield started


@pytest.fixture
def take_in(stores: Stores) -> Callable[..., None]:
    """Let messages in as a client's requests, and take the log into lake and State."""

    def taken(*messages: dict[str, Any], received_at: datetime = NOW, source: str = "shop") -> None:
        received_at_us = int(received_at.timestamp() * 1_000_000)
        body = json.dumps({"batch": messages}).encode()
        with ExitStack() as stack:
            frame = Frame(received_at_us=received_at_us, source_id=source, kind="batch", body=body)
            stores.open_log(stack).append(frame).result()
        with closing(pipeline.Ingest(stores, {"batch": events.decode_segment})) as ingest:
            ingest.catch_up()

    return taken
