"""Who may import whom, as written in pyproject.toml."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    environ = os.environ | {"PYTHONPATH": str(folder / "src"), "PYTHONWARNINGS": "default"}
    return subprocess.run(
        [str(command), "--no-cache"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def skeleton(root: Path, tmp_path: Path) -> Path:
    """The house with every listed room, all of them empty."""
    shutil.copy(root / "pyproject.toml", tmp_path)
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]
    named = {f"opportune.{room}" for room in _listed(contracts["contracts"])}
    for contract in contracts["contracts"]:
        named.update(contract.get("source_modules", []))
    for name in ("opportune", *sorted(named)):
        _add_room(tmp_path, name, code="")
    return tmp_path


def _listed(contracts: list[dict[str, list[str]]]) -> list[str]:
    layers = next(contract["layers"] for contract in contracts if "layers" in contract)
    return [room.strip(" ()") for layer in layers for room in layer.split("|")]


def _add_room(folder: Path, name: str, *, code: str) -> None:
    room = folder.joinpath("src", *name.split("."))
    room.mkdir(parents=True, exist_ok=True)
    (room / "__init__.py").write_text(f'"""A room."""\n{code}')


def test_every_import_points_downwards(root: Path) -> None:
    answer = lint_imports(root)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_empty_rooms_keep_every_contract(skeleton: Path) -> None:
    answer = lint_imports(skeleton)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("room", "code"),
    [
        ("attic", ""),
        ("errors", "import opportune.settings\n"),
        ("rules", "import opportune.stats\n"),
        ("learning", "import duckdb\n"),
        ("decisions", "import starlette\n"),
        ("profiles", "import urllib3\n"),
    ],
    ids=[
        "a room that no layer lists",
        "an import upwards",
        "an import sideways",
        "a database outside storage",
        "the web framework outside the surfaces",
        "the network client outside activation",
    ],
)
def test_a_broken_promise_fails(skeleton: Path, room: str, code: str) -> None:
    _add_room(skeleton, f"opportune.{room}", code=code)
    answer = lint_imports(skeleton)
    assert answer.returncode == 1
    assert f"opportune.{room}" in answer.stdout.replace("\n", " ")
