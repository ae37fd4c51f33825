"""``opportune warm-start``: a use case begins with what another log teaches."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from opportune import learning, project, settings
from opportune.cli.replay import progress
from opportune.cli.stores import opened
from opportune.errors import InvalidInput
from opportune.project import Project
from opportune.replay import Begun, check_columns, read_campaign, read_schema, warm_start
from opportune.storage import Stores

__all__ = ["WrongOptions", "warm_start_command"]


class WrongOptions(InvalidInput):
    """A command was given options that do not go together."""

    code = "wrong_options"


def warm_start_command(  # noqa: PLR0913 - the options of a command
    use_case: Annotated[str, typer.Argument(help="Name of the use case.")],
    file: Annotated[
        Path | None, typer.Argument(help="Parquet or CSV, as `opportune replay` reads it.")
    ] = None,
    *,
    schema: Annotated[
        Path | None, typer.Option(help="TOML that says what the columns mean.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(help="Which outcome; left out, the success metric's name.")
    ] = None,
    other: Annotated[
        str | None, typer.Option("--from", help="Another use case, instead of a file.")
    ] = None,
    share: Annotated[
        float, typer.Option(help="What a row counts beside an own one, up to 1.")
    ] = learning.WARM_SHARE,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Let the first day go on from a campaign that is over, or from another use case."""
    if (file is None or schema is None) if other is None else (file or schema or outcome):
        raise WrongOptions("Give a FILE and its --schema, or --from and another use case.")
    with opened(settings.load()) as stores:
        defined = project.read(stores.state)
        warnings: tuple[str, ...] = ()
        if other is not None:
            started = _from_other(stores, defined, use_case, other, share)
        elif file is not None and schema is not None:
            begun = _from_file(stores, defined, use_case, (file, schema), (outcome, share))
            started, warnings = begun.started, begun.warnings
    if as_json:
        told = {"use_case": use_case, **asdict(started.warm_start), "kept": started.kept}
        typer.echo(json.dumps({**told, "warnings": warnings}))
        return
    for warning in warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(_sentence(use_case, started))


def _from_file(
    stores: Stores,
    defined: Project,
    name: str,
    files: tuple[Path, Path],
    wanted: tuple[str | None, float],
) -> Begun:
    use_case = defined.use_case(name)
    path, schema = files
    outcome, share = wanted
    campaign = read_campaign(path, read_schema(schema))
    asked = [each for each in campaign.schema.outcomes if outcome in (None, each.name)]
    check_columns(campaign, asked, defined.field_policies)
    with progress(Console(stderr=True)) as told:
        return warm_start(
            stores,
            campaign,
            (use_case, defined.metric_of(use_case)),
            outcome=outcome,
            share=share,
            told=told,
        )


def _from_other(
    stores: Stores, defined: Project, name: str, other: str, share: float
) -> learning.WarmStarted:
    use_case, model = defined.use_case(name), defined.use_case(other)
    theirs = (model, defined.metric_of(model))
    return learning.warm_start_from(
        stores, use_case, defined.metric_of(use_case), theirs, share=share
    )


def _sentence(name: str, started: learning.WarmStarted) -> str:
    known = started.warm_start
    if not started.kept:
        return f"{name} began with {known.source} (digest {known.digest[:12]}) before: no change."
    rows = "what it learned" if known.rows is None else f"{known.rows:,} rows"
    return (
        f"{name}: its first day goes on from {rows} of {known.source} (digest {known.digest[:12]}, "
        f"outcome {known.outcome}), a row counting as {known.share:g} of an own one; "
        f"{known.left_out:,} rows left out."
    )
