"""A metric's file is read whole, and each of its mistakes is named."""

from __future__ import annotations

import pytest

from opportune import rules
from opportune.events import Metric, parse_metric, parse_metrics

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
        "Allowed: aggregate, cost, currency, event, events, formula, proxy, title, unit, value, "
        "where, window_days.",
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


@pytest.mark.parametrize(
    ("more", "value"),
    [
        ({"value": "price * quantity - discount"}, "(price * quantity) - discount"),
        ({"value": "price", "cost": 2.5}, "price - 2.5"),
        ({"value": "price", "cost": "goods"}, "price - goods"),
        ({"value": "price", "cost": "coalesce(goods, 0)"}, "price - coalesce(goods, 0)"),
        ({"value": "npv(fee, months, 0.08 / 12)"}, "npv(fee, months, 0.08 / 12)"),
    ],
)
def test_an_event_may_be_worth_a_formula_of_its_properties(
    more: dict[str, object], value: str
) -> None:
    metric, problems = read(**more)
    assert problems == []
    assert metric is not None
    assert metric.value is not None
    assert rules.formula_text(metric.value) == value
    assert metric.measure.amount == metric.value
    assert not metric.is_count
    assert f"value={value}" in metric.counted


@pytest.mark.parametrize("name", ["net-revenue", "net/total", "net total", "a.b"])
def test_a_value_may_still_be_a_property_of_any_such_name(name: str) -> None:
    metric, _ = read(value=name)
    assert metric is not None
    assert (metric.property, metric.value) == (name, None)


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        (
            {"value": "price * "},
            "value: at character 9: found the end. "
            "Allowed: a number, a name, a function, '-' or '('.",
        ),
        (
            {"value": "share(price)"},
            "value: at character 1: a function over all rows (mean, share, sum, total) has nothing "
            "to look at here.",
        ),
        ({"value": "price", "cost": "(1"}, "cost: at character 3: found the end. "
         "Allowed: an operator or ')'."),
        ({"value": "price", "cost": -1}, "cost: -1 given, must be a number from 0 to 1e+12."),
        ({"cost": 1}, "cost: is taken off a value, and there is none: give 'value'."),
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_calculated_is_refused(
    more: dict[str, object], problem: str
) -> None:
    metric, problems = read(**more)
    assert metric is None
    assert problems == [f"metrics/orders.toml: {problem}"]


REVENUE = {"event": "Ordered", "value": "revenue", "unit": "EUR", "window_days": 5}


def calculated(formula: str, **more: object) -> tuple[Metric | None, list[str]]:
    """A metric of this formula beside orders, revenue and what is made of both."""
    problems: list[str] = []
    bodies: dict[str, dict[str, object]] = {
        "orders": ORDERS,
        "net-revenue": REVENUE,
        "order_value": {"formula": "`net-revenue` / orders"},
        "asked": {"formula": formula, **more},
    }
    return parse_metrics(bodies, problems)["asked"], problems


def test_a_metric_may_be_calculated_of_others() -> None:
    metric, problems = calculated("order_value * 2 - 1")
    assert problems == []
    assert metric is not None
    assert metric.formula is not None
    assert rules.formula_text(metric.formula) == "((`net-revenue` / orders) * 2) - 1"
    assert (metric.unit, metric.window_days, metric.is_over_rows) == ("EUR per orders", 5, False)
    assert [each.name for each in metric.bases] == ["net-revenue", "orders"]
    assert metric.events == ("Ordered", "Order Completed")
    assert metric.properties == {("Ordered", "revenue")}
    assert not metric.is_count


def test_a_ratio_of_sums_looks_at_all_rows() -> None:
    metric, problems = calculated("sum(`net-revenue`) / sum(orders)")
    assert problems == []
    assert metric is not None
    assert metric.is_over_rows


def test_another_part_is_another_calculated_metric() -> None:
    metric, _ = calculated("order_value")
    other, _ = calculated("order_value + 1")
    assert metric is not None
    assert other is not None
    assert metric.counted != other.counted
    assert metric.counted[:3] == ("", "`net-revenue` / orders", 5)


@pytest.mark.parametrize(
    ("formula", "more", "problem"),
    [
        (
            "order + 1", {},
            "formula: at character 1: no other metric 'order'. Did you mean 'orders'? "
            "Allowed: net-revenue, order_value, orders.",
        ),
        ("asked", {}, "formula: at character 1: no other metric 'asked'. "
         "Allowed: net-revenue, order_value, orders."),
        ("order_value + orders", {}, "formula: at character 13: '+' of 'EUR per orders' and "
         "'orders'. Allowed: values in one unit."),
        ("1 + 2", {}, "formula: it names no metric."),
        ("order_value", {"unit": "EUR"}, "unit: 'EUR' given, but the formula comes to "
         "'EUR per orders'."),
        ("share(orders)", {}, "unit: missing: the formula comes to a number without unit; "
         "name it."),
        ("orders", {"event": "Ordered"}, "event: unknown key. Allowed: formula, title, unit."),
        ("", {}, "formula: '' given, must be a non-empty text."),
    ],
)  # fmt: skip
def test_what_cannot_be_calculated_is_refused(
    formula: str, more: dict[str, object], problem: str
) -> None:
    metric, problems = calculated(formula, **more)
    assert metric is None
    assert f"metrics/asked.toml: {problem}" in problems


def test_a_number_without_unit_is_called_as_it_likes() -> None:
    metric, problems = calculated("share(orders)", unit="of all orders")
    assert problems == []
    assert metric is not None
    assert metric.unit == "of all orders"


def test_no_metric_is_made_of_itself() -> None:
    problems: list[str] = []
    bodies = {
        "a": {"formula": "b + 1", "unit": "x"},
        "b": {"formula": "a * 2", "unit": "x"},
        "gone": None,
        "c": {"formula": "gone", "unit": "x"},
    }
    assert parse_metrics(bodies, problems) == dict.fromkeys(bodies)
    assert problems == [
        "metrics/b.toml: formula: it is made of itself: a > b > a. Break the circle."
    ]


def test_what_a_formula_names_may_not_look_at_all_rows_twice() -> None:
    problems: list[str] = []
    bodies = {
        "orders": ORDERS,
        "part": {"formula": "share(orders)", "unit": "share"},
        "whole": {"formula": "sum(part)"},
        "long": {"formula": " + ".join(["part"] * 60)},
        "longer": {"formula": " + ".join(["long"] * 60)},
    }
    found = parse_metrics(bodies, problems)
    assert problems == [
        "metrics/whole.toml: formula: at character 1: 'sum' of what is already over all rows.",
        "metrics/longer.toml: formula: at character 1: too long once what it names is written "
        "out. Simplify it.",
    ]
    assert [name for name, metric in found.items() if metric is None] == ["whole", "longer"]
