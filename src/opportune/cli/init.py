"""``opportune init``: a ready folder of definitions to start from."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from opportune import project

__all__ = ["init"]


def init(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder to write; a new or an empty one.")
    ] = None,
    *,
    template: Annotated[
        str | None, typer.Option(help="Name of the template; --list shows them.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Same seed, same made-up history; 1 if left out."),
    ] = None,
) -> None:
    """Write a ready use case with made-up history to try it on; twice changes nothing."""
    if listed:
        for each in project.templates():
            typer.echo(f"{each.name:<16}{each.title}: {each.goal}")
        return
    if folder is None or template is None:
        missing = "FOLDER" if folder is None else "--template"
        names = ", ".join(each.name for each in project.templates())
        raise typer.BadParameter(
            f"{missing} is missing. Such as: opportune init my-project --template winback. "
            f"Templates: {names}."
        )
    day = datetime.now(UTC).date()
    written = project.write_template(folder, template, day=day, seed=seed)
    if not written.new:
        typer.echo(
            f"{folder}: all {written.total} files of '{template}' are there. Nothing changed."
        )
        return
    typer.echo(f"{folder}: {len(written.new)} of {written.total} files of '{template}' written.")
    typer.echo(_next(folder, template))


def _next(folder: Path, name: str) -> str:
    place = shlex.quote(str(folder))
    demo = shlex.quote(str(folder / "demo"))
    return (
        f"Next: read {folder / 'README.md'}, then\n"
        f"  opportune check {place}\n"
        f"  opportune apply {place}\n"
        f"  opportune import {demo}/history.csv --source demo --schema {demo}/history.toml --wait\n"
        f"  opportune run-day {name}"
    )
