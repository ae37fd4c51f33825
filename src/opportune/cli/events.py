"""Commands about what arrives: ``catalogue``, and ``rejects`` with its replay."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from opportune import events, project, reports, settings
from opportune.cli.stores import opened
from opportune.events import NothingChosen, RejectFilter, SeenEvent, SeenField
from opportune.reports import Usage

__all__ = ["app", "catalogue"]

LINE_CHARACTERS = 400
DAY_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]

app = typer.Typer(no_args_is_help=True, help="What was refused, why, and sending it again.")

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Source = Annotated[str | None, typer.Option(help="Only of this source.")]
Code = Annotated[str | None, typer.Option(help="Only of this code, such as unplanned.")]
OfEvent = Annotated[str | None, typer.Option("--event", help="Only of this event.")]
Since = Annotated[
    datetime | None, typer.Option(formats=DAY_FORMATS, help="Only received since, UTC.")
]


def catalogue(
    event: Annotated[
        str | None, typer.Argument(help="Show the fields of this event; all events if left out.")
    ] = None,
    *,
    source: Source = None,
    as_json: AsJson = False,
) -> None:
    """Show which events arrive, how often, and what is in them."""
    now = datetime.now(UTC)
    with opened(settings.load()) as stores:
        defined = project.read(stores.state)
        used = reports.usage(defined)
        if event is None:
            seen = events.seen_events(stores.state, now=now, source=source)
            _print_events(seen, used, as_json=as_json)
            return
        found = events.seen_event(stores.state, event, now=now)
        fields = events.seen_fields(stores.state, found, declared=defined.classes)
    _print_fields(
        [each for each in fields if source in (None, each.source_id)], used, event, as_json
    )


@app.command("list")
def list_rejects(  # noqa: PLR0913 - one option each
    *,
    code: Code = None,
    source: Source = None,
    event: OfEvent = None,
    since: Since = None,
    open_only: Annotated[
        bool, typer.Option("--open", help="Not those that were replayed.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=events.REJECTS_PAGE)] = 50,
    before: Annotated[str | None, typer.Option(help="Go on after this id.")] = None,
    as_json: AsJson = False,
) -> None:
    """List what was refused and why, the newest first."""
    chosen = RejectFilter(
        code=code, source=source, event=event, since=_utc(since), open_only=open_only
    )
    with opened(settings.load()) as stores:
        found = events.rejects(stores, chosen, before=before, rows=limit)
    if as_json:
        typer.echo(json.dumps([asdict(each) for each in found], default=str))
        return
    for each in found:
        typer.echo(f"{each.reject_id}  {each.state}\n  {each.reason}")
    typer.echo(f"{len(found)} rejects." if found else "No rejects.")


@app.command("replay")
def replay_rejects(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids, as `list` prints them.")] = None,
    *,
    code: Code = None,
    source: Source = None,
    event: OfEvent = None,
    since: Since = None,
) -> None:
    """Send rejects again after a fix; what still breaks a rule is refused again."""
    chosen: RejectFilter | list[str] = ids or RejectFilter(
        code=code, source=source, event=event, since=_utc(since), open_only=True
    )
    if ids and any((code, source, event, since)):
        raise NothingChosen
    with opened(settings.load()) as stores:
        done = events.replay(stores, chosen, sent_at_us=time.time_ns() // 1000)
    typer.echo(
        f"{len(done.sent)} sent again, {len(done.done)} were replayed before, "
        f"{len(done.waiting)} are on their way, {len(done.unusable)} cannot be sent again."
    )
    for reject_id, reason in done.unusable.items():
        typer.echo(f"{reject_id}: {reason}", err=True)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _print_events(seen: list[SeenEvent], used: Usage, *, as_json: bool) -> None:
    if as_json:
        rows = [{**asdict(each), "used_by": used.of_event(each.event)} for each in seen]
        typer.echo(json.dumps(rows, default=str))
        return
    table = _table(
        "source", "event", "type", "24 h", "7 days", "all", "flagged", "blocked", "last seen"
    )
    for each in seen:
        numbers = (each.events_24h, each.events_7d, each.events, each.flagged, each.blocked)
        last = f"{each.last_seen_at.astimezone(UTC):%Y-%m-%d %H:%M}"
        _add(table, each.source_id, each.event, each.type, *(f"{n:,}" for n in numbers), last)
    _print(table if seen else "No events yet.")


def _print_fields(fields: list[SeenField], used: Usage, event: str, as_json: bool) -> None:
    rows = [
        {**asdict(each), "used_by": used.of_field(each.kind, event, each.name)} for each in fields
    ]
    if as_json:
        typer.echo(json.dumps(rows, default=str))
        return
    table = _table("source", "field", "kind", "types", "filled", "class", "sample", "violations")
    for each in fields:
        violations = ", ".join(f"{name} {count:,}" for name, count in each.violations.items())
        filled = "" if each.fill_share is None else f"{each.fill_share:.0%}"
        types = ", ".join(each.types)
        class_ = each.field_class.name
        cells = (each.source_id, each.name, each.kind, types, filled, class_, each.sample or "")
        _add(table, *cells, violations)
    _print(table)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading in headings:
        table.add_column(Text(heading), overflow="fold")
    return table


def _add(table: Table, *cells: str) -> None:
    table.add_row(*(Text(cell) for cell in cells))


def _print(shown: Table | str) -> None:
    # A file or another program gets whole lines.
    console = Console()
    if not console.is_terminal:
        console = Console(width=LINE_CHARACTERS)
    console.print(shown)
