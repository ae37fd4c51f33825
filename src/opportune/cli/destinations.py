"""Commands about what leaves: ``destinations list``, ``show``, ``audiences`` and dead letters."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import activation, project, settings
from opportune.activation import Destination, Published, Traffic, named_destination
from opportune.cli.stores import opened
from opportune.errors import InvalidInput

__all__ = ["NothingToRetry", "app"]

app = typer.Typer(
    no_args_is_help=True, help="Where events are sent on to, and what was given up there."
)

Name = Annotated[str, typer.Argument(help="Name of the destination.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]


class NothingToRetry(InvalidInput):
    """It was not said which messages to send again."""

    code = "nothing_to_retry"


@app.command("list")
def list_destinations(*, as_json: AsJson = False) -> None:
    """List the destinations: what waits, what was sent, what was given up."""
    with opened(settings.load()) as stores:
        defined = project.read(stores.state).destinations
        found = activation.traffic(stores.state, defined.values())
    if as_json:
        answer = [{"name": name, **asdict(each)} for name, each in found.items()]
        typer.echo(json.dumps(answer, default=str))
        return
    for name, each in found.items():
        typer.echo(f"{name}: {_figures(each)}")


@app.command()
def show(name: Name, *, as_json: AsJson = False) -> None:
    """Show what a destination is sent, how it is doing, and why messages wait."""
    with opened(settings.load()) as stores:
        destination = named_destination(project.read(stores.state).destinations, name)
        found = activation.traffic(stores.state, [destination])[name]
    if as_json:
        typer.echo(json.dumps({"name": name, **asdict(found)}, default=str))
        return
    typer.echo(f"{destination.title} ({destination.connector}: {_place(destination)})")
    wanted = [*sorted(destination.kinds), *sorted(destination.events)]
    wanted += [f"audience {each}" for each in destination.audiences]
    typer.echo(f"  is sent {', '.join(wanted)}")
    typer.echo(f"  {_figures(found)}")
    if found.oldest_waiting_at is not None:
        typer.echo(f"  the oldest waits since {found.oldest_waiting_at.isoformat()}")
    for trouble in found.troubles:
        typer.echo(f"  {trouble}")


@app.command()
def audiences(*, as_json: AsJson = False) -> None:
    """List which audience goes where: how many were told, when last, and why no more."""
    with opened(settings.load()) as stores:
        found = activation.published_audiences(stores.state)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], default=str))
        return
    for each in found:
        typer.echo(f"{each.audience} -> {each.destination}: {_audience(each)}")
    if not found:
        typer.echo("No audience is published. Name it in destinations/NAME.toml: audiences = [...]")


@app.command("dead-letters")
def dead_letters(
    name: Name,
    *,
    after: Annotated[
        int, typer.Option(help="Go on behind this number, the first of each line.", min=0)
    ] = 0,
    limit: Annotated[int, typer.Option(help="Show at most so many.", min=1, max=10_000)] = (
        activation.LETTERS_PAGE
    ),
    as_json: AsJson = False,
) -> None:
    """List the messages that were given up, the oldest first, and why."""
    with opened(settings.load()) as stores:
        destination = named_destination(project.read(stores.state).destinations, name)
        letters = activation.dead_letters(stores.state, destination, after=after, limit=limit)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in letters], default=str))
        return
    for each in letters:
        typer.echo(
            f"{each.sequence} {each.message_id} {each.event or each.type}, "
            f"tries: {each.attempts}. {each.reason}"
        )


@app.command()
def retry(
    name: Name,
    *,
    message: Annotated[
        list[str] | None, typer.Option(help="Id of a message; can be given several times.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All that was given up.")] = False,
) -> None:
    """Send messages again that were given up, once what was wrong is repaired."""
    if every == bool(message):
        raise NothingToRetry("Say which messages: either --all, or --message once or more often.")
    with opened(settings.load()) as stores:
        destination = named_destination(project.read(stores.state).destinations, name)
        chosen = None if every else message
        count = activation.resend(stores.state, destination, chosen, now=datetime.now(UTC))
    typer.echo(f"{count} will be sent again")


def _place(destination: Destination) -> str:
    return destination.url or f"outgoing/{destination.folder}"


def _audience(published: Published) -> str:
    line = f"{published.members:,} members"
    if published.published_at is not None:
        line += f", told last {published.published_at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if not published.is_ready:
        line += " (its segments are being filled)"
    return line if published.refused is None else f"{line}; nobody is added: {published.refused}"


def _figures(found: Traffic) -> str:
    waiting = found.waiting + found.under_way
    return f"{waiting} waiting, {found.sent} sent, {found.dead} given up"
