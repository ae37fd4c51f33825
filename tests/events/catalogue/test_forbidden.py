"""A field that a policy forbids is refused when it is defined, and when it is used."""

from __future__ import annotations

from typing import Any

import pytest

from opportune import pipeline, project
from opportune.documents import InvalidDefinition
from opportune.events import FieldForbidden

PRIVACY = """
[fields.traits]
plan = ["contract"]
[fields.properties]
revenue = ["money"]
[policies.no-contracts]
forbids = ["contract"]
applies_to = ["targeting/next"]
"""


def person(user_id: str, **traits: object) -> dict[str, object]:
    return {"type": "identify", "userId": user_id, "messageId": user_id, "traits": traits}


def run_day(shop: Any) -> pipeline.DayDone:
    defined = project.read(shop.stores.state)
    return pipeline.run_day(shop.stores, defined, "next", shop.now.date(), now=shop.now)


def test_a_label_is_forbidden_for_the_segments_that_a_use_case_picks_by(shop: Any) -> None:
    forbidden = (
        "trait 'plan' is contract (as labelled), and policy 'no-contracts' forbids contract fields "
        "for targeting. Use another field."
    )
    with pytest.raises(InvalidDefinition) as refusal:
        shop.apply(privacy=PRIVACY)
    assert refusal.value.problems == (f"use_cases/next.toml: segment 'plus': {forbidden}",)
    assert project.read(shop.stores.state).use_cases == {}
    shop.apply(privacy=PRIVACY.replace("targeting/next", "web"))
    labels = project.read(shop.stores.state).field_policies.labels
    assert labels == {("trait", "plan"): ("contract",), ("property", "revenue"): ("money",)}


def test_policies_have_versions_and_end_with_their_file(shop: Any) -> None:
    assert not any("privacy" in line for line in shop.apply())
    allowed = PRIVACY.replace("targeting/next", "destinations")
    assert shop.apply(privacy=allowed) == ["settings/privacy version 1"]
    assert shop.apply(privacy=allowed) == []
    assert [each.name for each in project.read(shop.stores.state).field_policies.policies] == [
        *("personal-data", "sensitive-data", "no-contracts"),
    ]
    (shop.folder / "privacy.toml").unlink()
    assert shop.apply() == ["settings/privacy version 2"]
    assert len(project.read(shop.stores.state).field_policies.policies) == 2


def test_a_class_that_values_tell_later_stops_the_day_before_anything_is_done(shop: Any) -> None:
    shop.apply()
    shop.send(person("c1", plan="plus", tenure=3))
    reader = project.Reader(shop.stores.state)
    reader.read()
    shop.send(person("c2", plan="plus", tenure="+49 30 901820"))
    told = (
        "trait 'tenure' is personal (by values that came), and policy 'personal-data' forbids "
        "personal fields for features. Use another field, or declare it free in opportune.toml if "
        "that is a mistake."
    )
    assert reader.read().use_case("next").version == 1
    with pytest.raises(FieldForbidden) as refusal:
        run_day(shop)
    assert (refusal.value.code, refusal.value.message) == (
        "field_forbidden",
        f"Use case 'next', features: {told}",
    )
    assert shop.stores.lake.read("features").num_rows == 0
    assert shop.stores.state.rows("select * from segment_membership") == []
    with pytest.raises(InvalidDefinition) as refused:
        shop.apply()
    assert refused.value.problems == (f"use_cases/next.toml: features: {told}",)
    assert shop.apply(opportune='[traits]\nfree = ["tenure"]\n') == ["settings/traits version 2"]
    assert run_day(shop).decided
    assert shop.stores.lake.read("features").num_rows == 2
