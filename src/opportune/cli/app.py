"""The commands, and the one table from error family to exit code."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from opportune import errors
from opportune.cli.stdin import end_with_stdin

__all__ = ["COMMANDS", "EXIT_CODES", "Commands", "app", "main"]

# Each with the file and the name it is found by: a command loads what it needs, not what all need.
COMMANDS = {
    "demo": "demo:demo",
    "serve": "serve:serve",
    "worker": "serve:worker",
    "init": "init:init",
    "check": "definitions:check",
    "apply": "definitions:apply",
    "keys": "definitions:keys",
    "run-day": "use_case:run_day",
    "decide": "decide:decide",
    "decisions": "decisions:decisions",
    "explain": "explain:explain",
    "timeline": "timeline:timeline",
    "report": "use_case:report",
    "metric": "metric:metric",
    "groups": "groups:groups",
    "overlap": "overlap:overlap",
    "readiness": "readiness:readiness",
    "what-if": "what_if:what_if",
    "resume": "use_case:resume",
    "start": "states:start",
    "shadow": "states:shadow",
    "pause": "states:pause",
    "replay": "replay:replay_command",
    "warm-start": "warm_start:warm_start_command",
    "catalogue": "events:catalogue",
    "rebuild": "rebuild:rebuild",
    "rejects": "events:app",
    "field-policies": "field_policies:field_policies",
    "identity": "identity:app",
    "destinations": "destinations:app",
    "person": "person:app",
    "import": "import_:import_command",
    "segments": "segments:app",
    "sends": "sends:app",
    "forget": "forget:forget",
    "export-person": "forget:export_person",
    "privacy": "forget:app",
    "sign-in": "sign_in:app",
    "braze": "braze:app",
    "sandbox": "sandbox:app",
    "bench": "bench:app",
}
EXIT_CODES: dict[type[errors.OpportuneError], int] = {
    errors.InvalidInput: 2,
    errors.NotFound: 3,
    errors.Conflict: 4,
    errors.Forbidden: 5,
    errors.Unsupported: 6,
    errors.Unavailable: 7,
}


class Commands(TyperGroup):
    """The commands of ``COMMANDS``, each loaded when it is asked for."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        # Their names, in the order of the table and to find the nearest one to a wrong one.
        self.commands: Any = dict.fromkeys(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command or the group of this name, None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        file, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(importlib.import_module(f"opportune.cli.{file}"), name)
        if isinstance(found, typer.Typer):
            command = typer.main.get_group(found)
            command.name = cmd_name
            return command
        alone = typer.Typer(add_completion=False)
        alone.command(cmd_name)(found)
        return typer.main.get_command(alone)


app = typer.Typer(
    cls=Commands,
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
        end_with_stdin()


def main() -> None:
    """Run the command line; an error of ours becomes its message and its family's exit code."""
    # Read when a command loads numpy. Several processes share the machine, and threads of linear
    # algebra that wait for each other make training twenty times as long; who sets it is obeyed.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    try:
        app()
    except errors.OpportuneError as error:
        typer.echo(f"{error.code}: {error.message}", err=True)
        codes = [code for family, code in EXIT_CODES.items() if isinstance(error, family)]
        sys.exit(codes[0] if codes else 1)
