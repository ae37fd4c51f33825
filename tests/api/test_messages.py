"""Over HTTP: a preview, and what a test send refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Ask = Callable[..., tuple[int, Any]]
PLACE = "/api/use-cases/next_offer"


def test_a_preview_says_what_is_handed_over(ask: Ask, apply: Callable[..., None]) -> None:
    apply({"next_offer": "Next offer"})
    status, told = ask(f"{PLACE}/preview", {})
    assert (status, told["sends"], told["messages"]) == (200, True, [])
    assert told["properties"] == told["action"]
    assert told["trouble"].startswith("OPPORTUNE_BRAZE_API_KEY is not set")
    status, told = ask(f"{PLACE}/preview", {"action": {"offer": "nothing"}})
    assert (status, told["code"]) == (400, "unknown_combination")
    status, told = ask(f"{PLACE}/test-sends", {"to": "tester@example.com", "by": "ann"})
    assert (status, told["code"]) == (400, "invalid_api_key")
    assert ask(f"{PLACE}/test-sends", {"to": "tester@example.com"})[0] == 400
    assert ask("/api/use-cases/nothing/preview", {})[0] == 404
