from __future__ import annotations

from types import ModuleType

import pytest

import history as past


@pytest.fixture(scope="session")
def history() -> ModuleType:
    return past
