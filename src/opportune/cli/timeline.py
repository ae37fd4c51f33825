"""``timeline``: what a use case went through."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import project, reports, settings
from opportune.cli.stores import opened

__all__ = ["timeline"]


def timeline(
    use_case: Annotated[str, typer.Argument(help="Name of the use case.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List what a use case went through, the newest first: versions, states, stops, training."""
    with opened(settings.load()) as stores:
        name = project.read(stores.state).use_case(use_case).name
        found = reports.use_case_timeline(stores.state, name, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(reports.to_document(found)))
        return
    for each in found.incidents:
        by = f", by {each.by}" if each.by else ""
        typer.echo(f"{each.at.astimezone(UTC):%Y-%m-%d %H:%M} UTC  {each.title}{by}")
        for line in each.details:
            typer.echo(f"  {line}")
