"""Over HTTP and at the console: a use case starts, decides in shadow, and pauses."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from opportune import decisions, pipeline
from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def told(apply: Callable[..., None], stores: Stores, history: ModuleType) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=50))


@pytest.mark.usefixtures("told")
def test_a_state_is_changed_once_and_shown(ask: Ask, stores: Stores) -> None:
    said = {"use_case": "next_offer", "state": "shadow", "audience": 0}
    assert ask("/api/use-cases/next_offer/shadow", {"by": "ann"}) == (
        200,
        {**said, "changed": True},
    )
    again = ask("/api/use-cases/next_offer/shadow", {"by": "ben"})
    assert again == (200, {**said, "changed": False})
    assert ask("/api/use-cases")[1]["use_cases"][0]["state"] == "shadow"
    report = ask("/api/use-cases/next_offer/performance")[1]
    assert (report["state"], report["shadow"]) == ("shadow", None)
    assert "It decides every day, and nothing is sent." in ask("/use-cases/next_offer")[1]
    assert ask("/api/use-cases/next_offer/pause", {"by": "ann"})[1]["state"] == "paused"
    assert "It decides nothing; what waits" in ask("/use-cases/next_offer")[1]
    assert ask("/api/use-cases/next_offer/start", {"by": "ann"})[1]["state"] == "live"
    (by,) = {each.changed_by for each in decisions.state_changes(stores.state, "next_offer")}
    assert by == "ann"


@pytest.mark.usefixtures("told")
def test_what_is_not_there_or_nobody_says_changes_nothing(ask: Ask, stores: Stores) -> None:
    assert ask("/api/use-cases/next_ofer/pause", {"by": "ann"})[0] == 404
    assert ask("/api/use-cases/next_offer/pause", {"by": ""})[0] == 400
    assert decisions.states(stores.state) == {}


@pytest.mark.usefixtures("told")
def test_a_draft_says_so(ask: Ask, stores: Stores, history: ModuleType) -> None:
    pipeline.change_state(stores, "next_offer", "draft", by="ann", now=history.NOW)
    assert "It decides nothing yet." in ask("/use-cases/next_offer")[1]
