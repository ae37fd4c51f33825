"""``readiness``: is a use case worth starting, and when will its lift be known."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import pipeline, project, settings
from opportune.cli.stores import opened
from opportune.reports import Readiness, to_document
from opportune.reports.answer import percent

__all__ = ["readiness"]


def readiness(
    name: Annotated[str, typer.Argument(help="Name of the use case.")],
    *,
    within_days: Annotated[
        int, typer.Option(min=1, max=365, help="A lift that takes longer is not found in time.")
    ] = 90,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Say before the start who may get what, and how long a lift takes to be seen."""
    with opened(settings.load()) as stores:
        definitions = project.read(stores.state)
        found = pipeline.readiness(
            stores,
            definitions,
            definitions.use_case(name),
            now=datetime.now(UTC),
            within_days=within_days,
        )
    if as_json:
        typer.echo(json.dumps(to_document(found)))
        return
    for line in _lines(found):
        typer.echo(line)


def _lines(found: Readiness) -> Iterator[str]:
    yield found.answer
    for refusal in found.refusals:
        yield from (f"  {remedy}" for remedy in refusal.remedies[1:])
    yield f"audience: {found.audience:,} profiles, {found.decided:,} may get something"
    for each in found.held_back:
        yield f"  {each.profiles:,} would get nothing ({each.reason}): {each.why}"
    before, unit = found.earlier, found.metric.unit
    yield (
        f"before: {before.rewarded:,} of them brought {unit} in "
        f"{found.metric.window_days} days, {before.mean:.4g} {unit} per profile "
        f"(variance {before.variance:.4g}), {before.repeated:.0%} correlated with the window before"
    )
    for wait in found.waits:
        said = (
            wait.reason
            if wait.known_on is None
            else f"known by {wait.known_on}, in half of all cases after {wait.typical_days} days"
        )
        yield f"a lift of {percent(wait.effect, signed=True)}: {said}"
    for option in found.options:
        whom = f"{option.profiles:,} may get it" if option.profiles else "nobody may get it"
        yield (
            f"{option.dimension} {option.option}: {whom}, "
            f"{option.decisions_a_day:,.0f} decisions a day if all are played alike"
        )
