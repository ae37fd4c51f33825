"""Migrations: each once, in order, whoever starts at the same time; never onto a newer database."""

from __future__ import annotations

import importlib
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from opportune.storage import NewerDatabase, QueryFailed, State, fetch, migrate, migrations

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "schema.txt"
LISTING = Path(__file__).with_name("schema.sql")
NUMBERS = sorted(migrations())
# By name, because the room shows its function of the same name.
MODULE = importlib.import_module("opportune.storage.migrate")


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture
def empty(server_url: str) -> Iterator[State]:
    """State on a database without any table."""
    name = f"test_{uuid.uuid4().hex}"
    run(server_url, f"create database {name}")
    head, _, query = server_url.partition("?")
    with closing(State(f"{head.rsplit('/', 1)[0]}/{name}?{query}")) as opened:
        yield opened
    run(server_url, f"drop database {name} with (force)")


def applied(state: State) -> list[int]:
    rows = state.rows("select number from migration order by number")
    return [row["number"] for row in rows]


def test_an_empty_database_gets_every_migration_once(empty: State) -> None:
    calls: list[str] = []
    assert migrate(empty, before=lambda: calls.append("backup")) == NUMBERS
    assert migrate(empty, before=lambda: calls.append("backup")) == []
    assert applied(empty) == NUMBERS
    # Nothing was in use that could be lost, and then there was nothing to do.
    assert calls == []


def test_the_numbers_have_no_gap() -> None:
    assert list(range(1, len(NUMBERS) + 1)) == NUMBERS


def test_four_at_once_migrate_once(empty: State) -> None:
    together = threading.Barrier(4)
    done: list[list[int]] = []
    calls: list[str] = []

    def start() -> None:
        together.wait()
        done.append(migrate(empty, before=lambda: calls.append("backup")))

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [[], [], [], NUMBERS]
    assert calls == []


def test_a_used_database_is_backed_up_before_it_changes(
    empty: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    number = NUMBERS[-1] + 1
    more = {**migrations(), number: "create table later (percent text default '100 %');"}
    monkeypatch.setattr(MODULE, "migrations", lambda: more)
    seen: list[object] = []

    def before() -> None:
        # The backup is another connection: it must not wait for this one.
        with closing(State(str(empty._pool.conninfo))) as other:
            seen.append(other.rows("select to_regclass('later') as name")[0]["name"])

    assert migrate(empty, before=before) == [number]
    assert seen == [None]
    assert empty.rows("select percent from later") == []
    assert migrate(empty, before=before) == []
    assert len(seen) == 1


def test_a_backup_that_fails_leaves_the_database_alone(
    empty: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(empty)
    more = {**migrations(), NUMBERS[-1] + 1: "create table later (a int);"}
    monkeypatch.setattr(MODULE, "migrations", lambda: more)

    def before() -> None:
        raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        migrate(empty, before=before)
    assert applied(empty) == NUMBERS


def test_a_migration_is_whole_or_absent(empty: State, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(empty)
    number = NUMBERS[-1] + 1
    more = {**migrations(), number: "create table later (a int); create table later (a int);"}
    monkeypatch.setattr(MODULE, "migrations", lambda: more)
    with pytest.raises(QueryFailed, match="DuplicateTable"):
        migrate(empty)
    assert applied(empty) == NUMBERS
    assert empty.rows("select to_regclass('later') as name") == [{"name": None}]


def test_a_newer_database_is_refused_and_stays(empty: State) -> None:
    migrate(empty)
    empty.rows("insert into migration (number) values (9999)")
    with pytest.raises(NewerDatabase) as refused:
        migrate(empty)
    assert refused.value.message == (
        f"The database has migration 9999, this program knows {NUMBERS[-1]} at most. Use the "
        "newer version of the program, or restore a backup."
    )
    assert applied(empty) == [*NUMBERS, 9999]


def test_migrations_from_empty_make_the_schema_that_was_reviewed(empty: State) -> None:
    """GOLDEN=rewrite writes the listing anew; review reads the difference."""
    migrate(empty)
    with empty.transaction() as connection:
        rows = fetch(connection, LISTING.read_text())
    listing = "".join(f"{row['line']}\n" for row in rows)
    if os.environ.get("GOLDEN") == "rewrite":
        GOLDEN.write_text(listing)
    assert listing == GOLDEN.read_text()
