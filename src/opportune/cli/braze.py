"""``opportune braze``: check what is set up in Braze, and bring customers in."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from opportune import activation, pipeline, project, reports, settings, worker
from opportune.activation import braze
from opportune.cli.braze_messages import asking, preview, remove_test_profiles, send_test
from opportune.cli.import_ import let_live_events_pass, progress
from opportune.cli.stores import opened
from opportune.events import history
from opportune.settings import Settings
from opportune.storage import SegmentLog
from opportune.storage.engine import open_engine

__all__ = ["advice_lines", "app", "asking", "page", "pair"]

app = typer.Typer(no_args_is_help=True, help="What a workspace of Braze holds, and how it is set.")

AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Segment = Annotated[str, typer.Argument(help="Name of a definition in braze_segments/.")]
BaseUrl = Annotated[str, typer.Argument(help="REST host of the workspace.")]
Minutes = Annotated[float, typer.Option(min=0, help="How long to wait for Braze's file.")]
Wait = Annotated[
    bool, typer.Option("--wait", help="Until it is taken in; without a worker, take it in.")
]


@app.callback()
def group() -> None:
    """What a workspace of Braze holds, and how it is set."""


@app.command("check")
def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Use cases; all that send through Braze if none.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say what is wrong in Braze for use cases, and segments that are brought in; sends nothing."""
    configured = settings.load()
    with opened(configured) as stores:
        defined = project.read(stores.state)
    chosen = [defined.use_case(name) for name in names or ()] or [
        each for each in defined.use_cases.values() if each.activation.connector == "braze"
    ]
    found: dict[str, list[braze.Advice]] = {}
    for use_case in chosen:
        base_url = use_case.activation.config.get("base_url", "")
        with _connected(base_url, configured) as workspace:
            set_up = pipeline.set_up_of(defined, use_case)
            found[f"use case {use_case.name}"] = braze.check_set_up(workspace, set_up)
    for each in () if names else defined.braze_segments.values():
        with _connected(each.base_url, configured) as workspace:
            others = defined.braze_segments.values()
            found[f"segment {each.name}"] = braze.check_segment(workspace, each, others)
    if as_json:
        said = {what: [asdict(each) for each in advice] for what, advice in found.items()}
        typer.echo(json.dumps(said, indent=2))
    else:
        typer.echo("\n".join(line for what in found for line in advice_lines(what, found[what])))
    if any(each.refuses for advice in found.values() for each in advice):
        raise typer.Exit(code=2)


def advice_lines(what: str, found: Sequence[braze.Advice]) -> list[str]:
    """Say what is to be done about one use case or segment."""
    if not found:
        return [f"{what}: all is well in Braze."]
    marks = {True: "must", False: "should"}
    return [f"{what}:", *(f"  {marks[each.refuses]}: {each.message}" for each in found)]


def _connected(base_url: str, configured: Settings) -> AbstractContextManager[braze.Workspace]:
    return braze.connected(base_url, configured.braze_api_key, asking(braze.Patience()))


@app.command("import-audience")
def import_audience(
    name: Segment, *, wait: Wait = False, minutes: Minutes = 60.0, as_json: AsJson = False
) -> None:
    """Bring the customers of a segment of Braze in: their traits, and who joined and left it."""
    configured = settings.load()
    with ExitStack() as stack:
        told = stack.enter_context(progress(Console(stderr=True)))
        stores = stack.enter_context(opened(configured))
        segment = braze.named_segment(project.read(stores.state).braze_segments, name)
        patience = braze.Patience(wait_s=minutes * 60)
        workspace = stack.enter_context(
            braze.connected(segment.base_url, configured.braze_api_key, asking(patience))
        )
        log = SegmentLog(configured.log_folder)
        stack.callback(log.close)
        place = history.Place(
            data_folder=configured.data_folder,
            log_folder=configured.log_folder,
            log=log,
            # Files are read in this process, whatever runs the queries over the lake.
            engine=open_engine("duckdb:", stores.lake),
            pause=partial(let_live_events_pass, configured, stores.lake),
        )
        exporting = braze.Exporting(
            workspace=workspace,
            folder=braze.exports_folder(configured.data_folder, name),
            download=activation.download,
            sleep=time.sleep,
            waited=partial(_waited, told, patience.wait_s),
            patience_s=patience.wait_s,
        )
        now = datetime.now(UTC)
        found = braze.bring_segment(segment, place, exporting, now=now, told=told)
        if wait:
            pipeline.take_in(stores, worker.decoders(stores), told=partial(_taken_in, told))
    typer.echo(
        json.dumps(_document(found), indent=2) if as_json else page(segment, found, taken_in=wait)
    )


