"""The locks: pinned, hashed, complete, and silent about where a package came from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

PIN = re.compile(r"([a-z0-9.-]+)==(\S+)")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}")


def pins(lock: Path) -> dict[str, list[str]]:
    """Versions by name; two where the version depends on the Python it is installed on."""
    found: dict[str, list[str]] = {}
    for name, version in PIN.findall(lock.read_text()):
        found.setdefault(name, []).append(version)
    return found


def wanted(names: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9._-]+", name) for name in names)
    return {re.sub(r"[._]", "-", match[0]).lower() for match in found if match}


@pytest.mark.parametrize(
    "name", ["runtime.lock", "dev.lock", "spark.lock", "peers.lock", "obp.lock"]
)
def test_a_lock_holds_nothing_but_pins_and_hashes(root: Path, name: str) -> None:
    logical = (root / "requirements" / name).read_text().replace(" \\\n", "\n").splitlines()
    strange = [line for line in logical if not PIN.match(line) and not HASH.fullmatch(line)]
    assert strange == []
    unhashed = [
        line
        for line, following in zip(logical, [*logical[1:], ""], strict=True)
        if PIN.match(line) and not HASH.fullmatch(following)
    ]
    assert unhashed == []


def test_the_runtime_lock_holds_every_dependency(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    named = [*project["dependencies"], *project["optional-dependencies"]["embedded"]]
    assert sorted(wanted(named) - set(pins(root / "requirements" / "runtime.lock"))) == []


def test_the_development_lock_holds_everything_at_the_same_version(root: Path) -> None:
    lines = (root / "requirements" / "dev.in").read_text().splitlines()
    development = pins(root / "requirements" / "dev.lock")
    named = [line for line in lines if line and not line.startswith("#")]
    assert sorted(wanted(named) - set(development)) == []
    runtime = pins(root / "requirements" / "runtime.lock")
    assert {name: development.get(name) for name in runtime} == runtime
