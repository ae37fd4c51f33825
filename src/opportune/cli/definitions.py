"""Commands about what is defined: ``check``, ``apply``, ``keys``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from opportune import project, settings
from opportune.cli.stores import opened
from opportune.keys import create_key

__all__ = ["apply", "check", "keys"]

Folder = Annotated[
    Path, typer.Argument(help="Folder with use_cases/, segments/, metrics/ and opportune.toml.")
]


def check(folder: Folder) -> None:
    """List every mistake in a project folder, with file, key and nearest valid name."""
    found = project.load(folder)
    typer.echo(
        f"{folder}: {len(found.use_cases)} use cases, {len(found.segments)} segments, "
        f"{len(found.metrics)} metrics; no mistakes."
    )


def apply(
    folder: Folder,
    *,
    by: Annotated[str, typer.Option(help="Who applies it; kept with each version.")] = "console",
) -> None:
    """Make a folder's definitions the newest versions; the same folder twice writes nothing."""
    with opened(settings.load()) as stores:
        written = project.apply(stores.state, folder, now=datetime.now(UTC), by=by)
    for line in written:
        typer.echo(line)
    if not written:
        typer.echo("Nothing changed.")


def keys(
    source: Annotated[str, typer.Argument(help="What sends with it, such as 'shop'.")],
    *,
    max_batch_bytes: Annotated[
        int | None,
        typer.Option(
            help="Largest body it may send, after decompression; OPPORTUNE_MAX_BATCH_BYTES unless "
            "given. RudderStack's libraries need 4000000.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Make a write key for a source of events and print it once."""
    typer.echo(create_key(settings.load(), source, max_batch_bytes=max_batch_bytes))
