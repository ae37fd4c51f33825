"""Numbered migrations: applied in order, each once, under a lock, at start."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

from opportune.errors import Unsupported
from opportune.storage.state import State, fetch

__all__ = ["NewerDatabase", "migrate", "migrations"]

# Any constant that nobody else locks: "opportune" as a number.
LOCK = 0x6F70706F7274


class NewerDatabase(Unsupported):
    """The database was migrated by a newer version of this program."""

    code = "newer_database"


def migrations() -> dict[int, str]:
    """Return the text of every migration by its number."""
    folder = resources.files("opportune.storage").joinpath("migrations")
    return {
        int(file.name.split("_")[0]): file.read_text(encoding="utf-8")
        for file in sorted(folder.iterdir(), key=lambda file: file.name)
        if file.name.endswith(".sql")
    }


def migrate(state: State, *, before: Callable[[], object] | None = None) -> list[int]:
    """Bring the database to this program's version and return the numbers that were applied.

    ``before`` is called when there is something to migrate in a database that is already in use:
    the embedded server makes a backup there. Raises ``NewerDatabase`` instead of guessing.
    """
    known = migrations()
    with state.transaction() as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
        connection.execute(
            "create table if not exists migration"
            " (number int primary key, applied_at timestamptz not null default now())"
        )
        applied = {row["number"] for row in fetch(connection, "select number from migration")}
        if newer := sorted(applied - known.keys()):
            raise NewerDatabase(
                f"The database has migration {newer[-1]}, this program knows {max(known)} at most. "
                "Use the newer version of the program, or restore a backup."
            )
        pending = sorted(known.keys() - applied)
        if pending and applied and before is not None:
            before()
        for number in pending:
            fetch(connection, known[number])
            fetch(connection, "insert into migration (number) values (%(n)s)", {"n": number})
    return pending
