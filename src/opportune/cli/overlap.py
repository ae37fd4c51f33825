"""``overlap``: in which groups of other use cases an audience is, and how much it is sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import project, reports, settings
from opportune.cli.stores import opened
from opportune.reports.answer import percent

__all__ = ["overlap"]


def overlap(
    name: Annotated[str, typer.Argument(help="Name of the use case.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Count its audience in the groups of other use cases, and the messages of each profile."""
    with opened(settings.load()) as stores:
        definitions = project.read(stores.state)
        use_case = definitions.use_case(name)
        others = definitions.use_cases.values()
        found = reports.overlap(stores, use_case, others, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(reports.to_document(found)))
        return
    typer.echo(found.answer)
    for each in found.elsewhere:
        typer.echo(
            f"{each.use_case}: {each.profiles:,} in {each.group}, "
            f"{percent(each.share, signed=False)} of the audience"
        )
    for sent in found.sends:
        typer.echo(f"{sent.sends} sends by {sent.use_cases} use cases: {sent.profiles:,} profiles")
