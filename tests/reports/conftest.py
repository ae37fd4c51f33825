from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def history() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "tests_history", Path(__file__).with_name("history.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["tests_history"] = module
    spec.loader.exec_module(module)
    return module
