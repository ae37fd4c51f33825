"""A schema says what the columns of a campaign mean; every mistake of it is listed at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opportune.documents import InvalidDefinition
from opportune.errors import NotFound
from opportune.replay import read_schema


def test_a_schema_is_read_into_the_words_of_the_rooms(spring: Any) -> None:
    found = spring.schema()
    assert found.space.dimensions[0].options == ("nothing", "sale", "news")
    assert found.control == ("nothing",)
    assert [(each.column, each.categorical) for each in found.features] == [
        ("visits", False),
        ("plan", True),
    ]
    assert (found.propensity, found.time, found.batches, found.held_out_share) == (
        "chance",
        None,
        4,
        0.5,
    )


def test_every_mistake_of_a_schema_is_listed_at_once(spring: Any) -> None:
    found = spring.problems(
        features=["visits", "bought", "visits", {"column": "plan", "one_off": ["a"]}],
        categorical=["visit"],
        control={"letter": "sales"},
        propensity=None,
        batches=2.5,
        held_out_share=1.5,
        outcomes=[{"column": "bought", "kind": "binry"}],
        colour="red",
    )
    assert found == [
        "s: outcomes[0].kind: 'binry' given. Did you mean 'binary'? Allowed: amount, binary.",
        "s: features[3].one_of: missing, must be a list of texts.",
        "s: features[3].one_off: unknown key. Did you mean 'one_of'? Allowed: column, name, "
        "one_of.",
        "s: categorical: 'visit' is no feature. Did you mean 'visits'? Allowed: bought, plan, "
        "visits.",
        "s: features: 'visits' stands there twice, names must differ.",
        "s: control.letter: 'sales' is no value. Did you mean 'sale'? Allowed: news, none, sale.",
        "s: propensity: missing, must be the name of a column, one number for every action, or a "
        "table of shares per dimension.",
        "s: batches: 2.5 given, must be a whole number.",
        "s: held_out_share: 1.5 given, must be a number from 0.05 to 0.95.",
        "s: colour: unknown key. Allowed: batches, categorical, control, dimensions, features, "
        "held_out_share, outcomes, propensity, time, title.",
        "s: features: 'bought' is an outcome: unknown before deciding.",
    ]


def test_one_propensity_for_all_actions_must_add_up_to_one(spring: Any) -> None:
    assert spring.problems(propensity=0.5) == [
        "s: propensity: 0.5 given for each of 3 actions, which adds up to 1.5, not 1. Allowed: "
        "0.333333, or a table of shares, or a column."
    ]


def test_shares_must_name_every_value_and_add_up_to_one(spring: Any) -> None:
    assert spring.problems(propensity={"letter": {"none": 0.5, "sale": 0.3, "news": 0.1}}) == [
        "s: propensity.letter: the shares add up to 0.9, must be 1."
    ]
    assert spring.problems(propensity={"letter": {"none": 0.5, "sale": 0.5, "mews": 0.0}}) == [
        "s: propensity.letter.news: missing, must be a number from 0 to 1.",
        "s: propensity.letter.mews: unknown key. Did you mean 'news'? Allowed: news, none, sale.",
    ]
    assert spring.problems(propensity={"letter": {"none": 0.5, "sale": 0.5, "news": 0.0}}) == [
        "s: propensity.letter.news: 0 given, must be above 0: what was never played teaches "
        "nothing."
    ]


def test_a_schema_needs_options_to_choose_from(spring: Any) -> None:
    assert spring.problems(
        dimensions=[{"column": "letter", "options": {"none": "nothing"}}], propensity="chance"
    ) == ["s: dimensions: there is nothing to choose; one of them must have at least 2 options."]
    assert spring.problems(dimensions=[{"column": "letter", "options": {}}], control={}) == [
        "s: dimensions[0].options: 0 given, 1 to 63 allowed: each value of the column with the "
        "name of its option.",
        "s: control.letter: missing, must be a non-empty text.",
    ]


def test_what_all_got_alike_is_a_dimension_of_one_option(spring: Any) -> None:
    mail = {"name": "mail", "column": "letter", "options": {"none": "no", "sale": "s", "news": "n"}}
    found = spring.schema(
        dimensions=[mail, {"name": "hour", "column": "sent", "options": {"9": "09"}}],
        control={"letter": "none", "sent": "9"},
    )
    assert found.space.sizes == (3, 1)


def test_a_feature_may_be_called_like_the_trait_of_a_use_case(spring: Any) -> None:
    plan = {"column": "plan", "name": "tariff", "one_of": ["plus"]}
    found = spring.schema(features=[{"column": "visits", "name": "sessions"}, plan], categorical=[])
    assert [(each.name, each.column, each.categorical) for each in found.features] == [
        ("sessions", "visits", False),
        ("tariff", "plan", True),
    ]
    assert spring.problems(features=["visits", {"column": "plan", "name": "visits"}]) == [
        "s: features: 'visits' stands there twice, names must differ."
    ]


def test_features_are_named_one_by_one(spring: Any) -> None:
    assert spring.problems(features=["plan", 3, {"column": "visits", "one_of": ["1"] * 51}]) == [
        "s: features[1]: 3 given, must be the name of a column or a table with 'column' and "
        "'one_of' or 'name'.",
        "s: features[2].one_of: 51 given, at most 50 allowed.",
        "s: features[2].one_of: '1' stands there twice, names must differ.",
    ]


def test_actions_are_few_enough_to_be_told_apart(spring: Any) -> None:
    options = {f"o{place}": f"o{place}" for place in range(40)}
    found = spring.problems(
        dimensions=[{"column": name, "options": options} for name in ("one", "other")],
        control={"one": "o0", "other": "o0"},
    )
    assert found == ["s: dimensions: 1600 actions, at most 1000 allowed."]


def test_a_schema_file_that_is_missing_or_no_toml_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no schema file"):
        read_schema(tmp_path / "schema.toml")
    (tmp_path / "schema.toml").write_text("features = [")
    with pytest.raises(InvalidDefinition, match=r"schema\.toml: this is not TOML"):
        read_schema(tmp_path / "schema.toml")
