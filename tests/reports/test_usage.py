"""Who names an event, a property or a trait."""

from __future__ import annotations

from pathlib import Path

from opportune import project
from opportune.reports import usage
from opportune.rules import parse
from opportune.segments import Segment

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def test_definitions_are_told_by_the_events_and_fields_that_they_name() -> None:
    shop = project.load(SHOP)
    used = usage(shop.metrics, shop.segments, shop.use_cases, shop.tracking_plans)
    assert used.events == {
        "Order Completed": ("metric/revenue", "tracking_plan/shop", "use_case/second-order"),
        "identify": ("tracking_plan/shop",),
    }
    assert used.of_field("property", "Order Completed", "revenue") == (
        *("metric/revenue", "tracking_plan/shop", "use_case/second-order"),
    )
    assert used.of_field("property", "Order Completed", "coupon") == ("tracking_plan/shop",)
    assert used.of_field("property", "Other", "revenue") == ()
    assert used.of_field("trait", "identify", "orders") == (
        *("segment/buyers", "tracking_plan/shop", "use_case/second-order"),
    )
    assert used.traits["has_app"] == ("use_case/second-order",)
    assert used.of_field("trait", "identify", "nothing") == ()


def test_a_segment_is_told_by_the_events_and_properties_of_its_rule() -> None:
    rule = parse(
        {"event": "Viewed", "where": {"property": "price", "more_than": 9}},
        where="rule",
    )
    segment = Segment(name="eager", title="Eager", rule=rule)
    used = usage({}, {"eager": segment}, {}, {})
    assert used.events == {"Viewed": ("segment/eager",)}
    assert used.properties == {("Viewed", "price"): ("segment/eager",)}
