"""``metric``: which metrics there are, and what one of them comes to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import project, reports, settings
from opportune.cli.stores import opened
from opportune.project import Project
from opportune.reports import MetricDefinition, MetricValue

__all__ = ["metric"]


def metric(
    name: Annotated[
        str | None, typer.Argument(help="Name of the metric; left out: list all of them.")
    ] = None,
    *,
    days: Annotated[int, typer.Option(help="Over how many days, today included: 1 to 365.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """List the metrics with what each counts, or ask what one came to by day, and of how many."""
    now = datetime.now(UTC)
    with opened(settings.load()) as stores:
        defined = project.read(stores.state)
        if name is None:
            _list(defined, as_json=as_json)
            return
        found = reports.metric_days(stores, defined.metric(name), now=now, days=days)
    if as_json:
        typer.echo(json.dumps(reports.to_document(found)))
        return
    typer.echo(_said(found.metric))
    typer.echo(_line(f"{found.since} to {found.until}", found.whole, found.metric))
    for each in found.days:
        if each.people:
            typer.echo(_line(f"{each.day}", each, found.metric))
    silent = sum(1 for each in found.days if not each.people)
    if silent:
        typer.echo(f"Nobody on {silent} of {len(found.days)} days.")


def _list(defined: Project, *, as_json: bool) -> None:
    found = reports.metric_definitions(defined.metrics)
    if as_json:
        typer.echo(json.dumps([reports.to_document(each) for each in found]))
        return
    for each in found:
        typer.echo(_said(each))
    if not found:
        typer.echo("No metric is defined. Put one into metrics/NAME.toml and apply the folder.")


def _said(metric: MetricDefinition) -> str:
    about = metric.formula
    if not about:
        value = f" of {metric.value}" if metric.value else ""
        about = f"{metric.aggregate}{value} over {', '.join(metric.events)}"
        about += f" where {metric.where}" if metric.where else ""
    return f"{metric.name}: {about}, in {metric.unit}, within {metric.window_days} days"


def _line(when: str, value: MetricValue, metric: MetricDefinition) -> str:
    said = f"{when}: {value.people:,} people"
    if value.total is not None:
        said += f", {value.total:,.6g} {metric.unit}"
    if value.mean is not None:
        said += f", {value.mean:,.4g} per person"
    if value.low is not None and value.high is not None:
        said += f" ({value.low:,.4g} to {value.high:,.4g})"
    return said
