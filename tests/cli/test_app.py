"""The table of commands: what is loaded when, and what is said of a name that is not in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import typer

from opportune.cli.app import COMMANDS, app

Run = Callable[..., tuple[int, str, str]]


def test_a_command_loads_no_more_than_its_own_file() -> None:
    asked = (
        "import sys; sys.argv = ['opportune', 'check', '--help']\n"
        "from opportune.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "rooms = ['cli.definitions', 'project', 'api', 'web', 'sandbox', 'cli.bench']\n"
        "print([room for room in rooms if 'opportune.' + room in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "['cli.definitions', 'project']"


def test_linear_algebra_has_one_thread_unless_somebody_says_otherwise() -> None:
    asked = (
        "import os, sys; sys.argv = ['opportune', 'bench', '--help']\n"
        "from opportune.cli import main\n"
        "assert 'numpy' not in sys.modules\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('numpy' in sys.modules, os.environ['OPENBLAS_NUM_THREADS'])"
    )
    for given, held in ({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2"):
        inherited = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
        done = subprocess.run(
            [sys.executable, "-c", asked],
            check=True,
            capture_output=True,
            text=True,
            env=inherited | given,
        )
        assert done.stdout.splitlines()[-1] == f"True {held}"


def test_every_command_of_the_table_is_found_under_its_own_name() -> None:
    root = typer.main.get_command(app)
    within = typer.Context(root)
    found = [root.get_command(within, name) for name in root.list_commands(within)]  # type: ignore[attr-defined]
    assert [command.name for command in found] == list(COMMANDS)
    assert all(command.get_short_help_str() for command in found)


def test_an_unknown_command_is_named_and_so_are_the_nearest(command: Run) -> None:
    code, out, err = command("segmets")
    assert (code, out) == (2, "")
    assert "segmets" in err
    assert "segments" in err
