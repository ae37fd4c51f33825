from __future__ import annotations

from collections.abc import Iterator

import pytest

from braze_sandbox import Sandbox
from opportune.activation.braze import Workspace


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    found = Sandbox()
    yield found
    found.close()


@pytest.fixture
def workspace(sandbox: Sandbox) -> Workspace:
    return sandbox.workspace()
