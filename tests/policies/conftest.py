from __future__ import annotations

import pytest

from opportune.policies import ActionSpace, Dimension


@pytest.fixture(scope="session")
def space() -> ActionSpace:
    """Three dimensions of 4, 5 and 3 options: 60 combinations."""
    return ActionSpace(
        dimensions=tuple(
            Dimension(name=name, options=tuple(f"{name}_{k}" for k in range(size)))
            for name, size in (("offer", 4), ("channel", 5), ("hour", 3))
        )
    )
