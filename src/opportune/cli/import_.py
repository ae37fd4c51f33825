"""``opportune import``: files of what happened earlier become events that keep their time."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from opportune import pipeline, settings, worker
from opportune.cli.stores import opened
from opportune.events import history
from opportune.keys import check_source
from opportune.settings import Settings
from opportune.storage import Engine, Lake, SegmentLog, Stores, load_sql
from opportune.storage.engine import open_engine

__all__ = ["import_command", "let_live_events_pass", "progress"]


# Live events wait behind what an import has put into the log.
MOST_WAITING_BYTES = 8 * 1024 * 1024
PAUSE_S = 0.1
# Whoever takes in nothing for so long is not waited for.
PATIENCE_S = 30.0
PLAIN_STEP = 0.25
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Changed:
    """What was taken in: ``added`` events of an import, and profiles that are new since."""

    added: int
    profiles: int


Files = Annotated[
    list[Path], typer.Argument(help="CSV, Parquet or JSON lines; CSV and JSON also as .gz.")
]
Source = Annotated[str, typer.Option(help="Where the events come from, such as 'shop'.")]
SchemaFile = Annotated[
    Path | None, typer.Option(help="TOML that says what the columns of a file mean.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and tell, write nothing.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Until it is taken in; without a worker, take it in.")
]
Live = Annotated[bool, typer.Option("--live", help="Let these events start what live ones start.")]
Again = Annotated[bool, typer.Option("--again", help="Also files that were imported before.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def import_command(  # noqa: PLR0913 - the options of a command line
    files: Files,
    *,
    source: Source,
    schema: SchemaFile = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    live: Live = False,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Import files of history: events keep their time, and what is there already is not added."""
    check_source(source)
    meaning = None if schema is None else history.read_schema(schema)
    requests = [
        history.Request(path=path, source_id=source, schema=meaning, live=live, again=again)
        for path in files
    ]
    history.check(requests)
    with ExitStack() as stack:
        told = stack.enter_context(progress(Console(stderr=True)))
        if dry_run:
            found = [_preview(request, told) for request in requests]
            changes: list[_Changed | None] = [None] * len(found)
        else:
            found, changes = _import(requests, stack, wait=wait, told=told)
    if as_json:
        documents = [_document(one, change) for one, change in zip(found, changes, strict=True)]
        typer.echo(json.dumps(documents, indent=2))
        return
    pages = [
        _page(one, change, dry_run=dry_run) for one, change in zip(found, changes, strict=True)
    ]
    typer.echo("\n\n".join(pages))


def _preview(request: history.Request, told: history.Told) -> history.Imported:
    engine = _engine(Lake(settings.load().lake_folder))
    return history.preview(request, engine, now=datetime.now(UTC), told=told)


def _import(
    requests: list[history.Request], stack: ExitStack, *, wait: bool, told: history.Told
) -> tuple[list[history.Imported], list[_Changed | None]]:
    configured = settings.load()
    stores = stack.enter_context(opened(configured)) if wait else None
    profiles = None if stores is None else _profiles(stores)
    lake = Lake(configured.lake_folder)
    log = SegmentLog(configured.log_folder)
    stack.callback(log.close)
    place = history.Place(
        data_folder=configured.data_folder,
        log_folder=configured.log_folder,
        log=log,
        engine=_engine(lake),
        pause=partial(let_live_events_pass, configured, lake),
    )
    found = []
    for request in requests:
        now = datetime.now(UTC)
        found.append(history.enter(request, place, now=now, told=told, profiles=profiles))
    if stores is None:
        return found, [None] * len(found)
    pipeline.take_in(stores, worker.decoders(stores), told=partial(_taken_in, told))
    return found, [_changed(stores, place.engine, one) for one in found]


def _engine(lake: Lake) -> Engine:
    """Files are read in this process, whatever runs the queries over the lake."""
    return open_engine("duckdb:", lake)


def _taken_in(told: history.Told, done: int, total: int) -> None:
    told("bytes taken in", done, done / max(1, total))


def _profiles(stores: Stores) -> int:
    count: int = stores.state.rows(load_sql("opportune.cli", "count_profiles"))[0]["profiles"]
    return count


