"""The SQL of a rule: bound, composable, and safe on bad rows."""

import json

import duckdb
import pytest

from opportune.errors import InvalidInput
from opportune.rules import AnyOf, parse, to_sql

INJECTION = "x' or 1=1; drop table profiles; --"


def test_what_a_person_wrote_is_only_in_the_parameters() -> None:
    rule = parse(
        {"any": [{"trait": INJECTION, "is": INJECTION}, {"trait": "a", "one_of": [INJECTION]}]},
        where="rule",
    )
    sql = to_sql(rule)
    assert "drop" not in sql.text
    assert sql.parameters == {
        "rule_1": f"/{INJECTION}",
        "rule_2": INJECTION,
        "rule_3": "/a",
        "rule_4": [INJECTION],
    }


def test_the_expression_is_the_expected_one() -> None:
    rule = parse(
        {"all": [{"trait": "age", "at_least": 18}, {"not": {"trait": "vip", "is": True}}]},
        where="rule",
    )
    assert to_sql(rule).text == (
        "(coalesce(case when try(json_type(traits, $rule_1)) in ('BIGINT', 'UBIGINT', 'DOUBLE')"
        " then nullif(try_cast(try(json_extract_string(traits, $rule_1)) as double), 'nan'::double)"
        " end >= $rule_2, false)"
        " and (not coalesce(case when try(json_type(traits, $rule_3)) = 'BOOLEAN'"
        " then try(json_extract_string(traits, $rule_3)) = 'true' end = $rule_4, false)))"
    )


def test_rules_of_different_prefixes_meet_in_one_statement() -> None:
    adult = to_sql(parse({"trait": "age", "at_least": 18}, where="rule"), prefix="adult")
    basic = to_sql(parse({"trait": "plan", "is": "basic"}, where="rule"), prefix="basic")
    rows = [json.dumps({"age": age, "plan": plan}) for age, plan in ((20, "basic"), (9, "plus"))]
    with duckdb.connect() as engine:
        found = engine.execute(
            f"select {adult.text}, {basic.text} from (select unnest($rows) as traits)",  # noqa: S608
            {"rows": rows} | adult.parameters | basic.parameters,
        ).fetchall()
    assert found == [(True, True), (False, False)]


def test_a_rule_without_any_alternative_holds_for_nobody() -> None:
    assert to_sql(AnyOf(rules=())).text == "false"


GOOD = '{"a": 1, "b": "x", "c": true}'
BAD = ['{"a": 1', "", None, "null", '{"a": "\\ud800"}', GOOD[:-1]]


@pytest.mark.parametrize(
    "condition",
    [
        {"trait": "a", "is": 1},
        {"trait": "a", "more_than": 0},
        {"trait": "a", "one_of": [1, 2]},
        {"trait": "b", "is_not": "y"},
        {"trait": "b", "one_of": ["x"]},
        {"trait": "c", "is": True},
        {"trait": "c", "one_of": [True]},
        {"trait": "c", "exists": True},
    ],
)
def test_a_row_with_malformed_text_has_no_traits_and_stops_nothing(
    condition: dict[str, object],
) -> None:
    rule = parse({"any": [condition, {"all": [condition, {"not": condition}]}]}, where="rule")
    sql = to_sql(rule)
    with duckdb.connect() as engine:
        engine.execute("create table rows (position integer, traits varchar)")
        engine.executemany("insert into rows values (?, ?)", list(enumerate([*BAD, GOOD] * 3)))
        asked = f"select {sql.text} from rows order by position"  # noqa: S608
        found = engine.execute(asked, sql.parameters).fetchall()
        kept = f"select position from rows where {sql.text} order by position"  # noqa: S608
        filtered = engine.execute(kept, sql.parameters).fetchall()
    assert [row[0] for row in found] == [False, False, False, False, False, False, True] * 3
    assert [row[0] for row in filtered] == [6, 13, 20]


@pytest.mark.parametrize("prefix", ["", "1a", "A", "a b", "a;", "é", "a" * 42, "a\n"])
def test_a_prefix_that_is_no_name_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidInput, match=r"cannot be used\. Allowed: a small letter"):
        to_sql(AnyOf(rules=()), prefix=prefix)
