"""Who names an event, a property or a trait."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from opportune import project
from opportune.activation import Destination, parse_destination
from opportune.profiles import parse_computed_trait
from opportune.project import Project
from opportune.reports import usage
from opportune.rules import parse
from opportune.segments import Segment

SHOP = Path(__file__).parents[2] / "examples" / "shop"
NOTHING = Project(metrics={}, segments={}, use_cases={})


def test_definitions_are_told_by_the_events_and_fields_that_they_name() -> None:
    shop = project.load(SHOP)
    used = usage(shop)
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
    used = usage(replace(NOTHING, segments={"eager": segment}))
    assert used.events == {"Viewed": ("segment/eager",)}
    assert used.properties == {("Viewed", "price"): ("segment/eager",)}


def test_a_computed_trait_names_the_event_and_the_properties_it_reads() -> None:
    body = {
        "event": "Order Completed",
        "compute": "sum",
        "property": "revenue",
        "where": {"property": "currency", "is": "EUR"},
    }
    spent = parse_computed_trait("spent", body, [])
    assert spent is not None
    used = usage(replace(NOTHING, computed_traits={"spent": spent}))
    assert used.events == {"Order Completed": ("computed_trait/spent",)}
    assert sorted(used.properties) == [
        ("Order Completed", "currency"),
        ("Order Completed", "revenue"),
    ]


def destination(name: str, **body: object) -> Destination:
    """A destination that gets what ``body`` lists."""
    problems: list[str] = []
    found = parse_destination(name, {"title": name, "connector": "file", **body}, problems)
    assert found is not None, problems
    return found


def test_a_destination_names_the_events_properties_and_traits_that_it_lists() -> None:
    crm = destination("crm", events=["Viewed"], properties=["price", "*"], traits=["city"])
    lake = destination("lake", events=["*"], properties=["price"])
    used = usage(replace(NOTHING, destinations={"crm": crm, "lake": lake}))
    assert used.events == {"Viewed": ("destination/crm",)}
    assert used.traits == {"city": ("destination/crm",)}
    both, of_any = ("destination/crm", "destination/lake"), ("destination/lake",)
    assert used.of_field("property", "Viewed", "price") == both
    assert used.of_field("property", "Order Completed", "price") == of_any
    assert used.of_field("property", None, "price") == both
    assert used.of_field("property", "Viewed", "color") == ()
