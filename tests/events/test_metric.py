"""A metric's file is read whole, and each of its mistakes is named."""

from __future__ import annotations

import pytest

from opportune.events import Metric, parse_metric

ORDERS = {"event": "Order Completed", "value": "count", "unit": "orders", "window_days": 2}


def test_a_metric_is_read_from_its_table() -> None:
    problems: list[str] = []
    assert parse_metric("orders", ORDERS, problems) == Metric(
        name="orders",
        title="orders",
        event="Order Completed",
        property=None,
        unit="orders",
        window_days=2,
    )
    assert problems == []


def test_a_value_that_is_not_count_is_the_property_to_sum() -> None:
    metric = parse_metric("revenue", {**ORDERS, "value": "revenue", "title": "Revenue"}, [])
    assert metric is not None
    assert (metric.property, metric.title) == ("revenue", "Revenue")


def test_all_mistakes_are_named_at_once_with_the_nearest_key() -> None:
    problems: list[str] = []
    table = {"evnt": "Order Completed", "value": 5, "unit": "orders", "window_days": 400}
    assert parse_metric("orders", table, problems) is None
    assert problems == [
        "metrics/orders.toml: value: 5 given, must be a non-empty text.",
        "metrics/orders.toml: window_days: 400 given, must be a number from 1 to 365.",
        "metrics/orders.toml: event: missing, must be a non-empty text.",
        "metrics/orders.toml: evnt: unknown key. Did you mean 'event'? "
        "Allowed: event, title, unit, value, window_days.",
    ]


@pytest.mark.parametrize("days", [0, 366, True, 2.5, "2", None])
def test_a_window_is_a_whole_number_of_days(days: object) -> None:
    problems: list[str] = []
    assert parse_metric("orders", {**ORDERS, "window_days": days}, problems) is None
    assert len(problems) == 1
    assert problems[0].startswith("metrics/orders.toml: window_days: ")
