"""How the program is: what waits, how late, how large, and in which versions."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import opportune
from opportune import events
from opportune.errors import OpportuneError
from opportune.events import Minute
from opportune.storage import Stores, end_offsets, load_sql

__all__ = ["Health", "OpenJobs", "OutboxState", "StoreSize", "behind", "health"]

ROOM = "opportune.reports"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSize:
    """How much one of the stores keeps, and how many files that is; a database has none."""

    name: str
    size_bytes: int
    files: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxState:
    """How many recommendations are in one state."""

    state: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenJobs:
    """The jobs of one kind that are not done; ``late_s`` is how long the oldest is overdue."""

    kind: str
    count: int
    failing: int
    late_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The state of a running program at ``as_of``.

    ``behind_bytes`` is, by reader, how much of the log it has not taken in; ``minutes`` what was
    received in each of the last sixty. ``outbox_late_s`` is how long the oldest recommendation is
    overdue, 0 where none is.
    """

    as_of: datetime
    behind_bytes: Mapping[str, int]
    newest_received_at: datetime | None
    minutes: tuple[Minute, ...]
    stores: tuple[StoreSize, ...]
    outbox: tuple[OutboxState, ...]
    outbox_late_s: float
    jobs: tuple[OpenJobs, ...]
    versions: Mapping[str, str]


def health(stores: Stores, *, now: datetime) -> Health:
    """Return how the program is at ``now``. Raises ``DatabaseUnavailable``."""
    state = stores.state
    database = state.rows(load_sql(ROOM, "database"))[0]
    outbox = state.rows(load_sql(ROOM, "outbox_states"))
    waiting = (row["oldest_due_at"] for row in outbox if row["oldest_due_at"] is not None)
    folders = (("log", stores.settings.log_folder), ("lake", stores.settings.lake_folder))
    return Health(
        as_of=now,
        behind_bytes=behind(stores),
        newest_received_at=state.rows(load_sql(ROOM, "newest_receipt"))[0]["received_at"],
        minutes=tuple(events.minutes(state, now=now)),
        stores=(
            *(_size(name, folder) for name, folder in folders),
            StoreSize(name="database", size_bytes=database["bytes"], files=None),
        ),
        outbox=tuple(OutboxState(state=row["state"], count=row["count"]) for row in outbox),
        outbox_late_s=max((_late_s(due_at, now) for due_at in waiting), default=0.0),
        jobs=tuple(
            OpenJobs(
                kind=row["kind"],
                count=row["count"],
                failing=row["failing"],
                late_s=_late_s(row["oldest_due_at"], now),
            )
            for row in state.rows(load_sql(ROOM, "open_jobs"))
        ),
        versions={
            "Opportune": opportune.__version__,
            "Python": platform.python_version(),
            "PostgreSQL": database["version"],
            "Migration": str(database["migration"]),
            # An address may have a password in it.
            "Engine": stores.settings.engine.partition(":")[0],
        },
    )


def behind(stores: Stores) -> dict[str, int]:
    """Return how many bytes of the log each reader, "lake" and "state", has not taken in yet."""
    folder = stores.settings.log_folder
    ends = end_offsets(folder)
    try:
        stored = events.stored_offsets(stores.lake, folder)
    except OpportuneError:
        # Before the first start of the worker there is no table of events.
        stored = {}
    rows = stores.state.rows(load_sql(ROOM, "applied_positions"))
    applied = {row["segment_file"]: row["byte_offset"] for row in rows}
    return {
        reader: sum(max(end - at.get(name, 0), 0) for name, end in ends.items())
        for reader, at in (("lake", stored), ("state", applied))
    }


def _size(name: str, folder: Path) -> StoreSize:
    sizes: list[int] = []
    for path in folder.rglob("*"):
        # What is merged or purged meanwhile is gone.
        with suppress(OSError):
            if path.is_file():
                sizes.append(path.stat().st_size)
    return StoreSize(name=name, size_bytes=sum(sizes), files=len(sizes))


def _late_s(due_at: datetime, now: datetime) -> float:
    return max((now - due_at) / timedelta(seconds=1), 0.0)
