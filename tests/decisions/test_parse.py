"""A use case as the marketer writes it."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from opportune import rules
from opportune.decisions import (
    Activation,
    Dimension,
    Feature,
    Option,
    UseCase,
    parse_use_case,
    read_use_case,
)

RULE = {"trait": "fiber", "is": True}
BODY: dict[str, Any] = {
    "title": "Next offer",
    "success_metric": "orders",
    "decide_at": "07:30",
    "features": ["tenure", {"trait": "plan", "one_of": ["plus", "premium"]}],
    "audience": {"segments": ["customers"], "minus": ["complaining"]},
    "groups": {"control_share": 0.2},
    "policy": {"name": "uniform"},
    "activation": {"connector": "braze", "campaign_id": "x", "number": 5},
    "dimensions": [
        {"name": "offer", "options": [{"name": "tv"}, {"name": "fiber", "eligible": RULE}]},
        {"name": "hour", "meaning": "hour", "options": [{"name": "09"}, {"name": "23"}]},
    ],
}


def parsed(body: dict[str, Any]) -> UseCase:
    problems: list[str] = []
    use_case = parse_use_case("next", body, problems, version=3)
    assert problems == []
    assert use_case is not None
    return use_case


def problems_of(**changes: Any) -> list[str]:
    """What is wrong with the good body after ``changes``; None takes a key away."""
    body = copy.deepcopy(BODY) | changes
    problems: list[str] = []
    use_case = parse_use_case(
        "next", {key: value for key, value in body.items() if value is not None}, problems
    )
    assert (use_case is None) == bool(problems)
    where = "use_cases/next.toml: "
    assert [each for each in problems if not each.startswith(where)] == []
    return [each.removeprefix(where) for each in problems]


def test_everything_that_is_written_is_read() -> None:
    assert parsed(BODY) == UseCase(
        name="next",
        version=3,
        title="Next offer",
        success_metric="orders",
        audience=("customers",),
        minus=("complaining",),
        features=(
            Feature(trait="tenure", one_of=()),
            Feature(trait="plan", one_of=("plus", "premium")),
        ),
        dimensions=(
            Dimension(
                name="offer",
                meaning="choice",
                options=(
                    Option(name="tv", eligible=None),
                    Option(name="fiber", eligible=rules.parse(RULE, where="rule")),
                ),
            ),
            Dimension(
                name="hour",
                meaning="hour",
                options=(Option(name="09", eligible=None), Option(name="23", eligible=None)),
            ),
        ),
        control_share=0.2,
        policy="uniform",
        decide_at=time(7, 30),
        activation=Activation(connector="braze", config={"campaign_id": "x", "number": "5"}),
    )


def test_what_is_left_out_has_a_default() -> None:
    optional = ("title", "decide_at", "features", "groups", "policy")
    use_case = parsed({key: value for key, value in BODY.items() if key not in optional})
    assert use_case.title == "next"
    assert use_case.decide_at == time(6)
    assert use_case.features == ()
    assert use_case.control_share == 0.1
    assert use_case.policy == "factored_thompson"
    assert use_case.policy_settings == {}


def test_what_stands_beside_the_name_of_the_policy_are_its_settings() -> None:
    use_case = parsed({**BODY, "policy": {"name": "factored_thompson", "draws": 8}})
    assert use_case.policy == "factored_thompson"
    assert use_case.policy_settings == {"draws": 8}


def test_its_space_and_columns_follow_from_it() -> None:
    use_case = parsed(BODY)
    assert [(each.name, each.options) for each in use_case.space.dimensions] == [
        ("offer", ("tv", "fiber")),
        ("hour", ("09", "23")),
    ]
    assert use_case.feature_count == 3
    assert use_case.feature_names == ("tenure", "plan=plus", "plan=premium")
    assert use_case.decided_from(date(2026, 3, 1)) == datetime(2026, 3, 1, 7, 30, tzinfo=UTC)


def test_all_mistakes_are_listed_at_once() -> None:
    assert problems_of(
        titel="x",
        audience={"segments": [], "minos": []},
        groups={"control_share": 0.95},
        features=["tenure", "tenure", 5, {"trait": "plan", "one_of": [], "kind": 1}],
        decide_at="25:00",
        activation={"campaign_id": 1.5},
        dimensions=[
            {"name": "offer", "options": [{"name": "tv"}, {"name": "tv"}]},
            {"name": "offer", "meaning": "week", "options": []},
            {"name": "hour", "meaning": "hour", "options": [{"name": "24"}, {"title": "x"}]},
        ],
    ) == [
        "features[2]: 5 given, must be the name of a trait or a table with 'trait'.",
        "features[3].kind: unknown key. Allowed: one_of, trait.",
        "features[3].one_of: [] given, must be a list of one text or more.",
        "dimensions[1].options: [] given, must be a list of one or more tables.",
        "dimensions[1].meaning: 'week' given, must be one of choice, channel, hour, day, "
        "frequency.",
        "dimensions[2].options[1].name: missing, must be a non-empty text.",
        "dimensions[2].options[1].title: unknown key. Allowed: cost, cost_due, days, eligible, "
        "name, nothing, parameters, valid_from, valid_until.",
        "dimensions[2].options: '24' given, an hour is a name from 00 to 23.",
        "decide_at: '25:00' given, must be a time of day in UTC such as 06:00.",
        "activation.connector: missing, must be a non-empty text.",
        "activation.campaign_id: 1.5 given, must be a text or a whole number.",
        "groups.control_share: 0.95 given, must be a number from 0 to 0.9.",
        "audience.minos: unknown key. Did you mean 'minus'? Allowed: minus, segments.",
        "titel: unknown key. Did you mean 'title'? Allowed: activation, audience, budget, "
        "constraints, decide_at, dimensions, features, groups, guard_rails, policy, "
        "report_metrics, state, success_metric, title.",
        "audience.segments: [] given, must name one segment or more.",
        "dimensions: 'offer' stands there twice, names must differ.",
        "features: 'tenure' stands there twice, names must differ.",
        "dimensions.offer.options: 'tv' stands there twice, names must differ.",
    ]


@pytest.mark.parametrize("key", ["success_metric", "audience", "activation", "dimensions"])
def test_what_must_be_there_is_missed(key: str) -> None:
    assert any(each.startswith(f"{key}: missing, must be ") for each in problems_of(**{key: None}))


@pytest.mark.parametrize("share", [-0.01, 0.91, float("nan"), "0.1", True])
def test_a_control_share_out_of_range_is_a_mistake(share: object) -> None:
    assert problems_of(groups={"control_share": share}) == [
        f"groups.control_share: {share!r} given, must be a number from 0 to 0.9."
    ]


@pytest.mark.parametrize("share", [0, 0.9])
def test_the_ends_of_the_range_are_allowed(share: float) -> None:
    assert parsed(BODY | {"groups": {"control_share": share}}).control_share == share


@pytest.mark.parametrize("hour", ["24", "9", "noon", "٠٩", "-1", "009"])
def test_a_wrong_hour_is_a_mistake(hour: str) -> None:
    dimension = {"name": "hour", "meaning": "hour", "options": [{"name": hour}]}
    assert problems_of(dimensions=[dimension]) == [
        f"dimensions[0].options: {hour!r} given, an hour is a name from 00 to 23."
    ]


def test_one_dimension_at_most_means_the_hour() -> None:
    hours = [{"name": name, "meaning": "hour", "options": [{"name": "09"}]} for name in ("a", "b")]
    assert problems_of(dimensions=hours) == ["dimensions: only one dimension may mean the hour."]


@pytest.mark.parametrize("text", ["6 o'clock", "06:00+02:00", "06:00Z", "24:00"])
def test_a_wrong_time_of_day_is_a_mistake(text: str) -> None:
    assert problems_of(decide_at=text) == [
        f"decide_at: {text!r} given, must be a time of day in UTC such as 06:00."
    ]


def test_an_empty_time_of_day_is_one_mistake() -> None:
    assert problems_of(decide_at="") == ["decide_at: '' given, must be a non-empty text."]


def test_sixty_three_options_fit_and_one_more_does_not() -> None:
    options = [{"name": f"o{place}"} for place in range(64)]
    assert problems_of(dimensions=[{"name": "offer", "options": options[:63]}]) == []
    assert problems_of(dimensions=[{"name": "offer", "options": options}]) == [
        "dimensions[0].options: 64 given, at most 63 allowed."
    ]


def test_a_dimension_cannot_be_called_what_is_sent_beside_it() -> None:
    dimension = {"name": "decision_id", "options": [{"name": "x"}]}
    assert problems_of(dimensions=[dimension]) == [
        "dimensions: 'decision_id' is sent with every action; take another name."
    ]


def test_columns_of_features_have_different_names() -> None:
    assert problems_of(features=["plan=plus", {"trait": "plan", "one_of": ["plus"]}]) == [
        "features: 'plan=plus' stands there twice, names must differ."
    ]


@pytest.mark.parametrize(
    ("eligible", "problem"),
    [
        ("always", "dimensions[0].options[0].eligible: 'always' given, must be a rule."),
        (
            {"trait": "age", "at_leest": 18},
            "dimensions[0].options[0].eligible: unknown operator 'at_leest'. Did you mean "
            "'at_least'? Allowed: after, at_least, at_most, before, contains, ends_with, exists, "
            "in_last_days, in_next_days, is, is_not, less_than, more_than, one_of, starts_with.",
        ),
        (
            {},
            "dimensions[0].options[0].eligible: '' begins no rule. Allowed: all, any, not, trait.",
        ),
        (
            {"event": "Order Completed"},
            "dimensions[0].options[0].eligible: 'event' cannot be asked of traits alone. "
            "Allowed: all, any, not, trait.",
        ),
    ],
    ids=["no rule", "a mistake in the rule", "an empty rule", "a rule on events"],
)
def test_a_wrong_eligibility_rule_is_a_mistake(eligible: object, problem: str) -> None:
    options = [{"name": "tv", "eligible": eligible}]
    assert problems_of(dimensions=[{"name": "offer", "options": options}]) == [problem]


@pytest.mark.parametrize("value", [True, [1], {"a": 1}, 1.5, date(2026, 1, 1)])
def test_what_a_connector_is_told_is_text_or_whole_number(value: object) -> None:
    assert problems_of(activation={"connector": "braze", "campaign_id": value}) == [
        f"activation.campaign_id: {value!r} given, must be a text or a whole number."
    ]


def test_what_can_be_read_is_there_beside_the_mistakes() -> None:
    problems: list[str] = []
    use_case = read_use_case("next", BODY | {"success_metric": 5, "groups": 1}, problems)
    assert len(problems) == 2
    assert use_case.success_metric == ""
    assert use_case.audience == ("customers",)
