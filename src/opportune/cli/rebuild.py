"""``rebuild``: build State again from all events, say what differs, and put it in place."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from opportune import pipeline, settings, worker
from opportune.cli.import_ import progress
from opportune.cli.stores import opened

__all__ = ["rebuild"]

DIFFERS = 1


def rebuild(
    *,
    compare: Annotated[
        bool, typer.Option("--compare", help="Only say what differs; this is the default.")
    ] = False,
    swap: Annotated[
        bool, typer.Option("--swap", help="Put what was built in place of what is there.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Build profiles, identities, consent, accounts and memberships again from all events.

    It happens beside what is there, and no worker may run. Then the two are compared, table by
    table. Exit code 1: they differ, and nothing was put in place.
    """
    if compare and swap:
        raise typer.BadParameter("Give --compare or --swap, not both.")
    with (
        opened(settings.load()) as stores,
        ExitStack() as stack,
        progress(Console(stderr=True)) as show,
    ):
        done = pipeline.rebuild(
            stores,
            worker.decoders(stores),
            stores.open_log(stack),
            swap=swap,
            now=datetime.now(UTC),
            told=lambda count, total: show("events", count, count / max(1, total)),
        )
    if as_json:
        typer.echo(json.dumps(asdict(done) | {"equal": done.is_equal}))
    else:
        typer.echo(_page(done))
    if not (done.is_equal or done.swapped):
        raise typer.Exit(DIFFERS)


def _page(done: pipeline.Rebuilt) -> str:
    lines = [f"{done.events:,} events"]
    for table in done.tables:
        said = "equal"
        if not table.is_equal:
            said = (
                f"{table.only_live:,} only live, {table.only_built:,} only rebuilt, "
                f"{table.differing:,} differ"
            )
        lines.append(f"  {table.table:<20} {table.live:>12,} {table.built:>12,}  {said}")
    if done.swapped:
        lines.append("What was built is in place; the next worker fills segments from it.")
    elif done.is_equal:
        lines.append("What the events come to is what is there.")
    else:
        lines.append("They differ. `opportune rebuild --swap` puts what was built in place.")
    return "\n".join(lines)
