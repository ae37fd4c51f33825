"""Computed traits: from events to values, in windows that move, beside what was told."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from opportune import profiles, reports, rules, segments
from opportune.events import parse_metrics
from opportune.profiles import ComputedTrait, compute, parse_computed_trait
from opportune.storage import Stores
from opportune.storage.dialect import to_spark

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
TakeIn = Callable[..., None]
SAID = {"event": "Order Completed"}


def trait(name: str, **body: object) -> ComputedTrait:
    problems: list[str] = []
    found = parse_computed_trait(name, {**SAID, **body}, problems)
    assert problems == []
    assert found is not None
    return found


def order(
    number: int, days_ago: float, user: str = "ana", **properties: object
) -> dict[str, object]:
    return {
        "type": "track",
        "event": "Order Completed",
        "messageId": f"m{number}",
        "userId": user,
        "timestamp": (NOW - timedelta(days=days_ago)).isoformat(),
        "properties": properties,
    }


def values(stores: Stores, user: str = "ana") -> dict[str, object]:
    found = reports.person(stores.state, "user_id", user, default_zone="UTC")
    return dict(found.computed.traits)


EVERY = (
    trait("orders", compute="count"),
    trait("orders_10d", compute="count", within={"days": 10}),
    trait("large", compute="count", where={"property": "revenue", "at_least": 20}),
    trait("revenue", compute="sum", property="revenue"),
    trait("mean", compute="average", property="revenue"),
    trait("least", compute="minimum", property="revenue"),
    trait("most", compute="maximum", property="revenue"),
    trait("first_shop", compute="first", property="shop"),
    trait("last_shop", compute="last", property="shop"),
    trait("usual_shop", compute="most_frequent", property="shop"),
    trait("quiet_days", compute="days_since_last"),
)


def test_each_computation_gives_its_value(stores: Stores, take_in: TakeIn) -> None:
    take_in(
        order(1, 30, revenue=10.5, shop="Faro"),
        order(2, 20, revenue=20.25, shop="Porto"),
        order(3, 9.5, revenue="none", shop=7),
        order(4, 8, revenue=0.1, shop="Porto"),
        order(5, 5.5, shop=None),
        order(6, 1, user="ben"),
        {**order(7, 1), "event": "Order Refunded"},
    )
    assert compute(stores, EVERY, now=NOW) == 2
    assert values(stores) == {
        "orders": 5,
        "orders_10d": 3,
        "large": 1,
        "revenue": 30.85,
        "mean": pytest.approx(30.85 / 3),
        "least": 0.1,
        "most": 20.25,
        "first_shop": "Faro",
        "last_shop": "Porto",
        "usual_shop": "Porto",
        "quiet_days": 5,
    }
    assert values(stores, "ben") == {"orders": 1, "orders_10d": 1, "quiet_days": 1}
    assert compute(stores, EVERY, now=NOW) == 0


def test_values_go_when_their_window_has_passed_or_nobody_defines_them(
    stores: Stores, take_in: TakeIn
) -> None:
    take_in(order(1, 8), order(2, 3))
    recent = [trait("orders_10d", compute="count", within={"days": 10})]
    compute(stores, recent, now=NOW)
    assert values(stores) == {"orders_10d": 2}
    assert compute(stores, recent, now=NOW + timedelta(days=3)) == 1
    assert values(stores) == {"orders_10d": 1}
    assert compute(stores, recent, now=NOW + timedelta(days=30)) == 1
    assert values(stores) == {}
    assert compute(stores, recent, now=NOW) == 1
    assert compute(stores, [], now=NOW) == 1
    assert stores.state.rows("select * from computed_trait") == []


def test_what_is_computed_counts_before_what_was_told(stores: Stores, take_in: TakeIn) -> None:
    told = {"type": "identify", "userId": "ana", "messageId": "i", "traits": {"orders": 9, "a": 1}}
    take_in({**told, "timestamp": NOW.isoformat()}, order(1, 1))
    compute(stores, EVERY[:1], now=NOW)
    traits = json.loads(profiles.snapshot(stores.state)["traits"][0].as_py())
    assert traits == {"orders": 1, "a": 1}


def test_a_text_that_is_too_long_is_no_value(stores: Stores, take_in: TakeIn) -> None:
    take_in(order(1, 2, shop="Faro"), order(2, 1, shop="x" * 501))
    compute(stores, [trait("last_shop", compute="last", property="shop")], now=NOW)
    assert stores.state.rows("select traits from computed_trait") == []


METRICS = parse_metrics(
    {
        "orders": {"event": "Order Completed", "unit": "orders", "window_days": 7},
        "days": {**SAID, "aggregate": "unique_days", "unit": "days", "window_days": 30},
        "profit": {**SAID, "value": "revenue - cost", "currency": "EUR", "window_days": 7},
        "last": {**SAID, "value": "revenue", "aggregate": "last", "unit": "EUR", "window_days": 9},
        "each": {"formula": "profit / orders"},
        "whole": {"formula": "sum(profit) / sum(orders)"},
    },
    [],
)


def of_metric(name: str, metric: str, **body: object) -> ComputedTrait:
    found = parse_computed_trait(name, {"metric": metric, **body}, problems := [], metrics=METRICS)
    assert problems == []
    assert found is not None
    return found


def test_a_metric_is_a_trait_of_each_profile(stores: Stores, take_in: TakeIn) -> None:
    take_in(
        order(1, 20, revenue=50, cost=20),
        order(2, 5, revenue=30, cost=12.5),
        order(3, 5, revenue="9", cost=1, currency="USD"),
        order(4, 4, revenue="8.5", cost=2),
        order(5, 8, user="ben", revenue=7, cost=1),
    )
    traits = (
        *(of_metric(name, name) for name in ("orders", "days", "profit", "last", "each")),
        of_metric("profit_30d", "profit", within={"days": 30}),
        of_metric("each_30d", "each", within={"days": 30}),
    )
    compute(stores, traits, now=NOW)
    # What is in another currency is an order, and no profit.
    assert values(stores) == {
        "orders": 3,
        "days": 3,
        "profit": 24,
        "last": 8.5,
        "each": 8,
        "profit_30d": 54,
        "each_30d": 13.5,
    }
    assert values(stores, "ben") == {"days": 1, "last": 7, "profit_30d": 6, "each_30d": 6}
    assert traits[4].events == ("Order Completed",)
    assert ("Order Completed", "revenue") in traits[3].shown


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            {"metric": "order"},
            "metric: no metric 'order'. Did you mean 'orders'? Allowed: days, each, last, orders, "
            "profit, whole.",
        ),
        (
            {"metric": "orders", "event": "Ordered"},
            "event: stands in the metric. Leave it out, or leave 'metric' out.",
        ),
        (
            {"metric": "whole"},
            "metric: 'whole' looks at all rows together, and a trait is of one profile. Use a "
            "metric of events, or a formula of such row by row.",
        ),
    ],
)
def test_what_is_no_trait_of_a_metric_is_refused(body: dict[str, object], said: str) -> None:
    problems: list[str] = []
    assert parse_computed_trait("x", body, problems, metrics=METRICS) is None
    assert problems == [f"computed_traits/x.toml: {said}"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "compute: missing, must be a non-empty text."),
        (
            {"compute": "cont"},
            "compute: 'cont' given, must be one of count, unique_days, sum, average, minimum, "
            "maximum, first, last, most_frequent, days_since_last.",
        ),
        ({"compute": "sum"}, "property: 'sum' needs the property to look at."),
        ({"compute": "count", "property": "n"}, "property: 'count' takes no property."),
        (
            {"compute": "count", "sum": {"property": "n", "at_least": 1}},
            "sum: stands in a rule. Here it is: compute = ... and property = ...",
        ),
    ],
)
def test_mistakes_are_named_with_their_place(body: dict[str, object], said: str) -> None:
    problems: list[str] = []
    assert parse_computed_trait("x", {**SAID, **body}, problems) is None
    assert problems == [f"computed_traits/x.toml: {said}"]


def test_mistakes_in_what_is_meant_are_those_of_rules() -> None:
    problems: list[str] = []
    parse_computed_trait("x", {"compute": "count", "within": {"dais": 3}}, problems)
    assert len(problems) == 3
    assert all(each.startswith("computed_traits/x.toml.") for each in problems)


def test_a_segment_reads_it_like_any_trait(stores: Stores, take_in: TakeIn) -> None:
    take_in(order(1, 1), order(2, 2), order(3, 1, user="ben"))
    compute(stores, EVERY[:1], now=NOW)
    problems: list[str] = []
    body = {"rule": {"trait": "orders", "at_least": 2}}
    segment = segments.parse_segment("buyers", body, problems)
    assert segment is not None
    assert segments.refresh(stores, segment, profiles.snapshot(stores.state), now=NOW) == 1
    found = reports.person(stores.state, "user_id", "ana", default_zone="UTC")
    assert [each.segment for each in found.segments] == ["buyers"]


@pytest.mark.parametrize("each", EVERY, ids=lambda each: each.name)
def test_every_computation_can_be_said_to_spark(each: ComputedTrait) -> None:
    asked = rules.computations(each.computations, now=NOW, events="select * from everything")
    assert ":computed_1" in to_spark(asked.text)
