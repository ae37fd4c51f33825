"""``groups``: what treatment earns beside every other group of a use case."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import project, reports, settings
from opportune.cli.stores import opened
from opportune.reports.answer import percent

__all__ = ["groups"]


def groups(
    name: Annotated[str, typer.Argument(help="Name of the use case.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Compare treatment with control, random play, the champion and the holdout."""
    with opened(settings.load()) as stores:
        definitions = project.read(stores.state)
        use_case = definitions.use_case(name)
        metric = definitions.metric_of(use_case)
        found = reports.groups(stores, use_case, metric, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(reports.to_document(found)))
        return
    for each in found.groups:
        typer.echo(
            f"{each.result.variant}: {each.result.profiles:,} profiles, "
            f"{percent(each.share, signed=False)} of {percent(each.expected_share, signed=False)} "
            f"meant, {each.result.reward_mean:.4g} {found.metric.unit} per profile"
        )
    for comparison in found.comparisons:
        typer.echo(comparison.answer)
    if found.sample_ratio is not None and found.sample_ratio.suspicious:
        typer.echo("The groups have not the sizes they were meant to have: find out why.")
