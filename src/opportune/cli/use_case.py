"""Commands about one use case: ``run-day``, ``report`` and ``resume``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from opportune import decisions, pipeline, project, reports, settings, web
from opportune.cli.show import print_insights, print_performance, print_report_metrics
from opportune.cli.stores import opened
from opportune.storage import Stores

__all__ = ["report", "resume", "run_day"]


class Form(StrEnum):
    """How a report is written."""

    lines = "lines"
    json = "json"
    csv = "csv"
    parquet = "parquet"
    html = "html"


Name = Annotated[str, typer.Argument(help="Name of the use case.")]


def run_day(
    name: Name,
    *,
    day: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Day to decide; today if left out."),
    ] = None,
) -> None:
    """Decide a day for one use case and fill the outbox; a second run changes nothing."""
    now = datetime.now(UTC)
    with opened(settings.load()) as stores:
        definitions = project.read(stores.state)
        wanted = (day or now).date()
        done = pipeline.run_day(stores, definitions, name, wanted, now=now)
    if done.state in ("draft", "paused"):
        said = "a draft" if done.state == "draft" else "paused"
        typer.echo(f"{name} {wanted}: {said}, nothing is decided. Go on: opportune start {name}")
        return
    if done.stopped:
        typer.echo(f"{name} {wanted}: stopped. {done.stopped} Go on: opportune resume {name}")
        return
    decided = "decided" if done.decided else "was decided before"
    shadow = " in shadow, nothing is sent" if done.state == "shadow" else ""
    typer.echo(
        f"{name} {wanted}: {decided}{shadow}, "
        f"{done.enqueued} sends added, {len(done.rewarded)} days rewarded."
    )
    for reason, count in done.held_back.items():
        typer.echo(f"  {count} without a decision ({reason}): {decisions.REASONS[reason]}.")


def resume(
    name: Name,
    *,
    by: Annotated[str, typer.Option(help="Who lets it go on; kept with the stop.")] = "console",
) -> None:
    """Let a use case decide again that a guard rail has stopped."""
    now = datetime.now(UTC)
    with opened(settings.load()) as stores:
        use_case = project.read(stores.state).use_case(name)
        stop = decisions.resume(stores.state, use_case.name, by=by, now=now)
    typer.echo(
        f"{name} goes on. It was stopped on {stop.day}: {stop.reason} The next day is decided when "
        f"it is due; for today, run opportune run-day {name}."
    )


def report(
    name: Name,
    *,
    form: Annotated[
        Form, typer.Option("--format", help="For people, for programs, or a file to keep.")
    ] = Form.lines,
    rolling: Annotated[
        int, typer.Option(help="Means over so many days in the files: 1, 7 or 30.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    tab: Annotated[
        str, typer.Option(help="Or in a file what the tab insights, health or timeline shows.")
    ] = "performance",
) -> None:
    """Show what a use case earned: lift against its own control group, with its interval."""
    form = Form.json if as_json else form
    with opened(settings.load()) as stores:
        if tab != "performance":
            typer.echo(_tab_file(stores, name, form, reports.check_tab(tab)), nl=False)
        elif form is Form.lines:
            _print(stores, name)
        else:
            typer.echo(_file(stores, name, form, rolling), nl=False)


def _print(stores: Stores, name: str) -> None:
    definitions, now = project.read(stores.state), datetime.now(UTC)
    use_case = definitions.use_case(name)
    metric = definitions.metric_of(use_case)
    print_performance(Console(), reports.performance(stores, use_case, metric, now=now))
    print_report_metrics(Console(), reports.report_metrics(stores, use_case, definitions.metrics))
    Console().print(reports.delay_curve(stores, use_case, metric, now=now).answer)
    chosen = reports.insights(stores, use_case, now=now)
    print_insights(Console(), chosen, reports.delivery_counts(stores.state, use_case.name))


def _tab_file(stores: Stores, name: str, form: Form, tab: reports.Tab) -> bytes:
    """Write what a tab shows; lines for people are those of its CSV."""
    definitions, now = project.read(stores.state), datetime.now(UTC)
    use_case = definitions.use_case(name)
    metric = definitions.metric_of(use_case)
    found = reports.tab_report(stores, use_case, metric, tab, now=now)
    if form is Form.html:
        return web.report_page(found)
    return reports.tab_file(found, "csv" if form is Form.lines else form.value)


def _file(stores: Stores, name: str, form: Form, rolling: int) -> bytes:
    definitions, now = project.read(stores.state), datetime.now(UTC)
    use_case, days = definitions.use_case(name), reports.check_rolling(rolling)
    metric = definitions.metric_of(use_case)
    found = reports.results(
        stores, use_case, metric, now=now, rolling=days, metrics=definitions.metrics
    )
    if form is Form.html:
        return web.report_page(found)
    if form is Form.json:
        delays = reports.delay_curve(stores, use_case, metric, now=now)
        document = reports.results_document(found) | {"delays": reports.to_document(delays)}
        return f"{json.dumps(document)}\n".encode()
    return reports.report_file(found, form.value)
