"""What the house tests read: the repository, and every module of the package, imported."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

FOLDERS = (".ci", "benchmarks", "changes", "docs", "examples", "requirements", "src", "tests")


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def source(root: Path) -> Path:
    return root / "src" / "opportune"


@pytest.fixture(scope="session")
def texts(root: Path) -> dict[Path, str]:
    """Every text file of the repository; built and installed files are not part of it."""
    # In a work tree of its own, .git is a file and names the folder of the repository.
    found = [
        path
        for path in root.iterdir()
        if path.is_file() and path.name != ".git" and not path.name.startswith(".cov")
    ]
    for folder in FOLDERS:
        found += [path for path in (root / folder).rglob("*") if path.is_file()]
    return {path: text for path in sorted(found) if (text := _text(path)) is not None}


@pytest.fixture(scope="session")
def generate(root: Path) -> ModuleType:
    """docs/generate.py, which knows how to list rooms, settings and errors."""
    spec = importlib.util.spec_from_file_location("generate", root / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def modules(generate: ModuleType) -> list[ModuleType]:
    return list(generate.modules())


@pytest.fixture(scope="session")
def rooms(generate: ModuleType, modules: list[ModuleType]) -> list[ModuleType]:
    names = generate.room_names()
    return [module for module in modules if module.__name__ in names]


def _text(path: Path) -> str | None:
    if any(part == "__pycache__" or part.endswith(".egg-info") for part in path.parts):
        return None
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
