"""Build profiles and memberships again from all events, beside the live State, and compare them.

One meaning: what is built goes through `profiles.resolve` and its neighbours as new events do,
only in larger batches and in the order of the lake's files, since profiles follow from the set of
events in whatever order. Nothing else follows: no segment is asked, nobody is sent anything, and
outbox, decisions, catalogue and jobs stay as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from opportune import events, privacy, profiles, segments
from opportune.errors import Conflict
from opportune.pipeline.ingest import Ingest
from opportune.storage import Connection, SegmentLog, State, Stores, fetch, load_sql, migrate
from opportune.storage.scan import Scan, parts, scan
from opportune.telemetry import step

__all__ = ["WORKER_LOCK", "Compared", "Rebuilt", "WorkerRuns", "drop_rebuild", "rebuild"]

ROOM = "opportune.pipeline"
SCHEMA = "opportune_rebuild"
WORKER_LOCK = "worker"
ROWS_AT_ONCE = 250_000
MOST_ROUNDS = 20

Told = Callable[[int, int], object]


class WorkerRuns(Conflict):
    """A worker is alive: what is built would be out of date before it is there."""

    code = "worker_runs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Rows of one table: live, as built, in one of the two only, and in both with other values."""

    table: str
    live: int
    built: int
    only_live: int
    only_built: int
    differing: int

    @property
    def is_equal(self) -> bool:
        """Whether both hold the same rows."""
        return not (self.only_live or self.only_built or self.differing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What a rebuild came to: events read, how the live State differed, whether it was replaced."""

    events: int
    tables: tuple[Compared, ...]
    swapped: bool

    @property
    def is_equal(self) -> bool:
        """Whether the live State was what the events come to."""
        return all(table.is_equal for table in self.tables)


def rebuild(
    stores: Stores,
    decoders: Mapping[str, events.Decoder],
    log: SegmentLog,
    *,
    swap: bool,
    now: datetime,
    told: Told = lambda *_: None,
) -> Rebuilt:
    """Build profiles and memberships from the lake and compare; ``swap`` puts them in place.

    Events go on being accepted meanwhile, and are taken in by the next worker. Killed and called
    again, it goes on where it was, unless a worker ran since. A State that knows of no log, a fresh
    one, is filled. Raises ``WorkerRuns``, ``ConcurrentWrite``, or what the stores raise.
    """
    with (
        _alone(stores),
        closing(Ingest(stores, decoders)) as ingest,
        step("rebuild", {"swap": swap}) as running,
    ):
        _settle(stores, ingest, log, now=now)
        found = scan(stores.lake, "events")
        with closing(State(stores.database_url, schema=SCHEMA)) as built:
            fresh = replace(stores, state=built)
            count = _build(fresh, stores.state, found, told=told)
            _end(fresh, now=now)
        stores.state.rows(load_sql(ROOM, "rebuild_nobodies"))
        rows = stores.state.rows(load_sql(ROOM, "rebuild_compare"))
        tables = tuple(Compared(table=row.pop("table_name"), **row) for row in rows)
        if swap:
            _swap(stores)
        running.count("events", count)
        running.count("differing", sum(not table.is_equal for table in tables))
    return Rebuilt(events=count, tables=tables, swapped=swap)


def drop_rebuild(state: State) -> None:
    """Drop what was built and not put in place: it is out of date once a worker runs."""
    state.rows(load_sql(ROOM, "rebuild_drop"))


@contextmanager
def _alone(stores: Stores) -> Iterator[None]:
    with stores.state.lock(WORKER_LOCK) as alone:
        if not alone:
            raise WorkerRuns(
                "A worker is alive. Stop it (or `opportune serve`) and run the same command again; "
                "events go on being accepted by `opportune serve --only collector` meanwhile."
            )
        yield


def _settle(stores: Stores, ingest: Ingest, log: SegmentLog, *, now: datetime) -> None:
    """Bring the lake up to date with the log; and State, unless it knows of none, and the log with
    what State still has to tell."""
    if not stores.state.rows(load_sql(ROOM, "rebuild_known"))[0]["known"]:
        while ingest.store():
            pass
        return
    ingest.reload()
    for _ in range(MOST_ROUNDS):
        ingest.catch_up()
        told = segments.tell(stores.state, log, now=now)
        if not told + profiles.tell(stores.state, log, now=now):
            return


def _build(fresh: Stores, live: State, found: Scan, *, told: Told) -> int:
    """Apply all events in the schema beside; return how many that was."""
    fingerprint = _fingerprint(live, found)
    if not _goes_on(live, fingerprint):
        _begin(fresh.state, live, fingerprint)
    progress = live.rows(load_sql(ROOM, "rebuild_progress"))[0]
    count, analyzed = progress["events"], 0
    for part, reached in parts(found, after=progress["row_groups"], rows_at_once=ROWS_AT_ONCE):
        count += part.num_rows
        with fresh.state.transaction() as connection:
            fetch(connection, load_sql(ROOM, "rebuild_memory"))
            _apply(connection, part)
            facts = {"row_groups": reached, "events": part.num_rows}
            fetch(connection, load_sql(ROOM, "rebuild_go_on"), facts)
            if count >= 2 * analyzed:
                fetch(connection, load_sql(ROOM, "rebuild_analyze"))
                analyzed = count
        told(count, found.rows)
    return int(count)


def _apply(connection: Connection, part: pa.Table) -> None:
    profiles.resolve(connection, part)
    profiles.keep_activity(connection, part)
    profiles.keep_accounts(connection, part)
    profiles.keep_consent(connection, part)
    segments.hear(connection, part)


def _end(fresh: Stores, *, now: datetime) -> None:
    """Apply what people decided, and the memberships: now all is there that they speak of.

    A second time, it changes nothing.
    """
    decided = fresh.engine.query(load_sql(ROOM, "own_events"), tables={"events": None})
    with fresh.state.transaction() as connection:
        profiles.hear(connection, decided)
        segments.end_hearing(connection)
    if fresh.settings.expire_after_days:
        after_days = privacy.parse_expiry(fresh.settings.expire_after_days)
        privacy.expire(fresh.state, after_days, now=now)


def _fingerprint(live: State, found: Scan) -> str:
    """What it is built from: the files of the lake, and the definitions that profiles follow."""
    definitions = live.rows(load_sql(ROOM, "rebuild_fingerprint"))[0]["definitions"]
    return hashlib.sha256(f"{found.digest}:{definitions}".encode()).hexdigest()


def _goes_on(live: State, fingerprint: str) -> bool:
    if not live.rows(load_sql(ROOM, "rebuild_exists"))[0]["found"]:
        return False
    rows = live.rows(load_sql(ROOM, "rebuild_progress"))
    return bool(rows) and rows[0]["fingerprint"] == fingerprint


def _begin(fresh: State, live: State, fingerprint: str) -> None:
    drop_rebuild(live)
    live.rows(load_sql(ROOM, "rebuild_open"))
    migrate(fresh)
    live.rows(load_sql(ROOM, "rebuild_definitions"))
    with fresh.transaction() as connection:
        fetch(connection, load_sql(ROOM, "rebuild_begin"))
        segments.begin_hearing(connection)
        fetch(connection, load_sql(ROOM, "rebuild_start"), {"fingerprint": fingerprint})


def _swap(stores: Stores) -> None:
    """Put what was built in place, and say that State is where the lake is, in one transaction."""
    offsets = events.stored_offsets(stores.lake, stores.settings.log_folder)
    facts = {"files": list(offsets), "offsets": list(offsets.values())}
    with stores.state.transaction() as connection:
        fetch(connection, load_sql("opportune.profiles", "lock_identity"))
        fetch(connection, load_sql("opportune.segments", "lock_live"))
        fetch(connection, load_sql(ROOM, "rebuild_swap"))
        fetch(connection, load_sql("opportune", "set_log_positions"), facts)
    drop_rebuild(stores.state)
