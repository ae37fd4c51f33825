"""Over HTTP: ours beside Braze's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from opportune import reports
from opportune.activation.braze import CountedDay
from opportune.api.reconciliation import reconciliation_answer

Ask = Callable[..., tuple[int, Any]]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_what_cannot_be_compared_is_refused(ask: Ask, apply: Callable[..., None]) -> None:
    apply({"next_offer": "Next offer"})
    status, told = ask("/api/use-cases/next_offer/reconciliation")
    assert (status, told["code"]) == (400, "invalid_api_key")
    assert ask("/api/use-cases/next_offer/reconciliation?days=15")[0] in {400, 422}
    assert ask("/api/use-cases/next_offr/reconciliation")[0] == 404


def test_a_reconciliation_is_one_document() -> None:
    one = reports.ReconciledDay(
        ours=reports.OurDay(day=NOW.date(), accepted=5, clicks=3, machine_clicks=1),
        theirs=CountedDay(day=NOW.date(), sent=4, clicks=3),
    )
    found = reports.Reconciliation(use_case="next_offer", as_of=NOW, days=(one,), total=one)
    told = reconciliation_answer(found).model_dump(mode="json")
    assert told["sentence"] == found.sentence
    assert told["total"]["ours"]["machine_clicks"] == 1
    assert told["days"][0]["theirs"]["sent"] == 4
