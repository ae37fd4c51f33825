"""Commands about segments: ``segments list``, ``show``, ``preview``."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from opportune import project, segments, settings
from opportune.cli.stores import opened
from opportune.documents import InvalidDefinition
from opportune.files import FileNotFound

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Who is in which segment, and asking a rule.")

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
SHOWN_DAYS = 14


@app.command("list")
def list_segments(*, as_json: AsJson = False) -> None:
    """List the segments with their sizes."""
    with opened(settings.load()) as stores:
        found = segments.states(stores.state, project.read(stores.state).segments)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found]))
        return
    for each in found:
        waiting = "" if each.follows else "  (being filled by the worker)"
        typer.echo(f"{each.name}  {each.members:,} ({each.share:.1%})  {each.words}{waiting}")
    if not found:
        typer.echo("No segments. Write segments/NAME.toml, then `opportune apply FOLDER`.")


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of the segment.")],
    *,
    days: Annotated[int, typer.Option(min=1, max=366, help="How far back.")] = SHOWN_DAYS,
    people: Annotated[int, typer.Option(min=1, max=500, help="How many members.")] = 10,
    overlap: Annotated[
        str | None, typer.Option(help="Another segment, to count who is in both.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a segment: its rule in words, who entered and left day by day, some members."""
    now = datetime.now(UTC)
    with opened(settings.load()) as stores:
        defined = project.read(stores.state).segments
        state = segments.states(stores.state, {name: segments.known(name, defined)})[0]
        trend = segments.trend(stores.state, name, now=now, days=days)
        page = segments.people(stores.state, name, limit=people)
        both = None
        if overlap is not None:
            other = segments.known(overlap, defined).name
            both = segments.overlap(stores.state, name, other)
    if as_json:
        said = {**asdict(state), "trend": [asdict(each) for each in trend]}
        said |= {"people": [asdict(each) for each in page.people]}
        said |= {} if both is None else {"overlap": asdict(both)}
        typer.echo(json.dumps(said, default=str))
        return
    typer.echo(f"{state.title}: {state.words}")
    typer.echo(f"{state.members:,} members ({state.share:.1%} of all profiles)")
    for day in trend:
        typer.echo(f"  {day.day}  {day.entered:+,} entered  {-day.left:,} left  {day.members:,}")
    for each in page.people:
        since = f"{each.entered_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        typer.echo(f"  profile {each.profile_id}  {each.hint or ''}  since {since}")
    if both is not None:
        typer.echo(
            f"in both '{name}' and '{overlap}': {both.both:,} of {both.one:,}/{both.other:,}"
        )


@app.command()
def preview(
    file: Annotated[Path, typer.Argument(help="A segment's file; it need not be applied.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Ask the rule of a file of all profiles, and keep nothing."""
    rule = _rule(file)
    with opened(settings.load()) as stores:
        defined = project.read(stores.state).segments
        found = segments.preview(stores, rule, defined, now=datetime.now(UTC))
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    typer.echo(found.words)
    moves = "; members also come and go with the time" if found.moves_by_time else ""
    typer.echo(f"{found.size:,} profiles ({found.share:.1%}){moves}")
    for each in found.sample:
        typer.echo(f"  profile {each.profile_id}  {each.hint or ''}")
    for note in found.notes:
        typer.echo(f"note: {note}")


def _rule(file: Path) -> dict[str, object]:
    try:
        body = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as cause:
        raise FileNotFound(f"{file}: {cause.strerror}. Give the file of a segment.") from cause
    except ValueError as cause:
        raise InvalidDefinition([f"{file.name}: not valid TOML: {cause}"]) from cause
    rule = body.get("rule")
    if not isinstance(rule, dict):
        raise InvalidDefinition([f"{file.name}: rule: missing, must be a table."])
    return rule