def _changed(stores: Stores, engine: Engine, found: history.Imported) -> _Changed:
    if found.before:
        return _Changed(added=0, profiles=0)
    profiles = _profiles(stores)
    before = profiles if found.profiles_before is None else found.profiles_before
    return _Changed(added=history.added(engine, found), profiles=profiles - before)


def let_live_events_pass(configured: Settings, lake: Lake) -> None:
    """Wait while what an import put into the log holds up what arrives meanwhile."""
    least = None
    until = time.monotonic() + PATIENCE_S
    while pipeline.somebody_ingests(configured):
        waiting = pipeline.waiting_bytes(lake, configured.log_folder)
        if least is None or waiting < least:
            least, until = waiting, time.monotonic() + PATIENCE_S
        if waiting <= MOST_WAITING_BYTES or time.monotonic() > until:
            return
        time.sleep(PAUSE_S)


@contextmanager
def progress(console: Console) -> Iterator[history.Told]:
    """A bar on a terminal, a few plain lines otherwise; both beside the result, not in it."""
    if not console.is_terminal:
        yield _plain()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        tasks: dict[str, int] = {}

        def show(what: str, done: int, share: float) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=1.0)
            progress.update(
                tasks[what],  # type: ignore[arg-type]  # TaskID is int
                completed=share,
                description=f"{what}: {done:,}",
            )

        yield show


def _plain() -> Callable[[str, int, float], None]:
    said: dict[str, float] = {}

    def show(what: str, done: int, share: float) -> None:
        if share >= said.get(what, 0.0):
            said[what] = PLAIN_STEP * (share // PLAIN_STEP + 1)
            typer.echo(f"{what}: {done:,} ({share:.0%})", err=True)

    return show


def _page(found: history.Imported, changed: _Changed | None, *, dry_run: bool) -> str:
    tally = found.tally
    lines = [f"{found.file}: {tally.rows:,} rows, {tally.sent:,} messages"]
    lines += [
        f"  {kind} {name}".rstrip() + f": {count:,}"
        for kind, names in sorted(tally.messages.items())
        for name, count in sorted(names.items())
    ]
    if tally.first_us is not None and tally.last_us is not None:
        lines.append(f"  from {_time(tally.first_us)} to {_time(tally.last_us)}")
    if tally.late:
        lines.append(f"  {tally.late:,} in the future: they get the time of the import")
    if tally.equal_rows:
        lines.append(
            f"  {tally.equal_rows:,} rows left out, the same came before (equal_rows = "
            '"each" keeps them)'
        )
    for code, count in sorted(tally.refused.items()):
        lines.append(f"  {count:,} refused: {code}")
    lines += [f"    row {row.row}: {row.reason}" for row in found.examples]
    lines += [f"  hint: {hint}" for hint in found.hints]
    return "\n".join([*lines, f"  {_outcome(found, changed, dry_run=dry_run)}"])


def _time(us: int) -> str:
    return f"{EPOCH + timedelta(microseconds=us):%Y-%m-%d %H:%M:%S} UTC"


def _outcome(found: history.Imported, changed: _Changed | None, *, dry_run: bool) -> str:
    if dry_run:
        return "A dry run: nothing was written."
    if found.before:
        return f"Imported before, at {found.began_at:%Y-%m-%d %H:%M} UTC: nothing was done."
    if changed is None:
        return "All is in the log; a worker takes it in."
    there = found.tally.sent - changed.added
    return (
        f"{changed.added:,} events were new, {there:,} were there already; "
        f"{changed.profiles:,} new profiles."
    )


def _document(found: history.Imported, changed: _Changed | None) -> dict[str, object]:
    tally = found.tally
    return {
        "file": found.file,
        "import_id": found.import_id,
        "imported_before": found.before,
        "rows": tally.rows,
        "messages": tally.messages,
        "first_at": None if tally.first_us is None else _iso(tally.first_us),
        "last_at": None if tally.last_us is None else _iso(tally.last_us),
        "in_the_future": tally.late,
        "equal_rows": tally.equal_rows,
        "refused": tally.refused,
        "examples": [
            {"row": row.row, "code": row.code, "reason": row.reason} for row in found.examples
        ],
        "hints": list(found.hints),
        "added": None if changed is None else changed.added,
        "there_already": None if changed is None else tally.sent - changed.added,
        "new_profiles": None if changed is None else changed.profiles,
    }


def _iso(us: int) -> str:
    return (EPOCH + timedelta(microseconds=us)).isoformat()
