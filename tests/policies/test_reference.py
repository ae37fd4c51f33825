"""What can be written under [policy] is in the reference, and every policy of ours is offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from opportune import plugins

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "policies.md"
OURS = ("epsilon_greedy", "factored_thompson", "fixed", "trees", "uniform", "wabbit")


@pytest.fixture(params=OURS)
def kind(request: pytest.FixtureRequest) -> Any:
    found = plugins.load(plugins.POLICIES, request.param)
    assert found.name == request.param  # type: ignore[attr-defined]
    return found


def test_every_setting_of_every_policy_is_in_the_reference(kind: Any) -> None:
    section = PAGE.read_text().partition(f"\n## {kind.name}\n")[2].partition("\n## ")[0]
    assert section
    settings = __import__(kind.__module__, fromlist=["_Settings"])._Settings
    names = [field.encode_name for field in msgspec.structs.fields(settings)]
    assert [name for name in names if f"| `{name}` |" not in section] == []
