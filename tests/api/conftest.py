"""The interface is tested over the same server and the same past as the pages."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def _load(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_pages = _load("tests_web", Path(__file__).parents[1] / "web" / "conftest.py")

apply = _pages.apply
history = _pages.history
serve = _pages.serve
site = _pages.site
