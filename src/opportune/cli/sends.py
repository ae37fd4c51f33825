"""Commands about sends that need a person: ``sends list`` and ``sends resolve``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import activation, project, settings
from opportune.cli.stores import opened

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Sends whose answer never came, and those that failed."
)

UseCaseName = Annotated[str | None, typer.Option("--use-case", help="Of this use case alone.")]
StateName = Annotated[str | None, typer.Option("--state", help="unknown or failed; else both.")]


@app.command("list")
def list_sends(
    *,
    use_case: UseCaseName = None,
    state: StateName = None,
    before: Annotated[
        int | None, typer.Option(help="Go on before this number, the first of each line.")
    ] = None,
    limit: Annotated[int, typer.Option(help="Show at most so many.", min=1, max=10_000)] = (
        activation.SENDS_PAGE
    ),
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the ambiguous and failed sends, the newest first, each with its reason."""
    with opened(settings.load()) as stores:
        defined = project.read(stores.state)
        names = [defined.use_case(use_case).name] if use_case else list(defined.use_cases)
        states = (state,) if state else activation.OPEN_STATES
        found = activation.open_sends(
            stores.state, names, states=states, before=before, limit=limit
        )
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], default=str))
        return
    for each in found:
        about = f" ({activation.CHOICES[each.choice]}, soon)" if each.choice else ""
        typer.echo(f"{each.sequence} {each.key} {each.state}{about}. {each.reason}")
    if not found:
        typer.echo("No send is ambiguous, and none has failed.")


@app.command()
def resolve(
    keys: Annotated[list[str], typer.Argument(help="Ids of the decisions behind the sends.")],
    *,
    as_: Annotated[
        str, typer.Option("--as", help="went-out, send-again or give-up.", show_default=False)
    ],
    by: Annotated[str, typer.Option(help="Who says so; kept with the send.")] = "console",
) -> None:
    """Decide about ambiguous sends; failed ones can be sent again. The worker carries it out."""
    choice = as_.replace("-", "_")
    with opened(settings.load()) as stores:
        found = activation.choose(stores.state, keys, choice, by=by, now=datetime.now(UTC))
    typer.echo(f"{activation.CHOICES[choice]}: {len(found)} of {len(keys)}")
