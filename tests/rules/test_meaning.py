"""What a condition on traits means, the same in Python and in SQL."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune.rules import (
    AllOf,
    AnyOf,
    Compare,
    DateIs,
    Facts,
    Not,
    OneOf,
    Rule,
    TextIs,
    condition,
    holds,
    parse,
)

Traits = dict[str, object]

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

ASK = """
    select {rule}
    from (select unnest($texts) as traits, generate_subscripts($texts, 1) as position)
    order by position
"""


Ask = Callable[[Rule, Sequence[Traits]], list[object]]


@pytest.fixture(scope="module")
def answers() -> Iterator[Ask]:
    """What DuckDB says of each profile; its text is tried with and without escapes."""
    with duckdb.connect(config={"threads": 1}) as engine:

        def ask(rule: Rule, profiles: Sequence[Traits]) -> list[object]:
            sql = condition(rule, now=NOW)
            plain = [json.dumps(traits, ensure_ascii=False) for traits in profiles]
            escaped = [json.dumps(traits) for traits in profiles]
            values = sql.parameters | {"texts": plain + escaped}
            found = engine.execute(ASK.format(rule=sql.text), values).fetchall()
            half = len(profiles)
            assert found[:half] == found[half:]
            return [row[0] for row in found[:half]]

        yield ask


def held(rule: Rule, traits: Traits) -> bool:
    return holds(rule, Facts(now=NOW, traits=traits))


PLAN: Traits = {"plan": "basic", "age": 40, "vip": True, "score": 1.5, "tags": ["a"], "none": None}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"trait": "plan", "is": "basic"}, True),
        ({"trait": "plan", "is": "Basic"}, False),
        ({"trait": "plan", "is_not": "plus"}, True),
        ({"trait": "plan", "is_not": "basic"}, False),
        ({"trait": "plan", "is_not": 1}, False),
        ({"trait": "none", "is_not": "basic"}, False),
        ({"trait": "gone", "is_not": "basic"}, False),
        ({"trait": "tags", "is_not": "basic"}, False),
        ({"not": {"trait": "gone", "is": "basic"}}, True),
        ({"trait": "age", "is": 40.0}, True),
        ({"trait": "age", "is": "40"}, False),
        ({"trait": "age", "at_least": 40}, True),
        ({"trait": "age", "more_than": 40}, False),
        ({"trait": "age", "at_most": 40}, True),
        ({"trait": "age", "less_than": 40}, False),
        ({"trait": "score", "less_than": 1.6}, True),
        ({"trait": "plan", "at_least": 0}, False),
        ({"trait": "vip", "at_least": 0}, False),
        ({"trait": "vip", "is": True}, True),
        ({"trait": "vip", "is_not": False}, True),
        ({"trait": "vip", "is": 1}, False),
        ({"trait": "age", "is": True}, False),
        ({"trait": "plan", "one_of": ["plus", "basic"]}, True),
        ({"trait": "plan", "one_of": ["plus"]}, False),
        ({"trait": "age", "one_of": [39, 40]}, True),
        ({"trait": "vip", "one_of": [1]}, False),
        ({"trait": "vip", "one_of": [True]}, True),
        ({"trait": "gone", "one_of": ["basic"]}, False),
        ({"trait": "tags", "exists": True}, True),
        ({"trait": "none", "exists": True}, False),
        ({"trait": "gone", "exists": False}, True),
        ({"all": []}, True),
        ({"all": [{"trait": "vip", "is": True}, {"trait": "age", "is": 41}]}, False),
        ({"any": [{"trait": "vip", "is": False}, {"trait": "age", "is": 40}]}, True),
    ],
)
def test_each_operator_means_the_same_in_both(
    answers: Ask, document: Mapping[str, object], expected: bool
) -> None:
    rule = parse(document, where="rule")
    assert held(rule, PLAN) is expected
    assert answers(rule, [PLAN]) == [expected]


@pytest.mark.parametrize(
    "name",
    [
        "a.b",
        'a"b',
        "a'b",
        "a/b",
        "a~b",
        "a~1b",
        "~0",
        "*",
        "$",
        "$.a",
        "[0]",
        "0",
        " ",
        "é",
        "日",
        "a\\b",
        "a\0b",
        "{path}",
    ],
)
def test_a_name_is_one_name_at_the_top_whatever_it_contains(answers: Ask, name: str) -> None:
    rule = parse({"trait": name, "is": 1}, where="rule")
    profiles: list[Traits] = [{name: 1}, {"a": {"b": 1}}, {"a": [1], "b": 1}, {"é́": 1}]
    assert [held(rule, traits) for traits in profiles] == [True, False, False, False]
    assert answers(rule, profiles) == [True, False, False, False]


@pytest.mark.parametrize(
    ("number", "document", "expected"),
    [
        (2**53 + 1, {"trait": "n", "is": 2**53}, True),
        (2**64, {"trait": "n", "is": 2.0**64}, True),
        (-(2**63) - 1, {"trait": "n", "is": -(2.0**63)}, True),
        (10**400, {"trait": "n", "more_than": 1.7e308}, True),
        (-(10**400), {"trait": "n", "less_than": -1.7e308}, True),
        (10**400, {"trait": "n", "at_most": 1.7e308}, False),
        (-0.0, {"trait": "n", "is": 0}, True),
        (-0.0, {"trait": "n", "one_of": [0]}, True),
        (5e-324, {"trait": "n", "more_than": 0}, True),
        (float("inf"), {"trait": "n", "more_than": 1e308}, True),
        (float("nan"), {"trait": "n", "more_than": 0}, False),
        (float("nan"), {"trait": "n", "is_not": 0}, False),
        (float("nan"), {"trait": "n", "exists": True}, True),
    ],
)
def test_numbers_compare_as_doubles(
    answers: Ask,
    number: float,
    document: Mapping[str, object],
    expected: bool,
) -> None:
    rule = parse(document, where="rule")
    assert held(rule, {"n": number}) is expected
    assert answers(rule, [{"n": number}]) == [expected]


def test_a_value_of_an_unknown_kind_makes_every_comparison_false() -> None:
    rule = parse({"trait": "n", "is_not": 1}, where="rule")
    assert held(rule, {"n": object()}) is False


NUMBERS = [
    0,
    1,
    -1,
    2**53,
    2**53 + 1,
    2**63,
    2**64,
    -(2**70),
    10**400,
    0.1,
    -0.0,
    1.5,
    1e308,
    5e-324,
]
TEXTS = ["", "0", "1", "1e308", "true", "null", "basic", "Ba'sic\"", "é", "é", "日本", "a\0b", "%_"]
NAMES = ["plan", "a.b", 'q"uote', "it's", "sl/ash", "til~de", "$", "*", "0", "ключ", " ", "plan "]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(NUMBERS),
    st.integers(),
    st.floats(),
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    st.dates().map(str),
    st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
    st.from_regex(r"\A202[4-7]-(0[12]|12)-(28|29|30|31)(T2[34]:(00|59):(59|60)Z)?\n?\Z"),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=2)
    ),
    max_leaves=4,
)
names = st.sampled_from(NAMES) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4
)
profiles = st.lists(st.dictionaries(names, values, max_size=5), min_size=1, max_size=6)

dates = st.one_of(
    st.dates(datetime(1000, 1, 1).date()).map(str),  # noqa: DTZ001  # only its date is used
    st.builds(
        lambda moment, offset: f"{moment.isoformat()}{offset}",
        st.datetimes(datetime(1000, 1, 1)),  # noqa: DTZ001  # a wall clock
        st.sampled_from(["Z", "+00:00", "-14:59", "+14:59", "-00:30"]),
    ),
)
rule_texts = st.sampled_from(TEXTS) | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
rule_numbers = st.sampled_from([0.0, 1.0, -1.0, 2.0**53, 2.0**63, 2.0**64, 0.1, 1.5, 1e308]) | (
    st.floats(allow_nan=False, allow_infinity=False)
)


def conditions(trait: str) -> st.SearchStrategy[dict[str, object]]:
    one = st.one_of(rule_texts, rule_numbers, st.booleans())
    several = st.one_of(
        *(st.lists(kind, min_size=1, max_size=3) for kind in (rule_texts, rule_numbers))
    )
    order = st.sampled_from(["at_least", "at_most", "more_than", "less_than"])
    return st.one_of(
        st.builds(lambda key, value: {key: value}, st.sampled_from(["is", "is_not"]), one),
        st.builds(lambda key, value: {key: value}, order, rule_numbers),
        st.builds(lambda listed: {"one_of": listed}, several),
        st.builds(lambda there: {"exists": there}, st.booleans()),
        st.builds(
            lambda key, text: {key: text},
            st.sampled_from(["contains", "starts_with", "ends_with"]),
            rule_texts.filter(bool),
        ),
        st.builds(lambda key, text: {key: text}, st.sampled_from(["before", "after"]), dates),
        st.builds(
            lambda key, days: {key: days},
            st.sampled_from(["in_last_days", "in_next_days"]),
            st.integers(1, 3_660),
        ),
    ).map(lambda condition: {"trait": trait, **condition})


documents = st.recursive(
    names.flatmap(conditions),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda rules: {"all": rules}),
        st.lists(inner, min_size=1, max_size=3).map(lambda rules: {"any": rules}),
        inner.map(lambda rule: {"not": rule}),
    ),
    max_leaves=6,
)


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(document=documents, drawn=profiles, data=st.data())
def test_any_rule_has_the_same_answer_in_both(
    answers: Ask,
    document: dict[str, object],
    drawn: list[Traits],
    data: st.DataObject,
) -> None:
    rule = parse(document, where="rule")
    # Profiles drawn alone seldom have what the rule asks for: add some of the rule's own values.
    asked = list(mentioned(rule))
    for traits in drawn:
        if asked and data.draw(st.booleans()):
            name, value = data.draw(st.sampled_from(asked))
            traits[name] = value
    expected = [held(rule, traits) for traits in drawn]
    assert answers(rule, drawn) == expected


def mentioned(rule: Rule) -> Iterator[tuple[str, object]]:
    if isinstance(rule, AllOf | AnyOf):
        for each in rule.rules:
            yield from mentioned(each)
    elif isinstance(rule, Not):
        yield from mentioned(rule.rule)
    elif isinstance(rule, OneOf):
        yield rule.name, rule.values[-1]
    elif isinstance(rule, Compare):
        yield rule.name, rule.value
    elif isinstance(rule, TextIs):
        yield rule.name, f"a{rule.text}"
        yield rule.name, rule.text
    elif isinstance(rule, DateIs):
        yield rule.name, rule.moment.text
