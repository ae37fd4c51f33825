"""Over HTTP: is a use case worth starting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Ask = Callable[..., tuple[int, Any]]


def test_readiness_is_answered_in_one_document(ask: Ask, apply: Callable[..., None]) -> None:
    apply({"next_offer": "Next offer"})
    status, told = ask("/api/use-cases/next_offer/readiness")
    assert (status, told["ready"], told["within_days"]) == (200, False, 90)
    assert told["refusals"][0] == {
        "reason": "The audience has nobody.",
        "remedies": ["Widen the audience."],
    }
    assert [each["effect"] for each in told["waits"]] == [0.1, 0.2]
    assert ask("/api/use-cases/next_offr/readiness")[0] == 404
    assert ask("/api/use-cases/next_offer/readiness?within_days=0")[0] in {400, 422}
