"""``decisions``: what was decided for whom, one by one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

import typer

from opportune import profiles, project, reports, settings
from opportune.cli.stores import opened
from opportune.reports import DecisionFilter, LoggedDecision

__all__ = ["decisions"]


class Form(StrEnum):
    """How the list is written."""

    lines = "lines"
    json = "json"
    csv = "csv"


class Variant(StrEnum):
    """The groups that are decided for."""

    treatment = "treatment"
    control = "control"
    random = "random"
    champion = "champion"
    holdout = "holdout"
    shadow = "shadow"


Name = Annotated[str, typer.Argument(help="Name of the use case.")]
Chosen = Annotated[str, typer.Option(help="Only with this option, such as channel:email.")]
Explored = Annotated[
    bool | None, typer.Option("--explored/--exploited", help="Only what explored, or did not.")
]
FirstDay = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First decision day.")
]
LastDay = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last decision day.")]
UserId = Annotated[str, typer.Option(help="Only of the profile with this user id.")]
First = Annotated[int, typer.Option(min=0, help="Leave out so many of the newest.")]
Limit = Annotated[int, typer.Option(min=1, max=reports.MOST_EXPORTED, help="At most so many.")]
Written = Annotated[Form, typer.Option("--format", help="For people or for programs.")]


def decisions(  # noqa: PLR0913 - the options of a command
    use_case: Name,
    *,
    variant: Annotated[Variant | None, typer.Option(help="Only of this group.")] = None,
    option: Chosen = "",
    explored: Explored = None,
    from_day: FirstDay = None,
    to_day: LastDay = None,
    user_id: UserId = "",
    first: First = 0,
    limit: Limit = 20,
    form: Written = Form.lines,
) -> None:
    """List decisions, the newest first: who got what, how likely it was, what became of it."""
    dimension, _, chosen = option.partition(":")
    with opened(settings.load()) as stores:
        profile_id = profiles.get(stores.state, "user_id", user_id).profile_id if user_id else None
        asked = DecisionFilter(
            variant="" if variant is None else variant.value,
            dimension=dimension,
            option=chosen,
            explored=explored,
            first_day=None if from_day is None else from_day.date(),
            last_day=None if to_day is None else to_day.date(),
            profile_id=profile_id,
        )
        named = project.read(stores.state).use_case(use_case)
        now = datetime.now(UTC)
        log = reports.decision_log(stores, named, asked, now=now, first=first, limit=limit)
    if form is Form.json:
        typer.echo(json.dumps(reports.to_document(log)))
    elif form is Form.csv:
        typer.echo(reports.decisions_csv(log), nl=False)
    else:
        typer.echo(f"{len(log.decisions):,} of {log.total:,} decisions, the newest first")
        for each in log.decisions:
            typer.echo(_line(each))


def _line(each: LoggedDecision) -> str:
    action = ", ".join(f"{dimension} {option}" for dimension, option in each.action.items())
    delivery = f", {each.delivery}" if each.delivery else ""
    reason = f" ({each.reason})" if each.reason else ""
    return (
        f"{each.day} {each.decision_id} {each.variant}: {action}, probability "
        f"{each.propensity:.4f}{', explored' if each.explored else ''}{delivery}{reason}"
    )
