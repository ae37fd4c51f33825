"""Over HTTP: groups, and whom use cases share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Ask = Callable[..., tuple[int, Any]]


def test_groups_and_overlap_are_one_document_each(ask: Ask, apply: Callable[..., None]) -> None:
    apply({"next_offer": "Next offer"})
    status, told = ask("/api/use-cases/next_offer/groups")
    assert (status, told["groups"][0]["result"]["variant"]) == (200, "treatment")
    status, told = ask("/api/use-cases/next_offer/overlap")
    assert (status, told["audience"], told["by_several"]) == (200, 0, 0)
    for part in ("groups", "overlap"):
        assert ask(f"/api/use-cases/next_offr/{part}")[0] == 404
