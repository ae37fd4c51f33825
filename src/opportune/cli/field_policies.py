"""The command ``field-policies``: which fields may be used for what, and what breaks that."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from opportune import project, reports, settings
from opportune.cli.stores import opened

__all__ = ["field_policies"]


def field_policies(
    *, as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False
) -> None:
    """Show the policies for fields, the fields they may speak of, and what breaks them now."""
    with opened(settings.load()) as stores:
        defined = project.read(stores.state)
        report = reports.field_report(
            stores.state,
            defined.field_policies,
            segments=defined.segments,
            use_cases=defined.with_metrics(),
            used=reports.usage(
                defined.metrics,
                defined.segments,
                defined.use_cases,
                defined.tracking_plans,
                defined.computed_traits,
            ),
            now=datetime.now(UTC),
        )
    if as_json:
        typer.echo(json.dumps(asdict(report), default=str))
        return
    for policy in report.policies:
        forbids, uses = " or ".join(policy.forbids), ", ".join(policy.applies_to)
        typer.echo(f"policy {policy.name}: no {forbids} field for {uses}")
    for field in report.fields:
        labels = ", ".join(f"{label} ({because})" for label, because in field.labels.items())
        typer.echo(f"{field.kind} {field.name}: {labels}")
    for violation in report.violations:
        where = f"{violation.definition}, {violation.where}"
        typer.echo(f"refused: {where}: {violation.message}", err=True)
    if not report.violations:
        typer.echo("Nothing breaks a policy.")
