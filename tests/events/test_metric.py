"""A metric's file is read whole, and each of its mistakes is named."""

from __future__ import annotations

import pytest

from opportune import rules
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
        "Allowed: aggregate, currency, event, events, title, unit, value, where, window_days.",
    ]


@pytest.mark.parametrize("days", [0, 366, True, 2.5, "2", None])
def test_a_window_is_a_whole_number_of_days(days: object) -> None:
    problems: list[str] = []
    assert parse_metric("orders", {**ORDERS, "window_days": days}, problems) is None
    assert len(problems) == 1
    assert problems[0].startswith("metrics/orders.toml: window_days: ")


WEB = {"property": "store", "is": "web"}


def read(**more: object) -> tuple[Metric | None, list[str]]:
    problems: list[str] = []
    return parse_metric("orders", _given({**ORDERS, **more}), problems), problems


def _given(table: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in table.items() if value is not None}


def test_a_filter_is_a_rule_over_the_properties_of_the_event() -> None:
    metric, problems = read(where=WEB)
    assert problems == []
    assert metric is not None
    assert metric.measure.match == rules.Match(
        events=("Order Completed",),
        where=rules.Compare(name="store", operator="is", kind="text", value="web"),
    )
    assert metric.properties == {("Order Completed", "store")}


def test_a_metric_may_mean_several_events() -> None:
    problems: list[str] = []
    table = {"events": ["Ordered", "Renewed"], "value": "fee", "unit": "EUR", "window_days": 2}
    metric = parse_metric("sales", table, problems)
    assert problems == []
    assert metric is not None
    assert metric.measure.match.events == ("Ordered", "Renewed")
    assert metric.properties == {("Ordered", "fee"), ("Renewed", "fee")}


def test_amounts_of_another_currency_are_left_out() -> None:
    problems: list[str] = []
    table = {"event": "Ordered", "value": "fee", "currency": "EUR", "window_days": 2}
    metric = parse_metric("sales", {**table, "where": WEB}, problems)
    assert problems == []
    assert metric is not None
    assert metric.unit == "EUR"
    where = metric.measure.match.where
    assert where is not None
    assert rules.words(where) == 'store is "web" and (currency is not known or currency is "EUR")'
    assert metric.properties == {
        ("Ordered", "currency"), ("Ordered", "fee"), ("Ordered", "store")
    }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "aggregate", "is_count"),
    [
        ({}, "sum", True),
        ({"aggregate": "count"}, "sum", True),
        ({"aggregate": "unique_days"}, "unique_days", False),
        ({"value": "revenue"}, "sum", False),
        ({"value": "revenue", "aggregate": "mean"}, "mean", False),
        ({"value": "revenue", "aggregate": "last"}, "last", False),
    ],
)
def test_events_are_aggregated_as_asked(
    more: dict[str, object], aggregate: str, is_count: bool
) -> None:
    metric, problems = read(**more)
    assert problems == []
    assert metric is not None
    assert (metric.aggregate, metric.is_count) == (aggregate, is_count)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"events": ["Renewed"]}, "events: there is also 'event'. Give one of the two."),
        (
            {"event": None, "events": [f"e{place}" for place in range(21)]},
            "events: 21 names given, must be 1 to 20.",
        ),
        ({"currency": "euro"}, "currency: 'euro' given, must be three capitals such as 'EUR'."),
        ({"currency": "EUR"}, "unit: 'orders' given, but the currency is 'EUR'."),
        (
            {"aggregate": "sums"},
            "aggregate: 'sums' given. Did you mean 'sum'? "
            "Allowed: count, last, mean, sum, unique_days.",
        ),
        (
            {"aggregate": "mean"},
            "aggregate: 'mean' needs the property to look at: give 'value'.",
        ),
        (
            {"aggregate": "count", "value": "fee"},
            "aggregate: 'count' takes no value: leave 'value' out.",
        ),
        (
            {"where": {"property": "due", "in_next_days": 3}},
            "where: what counts must not change with time. Use 'before' or 'after'.",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(more: dict[str, object], problem: str) -> None:
    metric, problems = read(**more)
    assert metric is None
    assert f"metrics/orders.toml: {problem}" in problems


def test_a_mistake_in_the_filter_is_shown_where_it_stands() -> None:
    _, problems = read(where={"property": "store", "iz": "web"})
    assert problems[0].startswith("metrics/orders.toml.where: unknown operator 'iz'.")


def test_what_it_counts_is_the_same_whatever_it_is_called() -> None:
    plain, _ = read()
    assert plain is not None
    assert plain.counted == ("Order Completed", None, 2)
    titled, _ = read(title="Bestellungen", unit="Stück")
    assert titled is not None
    assert titled.counted == plain.counted


@pytest.mark.parametrize(
    "more",
    [
        {"where": WEB},
        {"aggregate": "unique_days"},
        {"event": None, "events": ["Order Completed", "Renewed"]},
        {"value": "revenue"},
        {"value": "revenue", "currency": "EUR", "unit": "EUR"},
        {"window_days": 3},
    ],
)
def test_another_filter_value_aggregate_or_window_counts_something_else(
    more: dict[str, object],
) -> None:
    plain, _ = read()
    other, problems = read(**more)
    assert problems == []
    assert plain is not None
    assert other is not None
    assert other.counted != plain.counted
