"""``what-if``: what a use case would have earned with other options, limits or another policy."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from opportune import pipeline, project, settings, stats
from opportune.cli.stores import opened
from opportune.decisions import UseCase
from opportune.documents import InvalidDefinition
from opportune.learning import WhatIf
from opportune.pipeline import Otherwise
from opportune.reports import to_document
from opportune.storage import State

__all__ = ["what_if"]


def what_if(
    name: Annotated[str, typer.Argument(help="Name of the use case whose log is asked.")],
    *,
    without: Annotated[
        list[str] | None, typer.Option(help="Take an option away: dimension=option.")
    ] = None,
    forbid: Annotated[
        list[str] | None,
        typer.Option(help="Forbid options together: dimension=option,dimension=option."),
    ] = None,
    policy: Annotated[
        str,
        typer.Option(help="What plays: learned, uniform, or always dimension=option,..."),
    ] = "learned",
    use_case: Annotated[
        Path | None, typer.Option(help="File of another use case, which need not be applied.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Estimate from the decision log what another choice of options or policy would have earned."""
    asked = Otherwise(
        without=[_pair(each, "--without") for each in without or []],
        forbid=[dict(_pairs(each, "--forbid")) for each in forbid or []],
        plays="fixed" if "=" in policy else policy,
        action=dict(_pairs(policy, "--policy")) if "=" in policy else {},
    )
    now = datetime.now(UTC)
    with opened(settings.load()) as stores:
        defined = project.read(stores.state)
        chosen = defined.use_case(name)
        if use_case is not None:
            chosen = _read(stores.state, use_case)
        found = pipeline.what_if(stores, defined, chosen, asked=asked, log_name=name, now=now)
    if as_json:
        typer.echo(json.dumps(to_document(found)))
        return
    for line in _lines(found):
        typer.echo(line)


def _pair(text: str, option: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise typer.BadParameter(f"{text!r} given, write dimension=option.", param_hint=option)
    return name, value


def _pairs(text: str, option: str) -> list[tuple[str, str]]:
    return [_pair(each, option) for each in text.split(",") if each.strip()]


def _read(state: State, file: Path) -> UseCase:
    try:
        body = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as cause:
        raise InvalidDefinition([f"{file}: cannot be read: {cause.strerror}."]) from cause
    except ValueError as cause:
        raise InvalidDefinition([f"{file}: is no TOML: {cause}."]) from cause
    found, problems = project.judge_use_case(state, file.stem, body)
    if found is None:
        raise InvalidDefinition(list(problems))
    return found


def _lines(found: WhatIf) -> Iterator[str]:
    yield found.answer
    yield (
        f"log: {found.use_case}, version {found.version}, {found.days} days "
        + (f"({found.first_day} to {found.last_day}), " if found.days else "")
        + f"{found.decisions:,} decisions; what plays: {found.plays}"
    )
    if found.logged is not None:
        yield f"as it was: {_estimate(found.logged)} {found.unit} a decision"
    for name, each in found.estimates.items():
        mark = "*" if name == found.estimator else " "
        yield f"{mark} {name:9} {_estimate(each)}, worth {each.effective_sample_size:,.0f} rows"
    if found.unsupported_share is not None:
        yield f"never played by the log: {found.unsupported_share:.1%} of what plays"
    for note in found.notes:
        yield f"note: {note}"
    for refusal in found.refusals:
        yield from (f"  {remedy}" for remedy in refusal.remedies[1:])


def _estimate(each: stats.Estimate) -> str:
    if each.value is None:
        return "unknown"
    if each.low is None or each.high is None:
        return f"refused ({each.reason})"
    return f"{each.value:.4g} [{each.low:.4g}, {each.high:.4g}]"