@app.command("reconcile")
def reconcile(
    name: Annotated[str, typer.Argument(help="A use case that sends through Braze.")],
    *,
    days: Annotated[int, typer.Option(min=1, max=braze.MOST_DAYS, help="Up to today.")] = 14,
    as_json: AsJson = False,
) -> None:
    """Put what we counted of a use case's messages beside what Braze counted, day by day."""
    with opened(settings.load()) as stores:
        use_case = project.read(stores.state).use_case(name)
        now, patience = datetime.now(UTC), asking(braze.Patience())
        found = pipeline.reconcile(stores, use_case, patience, now=now, days=days)
    if as_json:
        typer.echo(json.dumps({**asdict(found), "sentence": found.sentence}, default=str))
        return
    typer.echo("\n".join(reconciliation_lines(found)))


def reconciliation_lines(found: reports.Reconciliation) -> list[str]:
    """Say it as a sentence and a table, a line a day, ours before Braze's."""
    widths = (10, 9, 9, 7, 9, 7, 7, 9, 7)
    opens, clicks = (("opens", "machines'", "Braze's"), ("clicks", "machines'", "Braze's"))
    heads = ("day", "accepted", "sent", *opens, *clicks)
    rows = [
        (
            each.ours.day.isoformat() if each is not found.total else "all",
            *(f"{each.ours.accepted:,}", f"{each.theirs.sent:,}", f"{each.ours.opens:,}"),
            *(f"{each.ours.machine_opens:,}", f"{each.theirs.opens:,}", f"{each.ours.clicks:,}"),
            *(f"{each.ours.machine_clicks:,}", f"{each.theirs.clicks:,}"),
        )
        for each in (*found.days, found.total)
    ]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in (heads, *rows)
    ]
    as_of = f"As of {found.as_of:%Y-%m-%d %H:%M} UTC; our days are UTC, Braze's its company's."
    return [found.sentence, *lines, as_of]


app.command("preview")(preview)
app.command("test-send")(send_test)
app.command("remove-test-profiles")(remove_test_profiles)


@app.command("content")
def content(base_url: BaseUrl) -> None:
    """List the content that there is and that can be an option: templates, campaigns, canvases."""
    with _connected(base_url, settings.load()) as workspace:
        found = braze.choosable(workspace)
    typer.echo("\n".join(f"{each.kind} {each.id} {each.name}" for each in found))


@app.command("template")
def template(
    base_url: BaseUrl,
    original: Annotated[str, typer.Argument(help="Id of an email template; it is not changed.")],
    *,
    replace: Annotated[
        list[str], typer.Option(help="DIMENSION=TEXT: the text where it is to show.")
    ],
    title: Annotated[str, typer.Option(help="Name of the new one, behind 'Opportune: '.")],
    canvas: Annotated[bool, typer.Option("--canvas", help="It is sent by a canvas.")] = False,
    make: Annotated[bool, typer.Option("--make", help="Make it in Braze; else it is shown.")] = (
        False
    ),
) -> None:
    """Make a template of ours from an original: a placeholder where each dimension is to show."""
    places = dict(pair(each) for each in replace)
    with _connected(base_url, settings.load()) as workspace:
        found = braze.template(workspace, original)
        sent_by = "canvas" if canvas else "campaign"
        draft = braze.draft_from(found, title=title, places=places, sent_by=sent_by)
        problems = braze.check_draft(draft, places)
        if problems:
            raise braze.BadCreative("\n".join(problems))
        if make:
            typer.echo(braze.create_template(workspace, draft))
            return
    typer.echo(f"{draft.subject}\n{draft.body}")


def pair(given: str) -> tuple[str, str]:
    """Read DIMENSION=TEXT. Raises ``BadCreative``."""
    name, sign, text = given.partition("=")
    if not sign:
        raise braze.BadCreative(f"{given!r} given, must be DIMENSION=TEXT, as offer='Save 20%'.")
    return name, text


def _waited(told: history.Told, patience_s: float, seconds: float) -> None:
    told("seconds waited for Braze's file", int(seconds), seconds / max(1.0, patience_s))


def _taken_in(told: history.Told, done: int, total: int) -> None:
    told("bytes taken in", done, done / max(1, total))


def page(segment: braze.BrazeSegment, found: braze.Brought, *, taken_in: bool) -> str:
    """Say in words what became of an import."""
    lines = [
        f"{segment.name}: {found.members:,} customers are in the segment, {found.left:,} left it "
        f"since the import before. As of {found.asked_at:%Y-%m-%d %H:%M:%S} UTC."
    ]
    for each in (found.came, found.went):
        if each is not None:
            refused = sorted(each.tally.refused.items())
            lines += [f"  {count:,} refused: {code}" for code, count in refused]
    lines.append("  All is taken in." if taken_in else "  All is in the log; a worker takes it in.")
    lines.append(f"  Members are the profiles whose trait {segment.membership} is true.")
    return "\n".join(lines)


def _document(found: braze.Brought) -> dict[str, object]:
    both = [each for each in (found.came, found.went) if each is not None]
    return {
        "asked_at": found.asked_at.isoformat(),
        "members": found.members,
        "left": found.left,
        "messages": sum(each.tally.sent for each in both),
        "refused": sum(each.tally.refusals for each in both),
    }
