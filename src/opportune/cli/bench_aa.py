"""``opportune bench aa``: how often the report sees a difference where there is none."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from opportune.reports.answer import percent
from opportune.simulate import Trial, false_alarms

__all__ = ["aa"]


def aa(
    *,
    use_cases: Annotated[
        int, typer.Option(min=1, max=100_000, help="How many use cases are simulated.")
    ] = 1000,
    days: Annotated[int, typer.Option(min=1, max=365, help="Days, each of them looked at.")] = 60,
    people_a_day: Annotated[int, typer.Option(min=2, help="New people a day.")] = 2000,
    control_share: Annotated[float, typer.Option(help="Their share in control.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Same seed, same luck.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Simulate A/A use cases, look at each every day, and count the false alarms."""
    trial = Trial(days=days, people_a_day=people_a_day, control_share=control_share)
    found = false_alarms(trial, use_cases=use_cases, seed=seed)
    if as_json:
        typer.echo(json.dumps({**asdict(trial), "seed": seed, **asdict(found)}))
        return
    share, low, high = (
        percent(each, signed=False) for each in (found.share, found.low, found.high)
    )
    typer.echo(
        f"{found.alarms:,} of {found.use_cases:,} use cases without any effect showed one at one "
        f"of {days} daily looks: {share} (between {low} and {high})"
    )
    typer.echo(f"on the last day: {found.last_day:,}; promised: at most 5 % at any look")
