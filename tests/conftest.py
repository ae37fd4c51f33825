"""Stores on a fresh database for every test, on the embedded PostgreSQL and on an installed one."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from opportune.settings import Settings
from opportune.storage import State, Stores, embedded, migrate, open_stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.fixture(scope="session", params=["embedded", "installed"])
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
        connection.execute("create database opportune_template")
    state = State(named(url, "opportune_template"))
    migrate(state)
    state.close()


def named(url: str, database: str) -> str:
    """The address of another database on the same server."""
    head, _, query = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{database}?{query}"


@pytest.fixture
def database_url(server_url: str) -> Iterator[str]:
    """A fresh, migrated database that is dropped afterwards."""
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create database {name} template opportune_template")
    yield named(server_url, name)
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


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
