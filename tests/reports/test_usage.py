"""Who names an event, a property or a trait."""

from __future__ import annotations

from pathlib import Path

from opportune import project
from opportune.profiles import parse_computed_trait
from opportune.reports import usage

SHOP = Path(__file__).parents[2] / "examples" / "shop"


def test_metrics_segments_and_use_cases_are_told_by_what_they_name() -> None:
    shop = project.load(SHOP)
    used = usage(shop.metrics, shop.segments, shop.use_cases, shop.computed_traits)
    assert used.events == {"Order Completed": ("metric/revenue", "use_case/second-order")}
    assert used.of_field("property", "Order Completed", "revenue") == ("metric/revenue",)
    assert used.of_field("property", "Other", "revenue") == ()
    assert used.of_field("trait", "identify", "orders") == (
        "segment/buyers",
        "use_case/second-order",
    )
    assert used.traits["has_app"] == ("use_case/second-order",)
    assert used.of_field("trait", "identify", "nothing") == ()


def test_a_computed_trait_names_the_event_and_the_properties_it_reads() -> None:
    body = {
        "event": "Order Completed",
        "compute": "sum",
        "property": "revenue",
        "where": {"property": "currency", "is": "EUR"},
    }
    spent = parse_computed_trait("spent", body, [])
    assert spent is not None
    used = usage({}, {}, {}, {"spent": spent})
    assert used.events == {"Order Completed": ("computed_trait/spent",)}
    assert sorted(used.properties) == [
        ("Order Completed", "currency"),
        ("Order Completed", "revenue"),
    ]
