"""Commands about privacy: ``forget``, ``export-person``, and ``privacy`` for what was asked."""

from __future__ import annotations

import json
import os
import secrets
import time
import uuid
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from opportune import pipeline, privacy, project, settings, worker
from opportune.cli.import_ import progress
from opportune.cli.stores import opened
from opportune.storage import ConcurrentWrite, Stores

__all__ = ["app", "export_person", "forget"]

POLL_S = 0.25

app = typer.Typer(no_args_is_help=True, help="Requests to be forgotten, and their proof.")

Kind = Annotated[str, typer.Argument(help="Kind of the identifier, such as user_id or email.")]
Value = Annotated[str, typer.Argument(help="The identifier itself; '-' reads one a line.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


def forget(
    kind: Kind,
    value: Value,
    *,
    erase: Annotated[
        bool, typer.Option("--erase/--anonymise", help="Erase events, or make them nobody's.")
    ] = True,
    by: Annotated[str, typer.Option(help="Who asks for it; kept with the proof.")] = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Until it is proven.")] = True,
    as_json: AsJson = False,
) -> None:
    """Forget a person everywhere, and prove it. It cannot be undone."""
    mode: privacy.Mode = "erase" if erase else "anonymise"
    values = typer.get_text_stream("stdin").read().split("\n") if value == "-" else [value]
    who = by or os.environ.get("USER", "command line")
    with opened(settings.load()) as stores:
        now = datetime.now(UTC)
        asked = [
            privacy.ask(
                stores.state,
                kind,
                each,
                privacy.Asked(request_id=uuid.uuid4().hex, mode=mode, by=who, now=now),
            ).request_id
            for each in dict.fromkeys(filter(None, values))
        ]
        if wait:
            _carry_out(stores, asked)
        found = [privacy.request(stores.state, each) for each in dict.fromkeys(asked)]
    _show(found, as_json=as_json)


def export_person(
    kind: Kind,
    value: Annotated[str, typer.Argument(help="The identifier itself.")],
    *,
    to: Annotated[Path, typer.Option(help="File to write, JSON; '-' prints it.")],
) -> None:
    """Write everything that is stored of one person into a file that only its owner can read."""
    with opened(settings.load()) as stores:
        found = privacy.export_person(stores, kind, value, now=datetime.now(UTC))
    text = json.dumps(found, indent=2, default=str)
    if str(to) == "-":
        typer.echo(text)
        return
    descriptor = os.open(to, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    rows = sum(map(len, found["state"].values()))
    typer.echo(
        f"{to}: {len(found['events'])} events, {len(found['decisions'])} decisions, {rows} rows of "
        "State."
    )


@app.command("list")
def list_requests(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:
    """List the requests to be forgotten, the newest first."""
    with opened(settings.load()) as stores:
        found = privacy.requests(stores.state, limit=limit)
    _show(found, as_json=as_json)


@app.command()
def show(
    request_id: Annotated[str, typer.Argument(help="Id, as `privacy list` prints it.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one request: its state, what was done, and the proof."""
    with opened(settings.load()) as stores:
        found = privacy.request(stores.state, request_id)
    _show([found], as_json=as_json)


@app.command()
def again(*, wait: Annotated[bool, typer.Option("--wait/--no-wait")] = True) -> None:
    """After a backup was restored: forget once more whom it brought back."""
    with opened(settings.load()) as stores:
        now = datetime.now(UTC)
        count = privacy.ask_again(stores, now=now, new_id=lambda: uuid.uuid4().hex)
        if count and wait:
            _carry_out(stores, [each.request_id for each in privacy.requests(stores.state)])
    typer.echo(f"{count} identifiers had come back." if count else "Nobody had come back.")


def _carry_out(stores: Stores, asked: list[str]) -> None:
    """Carry it out, or wait until the worker that lives has."""
    with progress(Console(stderr=True)) as told:
        while any(privacy.request(stores.state, each).state != "done" for each in asked):
            if not privacy.is_asked(stores, now=datetime.now(UTC)):
                told("a worker tells destinations", 0, 0.0)
                time.sleep(POLL_S)
                continue
            try:
                ingest = pipeline.Ingest(stores, worker.decoders(stores))
            except ConcurrentWrite:
                time.sleep(POLL_S)
                _tell_of_worker(stores, asked)
                continue
            with closing(ingest):
                privacy.carry_out(
                    stores,
                    ingest,
                    kept=privacy.kept_fields(project.read(stores.state)),
                    secret=secrets.token_hex(32),
                    now=datetime.now(UTC),
                    told=lambda what, done, of: told(what, done, done / max(1, of)),
                )


def _tell_of_worker(stores: Stores, asked: list[str]) -> None:
    """Raise what keeps the worker from it."""
    for each in asked:
        found = privacy.request(stores.state, each)
        if found.error is not None and found.error.startswith(privacy.StillThere.code):
            raise privacy.StillThere(found.error.partition(": ")[2])


def _show(found: list[privacy.Request], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], default=str))
        return
    for each in found:
        typer.echo(_line(each))
    if not found:
        typer.echo("Nobody asked.")


def _line(request: privacy.Request) -> str:
    line = (
        f"{request.request_id}  {request.mode}, {request.state}"
        f"{f' ({request.step})' if request.step else ''}, asked by {request.asked_by} on "
        f"{request.received_at:%Y-%m-%d %H:%M} UTC"
    )
    if request.error:
        line += f"\n  {request.error}"
    if request.done:
        done = ", ".join(f"{name} {count}" for name, count in sorted(request.done.items()) if count)
        line += f"\n  done: {done or 'nothing was there'}"
    for name, part in (request.proof or {}).items():
        if isinstance(part, dict) and "hits" in part:
            looked = ", ".join(
                f"{part[unit]:,} {unit}"
                for unit in ("files", "tables", "rows", "bytes")
                if part.get(unit)
            )
            line += f"\n  searched {name}: {looked or 'nothing there'}; {part['hits']} hits"
    return line
