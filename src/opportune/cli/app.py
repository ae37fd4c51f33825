"""The commands, and the one table from error family to exit code."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from opportune import errors
from opportune.cli import (
    bench,
    braze,
    decide,
    decisions,
    definitions,
    demo,
    destinations,
    events,
    explain,
    forget,
    identity,
    import_,
    init,
    person,
    rebuild,
    sandbox,
    segments,
    sends,
    serve,
    sign_in,
    states,
    timeline,
    use_case,
    warm_start,
)
from opportune.cli.bench_aa import aa
from opportune.cli.field_policies import field_policies
from opportune.cli.groups import groups
from opportune.cli.overlap import overlap
from opportune.cli.readiness import readiness
from opportune.cli.replay import replay_command
from opportune.cli.what_if import what_if

__all__ = ["EXIT_CODES", "app", "main"]

EXIT_CODES: dict[type[errors.OpportuneError], int] = {
    errors.InvalidInput: 2,
    errors.NotFound: 3,
    errors.Conflict: 4,
    errors.Forbidden: 5,
    errors.Unsupported: 6,
    errors.Unavailable: 7,
}

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Decide for every customer what to send, have it sent, learn, and prove what it earned.",
)


@app.callback()
def options(
    *,
    until_stdin_ends: Annotated[
        bool,
        typer.Option(
            "--until-stdin-ends", help="End, as if interrupted, when the standard input ends."
        ),
    ] = False,
) -> None:
    """Do what every command does first."""
    if until_stdin_ends:
        serve.end_with_stdin()


app.add_typer(demo.app)
app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.command("init")(init.init)
app.command("check")(definitions.check)
app.command("apply")(definitions.apply)
app.command("keys")(definitions.keys)
app.command("run-day")(use_case.run_day)
app.add_typer(decide.app)
app.add_typer(decisions.app)
app.command("explain")(explain.explain)
app.command("timeline")(timeline.timeline)
app.command("report")(use_case.report)
app.command("groups")(groups)
app.command("overlap")(overlap)
app.command("readiness")(readiness)
app.command("what-if")(what_if)
app.command("resume")(use_case.resume)
app.command("start")(states.start)
app.command("shadow")(states.shadow)
app.command("pause")(states.pause)
app.command("replay")(replay_command)
app.add_typer(warm_start.app)
app.command("catalogue")(events.catalogue)
app.command("rebuild")(rebuild.rebuild)
app.add_typer(events.app, name="rejects")
app.command("field-policies")(field_policies)
app.add_typer(identity.app, name="identity")
app.add_typer(destinations.app, name="destinations")
app.add_typer(braze.app, name="braze")
app.add_typer(person.app, name="person")
app.add_typer(import_.app)
app.add_typer(segments.app, name="segments")
app.add_typer(sends.app, name="sends")
app.command("forget")(forget.forget)
app.command("export-person")(forget.export_person)
app.add_typer(forget.app, name="privacy")
app.add_typer(sign_in.app, name="sign-in")
app.add_typer(sandbox.app, name="sandbox")
bench.app.command("aa")(aa)
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Run the command line; an error of ours becomes its message and its family's exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        app()
    except errors.OpportuneError as error:
        typer.echo(f"{error.code}: {error.message}", err=True)
        codes = [code for family, code in EXIT_CODES.items() if isinstance(error, family)]
        sys.exit(codes[0] if codes else 1)
