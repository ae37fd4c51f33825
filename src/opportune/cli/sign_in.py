"""Commands about who may see people: ``sign-in link``, ``token``, ``list``, ``end``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import settings, sign_in
from opportune.cli.stores import opened
from opportune.settings import Settings

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Who may see pages and people, and ending that.")

Name = Annotated[str, typer.Argument(help="Who it is for, such as 'ana' or an email address.")]


@app.command()
def link(
    name: Name,
    *,
    address: Annotated[
        str,
        typer.Option(
            help="Where the browser finds this server, such as https://opportune.example.com; "
            "from OPPORTUNE_HOSTS or OPPORTUNE_HOST unless given."
        ),
    ] = "",
) -> None:
    """Make a link that signs one browser in, once, within an hour, and print it."""
    configured = settings.load()
    with opened(configured) as stores:
        made = sign_in.make(stores.state, name, "link", now=datetime.now(UTC))
    typer.echo(f"{(address or _address(configured)).rstrip('/')}/sign-in?link={made}")


@app.command()
def token(name: Name) -> None:
    """Make a token for a program that uses the interface, and print it once."""
    with opened(settings.load()) as stores:
        typer.echo(sign_in.make(stores.state, name, "token", now=datetime.now(UTC)))


@app.command("list")
def list_(
    *, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Show who may come in: links, sessions and tokens with their ends."""
    with opened(settings.load()) as stores:
        found = sign_in.listed(stores.state, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], default=str))
        return
    for each in found:
        until = "until it is ended" if each.ends_at is None else f"until {_time(each.ends_at)}"
        typer.echo(f"{each.name}: {each.kind}, made {_time(each.made_at)}, {until}")
    if not found:
        typer.echo("Nobody can sign in.")


@app.command()
def end(name: Name) -> None:
    """End every link, session and token of a name, at once."""
    with opened(settings.load()) as stores:
        count = sign_in.end(stores.state, name)
    typer.echo(f"{name}: {count} ended.")


def _address(configured: Settings) -> str:
    named = configured.hosts.split()
    if named:
        return f"http://{named[0]}:{configured.port}"
    host = configured.host if sign_in.is_loopback(configured.host) else "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{configured.port}"


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
