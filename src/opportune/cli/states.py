"""Commands that change what a use case may do: ``start``, ``shadow`` and ``pause``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import decisions, pipeline, project, settings
from opportune.activation.braze import Patience
from opportune.cli import braze
from opportune.cli.stores import opened
from opportune.storage import Stores

__all__ = ["pause", "shadow", "start"]

Name = Annotated[str, typer.Argument(help="Name of the use case.")]
By = Annotated[str, typer.Option(help="Who says so; kept with the change.")]


def start(
    name: Name,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    unchecked: Annotated[
        bool, typer.Option("--unchecked", help="Do not look at how it is set up in Braze.")
    ] = False,
    by: By = "console",
) -> None:
    """Let a use case decide and send. Asks once, with the number of people."""
    configured = settings.load()
    with opened(configured) as stores:
        defined = project.read(stores.state)
        use_case = defined.use_case(name)
        if not unchecked:
            asking = braze.asking(Patience())
            for each in pipeline.check_before_start(configured, defined, use_case, asking):
                typer.echo(f"  should: {each.message}", err=True)
        found = decisions.audience_people(stores.state, use_case.audience, use_case.minus)
        if not yes and use_case.state != "live":
            typer.confirm(
                f"{name} will send to up to {found.people:,} people. Start it?", abort=True
            )
        said = f"{name} is live: it decides for {found.people:,} people, and sends."
        _change(stores, name, "live", by=by, said=said)
        stop = decisions.stopped(stores.state, name)
        if stop is not None:
            typer.echo(f"A guard rail has stopped it: {stop.reason} Go on: opportune resume {name}")


def shadow(name: Name, *, by: By = "console") -> None:
    """Let a use case decide and log every day, and send nothing."""
    said = f"{name} is in shadow: it decides every day, and nothing is sent."
    with opened(settings.load()) as stores:
        _change(stores, name, "shadow", by=by, said=said)


def pause(name: Name, *, by: By = "console") -> None:
    """Let a use case decide nothing; what waits to be sent is held, and given up after an hour."""
    said = f"{name} is paused: nothing is decided, and what waits to be sent is held."
    with opened(settings.load()) as stores:
        _change(stores, name, "paused", by=by, said=said)


def _change(stores: Stores, name: str, state: str, *, by: str, said: str) -> None:
    use_case = project.read(stores.state).use_case(name)
    changed = pipeline.change_state(stores, use_case.name, state, by=by, now=datetime.now(UTC))
    typer.echo(said if changed else f"{said} It was before.")
