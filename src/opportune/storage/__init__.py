"""Log, lake, engine and state: the four places where anything is kept.

Invariants: what the log acknowledged is on disk; a commit of the lake is whole or absent and
carries its own proof; State changes in transactions only; no error of this room quotes a stored
value. This is the one room that imports databases and table formats, and the only one where values
may have the type ``Any``.

Deliberately absent: anything that knows what a profile, a decision or a use case is.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from opportune.settings import Settings
from opportune.storage import embedded
from opportune.storage.duckdb import DuckDB
from opportune.storage.embedded import EmbeddedDatabase, NoDatabase
from opportune.storage.engine import (
    Engine,
    EngineUnavailable,
    InvalidEngine,
    QueryFailed,
    load_sql,
    open_engine,
)
from opportune.storage.lake import ConcurrentWrite, Lake, LakeUnavailable, SchemaMismatch
from opportune.storage.log import (
    CorruptLog,
    Frame,
    LogUnavailable,
    SegmentLog,
    end_offsets,
    purge,
    read_frames,
)
from opportune.storage.migrate import NewerDatabase, migrate, migrations
from opportune.storage.state import (
    Asked,
    Connection,
    DatabaseUnavailable,
    State,
    fetch,
    read_table,
    stage,
)

__all__ = [
    "Asked",
    "ConcurrentWrite",
    "Connection",
    "CorruptLog",
    "DatabaseUnavailable",
    "DuckDB",
    "EmbeddedDatabase",
    "Engine",
    "EngineUnavailable",
    "Frame",
    "InvalidEngine",
    "Lake",
    "LakeUnavailable",
    "LogUnavailable",
    "NewerDatabase",
    "NoDatabase",
    "QueryFailed",
    "SchemaMismatch",
    "SegmentLog",
    "State",
    "Stores",
    "attach",
    "end_offsets",
    "fetch",
    "load_sql",
    "migrate",
    "migrations",
    "open_engine",
    "open_stores",
    "purge",
    "read_frames",
    "read_table",
    "stage",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What a verb needs to read and write; the log is opened by whoever appends to it."""

    settings: Settings
    database_url: str
    lake: Lake
    engine: Engine
    state: State
    embedded: EmbeddedDatabase | None

    def open_log(self, stack: ExitStack) -> SegmentLog:
        """Open the log for appending until ``stack`` ends."""
        log = SegmentLog(self.settings.log_folder)
        stack.callback(log.close)
        return log

    def close(self) -> None:
        """Give back connections; the embedded server stops with its last user."""
        self.engine.close()
        self.state.close()
        if self.embedded is not None:
            self.embedded.stop()


def attach(settings: Settings) -> Stores:
    """Name the lake and State without touching either; start the embedded server when it is used.

    For what must be up while the database is not: everything else goes through `open_stores`.
    """
    lake = Lake(settings.lake_folder)
    server = None if settings.database_url else embedded.start(settings.database_folder)
    url = settings.database_url if server is None else server.url
    return Stores(
        settings=settings,
        database_url=url,
        lake=lake,
        engine=open_engine(settings.engine, lake),
        state=State(url),
        embedded=server,
    )


def open_stores(settings: Settings, *, now: datetime) -> Stores:
    """Open the lake and State and bring State up to this program's version.

    ``now`` names the backup that is made before an embedded database is migrated. Raises
    ``DatabaseUnavailable`` when there is no server, ``NewerDatabase`` when it is ahead.
    """
    stores = attach(settings)
    server = stores.embedded
    try:
        migrate(stores.state, before=None if server is None else partial(server.backup, now))
    except BaseException:
        stores.close()
        raise
    return stores
