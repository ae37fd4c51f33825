"""The folders under examples/ are what the docs say they are."""

from __future__ import annotations

from pathlib import Path

from opportune import project, replay

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_the_shop_is_a_whole_project_without_mistakes() -> None:
    shop = project.load(EXAMPLES / "shop")
    assert sorted(shop.use_cases) == ["second-order"]
    assert shop.use_case("second-order").space.sizes == (3, 2, 2)
    assert shop.metric_of(shop.use_case("second-order")).property == "revenue"


def test_every_schema_of_a_campaign_can_be_read() -> None:
    schemas = {
        path.parent.name: [outcome.name for outcome in replay.read_schema(path).outcomes]
        for path in EXAMPLES.glob("*/schema.toml")
    }
    assert schemas == {
        "artea": ["revenue", "transactions"],
        "hillstrom": ["visit", "conversion", "spend"],
    }
