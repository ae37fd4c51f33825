"""What a metric comes to by day, and how many people are behind it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from opportune.events import Metric, parse_metrics
from opportune.reports import InvalidDays, metric_days, metric_definition
from opportune.storage import Stores

NOW = datetime(2026, 2, 28, 12, tzinfo=UTC)
BODIES = {
    "orders": {"event": "Bought", "unit": "orders", "window_days": 7},
    "revenue": {
        "event": "Bought",
        "value": "revenue",
        "unit": "EUR",
        "window_days": 7,
        "where": {"property": "store", "is": "web"},
    },
    "price": {
        "event": "Bought",
        "value": "revenue * 1",
        "aggregate": "mean",
        "unit": "EUR",
        "window_days": 7,
    },
    "aov": {"formula": "sum(revenue) / sum(orders)"},
}
METRICS: dict[str, Metric] = {
    name: each for name, each in parse_metrics(BODIES, []).items() if each
}


def bought(number: int, user: str, at: str, revenue: float, store: str = "web") -> object:
    return {
        "type": "track",
        "event": "Bought",
        "messageId": f"m{number}",
        "userId": user,
        "timestamp": f"2026-{at}:00:00Z",
        "properties": {"revenue": revenue, "store": store},
    }


def test_each_day_has_its_people_and_what_they_brought(
    stores: Stores, take_in: Callable[..., None]
) -> None:
    take_in(
        bought(1, "ana", "02-26T10", 10),
        bought(2, "ana", "02-26T11", 20),
        bought(3, "ben", "02-26T12", 50, "shop"),
        bought(4, "ana", "02-28T09", 6),
        bought(5, "ben", "02-25T23", 99),
    )

    def asked(name: str) -> list[tuple[int, float | None, float | None]]:
        found = metric_days(stores, METRICS[name], now=NOW, days=3)
        assert [each.day for each in found.days] == [date(2026, 2, each) for each in (26, 27, 28)]
        return [(each.people, each.total, each.mean) for each in (found.whole, *found.days)]

    assert asked("orders") == [(2, 4.0, 2.0), (2, 3.0, 1.5), (0, 0.0, None), (1, 1.0, 1.0)]
    assert asked("revenue") == [(1, 36.0, 36.0), (1, 30.0, 30.0), (0, 0.0, None), (1, 6.0, 6.0)]
    assert asked("price") == [
        (2, None, 31.0),
        (2, None, 32.5),
        (0, None, None),
        (1, None, 6.0),
    ]
    assert asked("aov") == [(2, None, 9.0), (2, None, 10.0), (0, None, None), (1, None, 6.0)]


def test_days_and_definitions_are_said(stores: Stores) -> None:
    for days in (0, 366):
        with pytest.raises(InvalidDays, match=f"{days} days given. Allowed: 1 to 365"):
            metric_days(stores, METRICS["orders"], now=NOW, days=days)
    nothing = metric_days(stores, METRICS["aov"], now=NOW, days=1)
    assert (nothing.whole.people, nothing.whole.mean, nothing.whole.low) == (0, None, None)
    said = metric_definition(METRICS["revenue"])
    assert (said.aggregate, said.value, said.where) == (
        "sum",
        "revenue",
        '{"is": "web", "property": "store"}',
    )
    assert metric_definition(METRICS["price"]).value == "revenue * 1"
    calculated = metric_definition(METRICS["aov"])
    assert (calculated.formula, calculated.parts, calculated.unit) == (
        "sum(revenue) / sum(orders)",
        ("revenue", "orders"),
        "EUR per orders",
    )
