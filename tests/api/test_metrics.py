"""Over HTTP: metrics, as the command line has them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from opportune import project, reports
from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]


def test_metrics_are_listed_and_asked_as_on_the_command_line(
    ask: Ask, apply: Callable[..., None], stores: Stores
) -> None:
    apply({"next_offer": "Next offer"})
    defined = project.read(stores.state).metrics
    status, listed = ask("/api/metrics")
    assert status == 200
    assert listed == [
        reports.to_document(reports.metric_definition(defined[name])) for name in sorted(defined)
    ]
    assert "orders" in [each["name"] for each in listed]
    status, told = ask("/api/metrics/orders?days=3")
    assert (status, told["metric"]["name"], len(told["days"])) == (200, "orders", 3)
    assert [each["people"] for each in told["days"]] == [0, 0, 0]
    assert (date.fromisoformat(told["until"]) - date.fromisoformat(told["since"])).days == 2
    assert len(ask("/api/metrics/orders")[1]["days"]) == 30
    status, wrong = ask("/api/metrics/ordrs")
    assert (status, "orders" in wrong["message"]) == (404, True)
    for days in ("0", "366", "many"):
        assert ask(f"/api/metrics/orders?days={days}")[0] == 400, days
