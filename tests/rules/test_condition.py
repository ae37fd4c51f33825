"""The SQL of a condition on traits: bound, composable, and safe on bad rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import duckdb
import pytest

from opportune.errors import InvalidInput
from opportune.rules import AnyOf, condition, parse

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INJECTION = "x' or 1=1; drop table profiles; --"


def test_what_a_person_wrote_is_only_in_the_parameters() -> None:
    rule = parse(
        {
            "any": [
                {"trait": INJECTION, "is": INJECTION},
                {"trait": "a", "one_of": [INJECTION, "b"]},
                {"trait": "a", "contains": INJECTION},
            ]
        },
        where="rule",
    )
    sql = condition(rule, now=NOW)
    assert "drop" not in sql.text
    assert sql.parameters == {
        "rule_1": f"/{INJECTION}",
        "rule_2": INJECTION,
        "rule_3": "/a",
        "rule_4": INJECTION,
        "rule_5": "b",
        "rule_6": "/a",
        "rule_7": INJECTION,
    }


def test_the_expression_is_the_expected_one() -> None:
    rule = parse(
        {"all": [{"trait": "age", "at_least": 18}, {"not": {"trait": "vip", "is": True}}]},
        where="rule",
    )
    assert condition(rule, now=NOW).text == (
        "(coalesce(case when try(json_type(traits, $rule_1)) in ('BIGINT', 'UBIGINT', 'DOUBLE')"
        " then nullif(try_cast(try(json_extract_string(traits, $rule_1)) as double), 'nan'::double)"
        " end >= $rule_2, false)"
        " and (not coalesce(case when try(json_type(traits, $rule_3)) = 'BOOLEAN'"
        " then try(json_extract_string(traits, $rule_3)) = 'true' end = $rule_4, false)))"
    )


def test_rules_of_different_prefixes_meet_in_one_statement() -> None:
    adult = parse({"trait": "age", "at_least": 18}, where="rule")
    basic = parse({"trait": "plan", "is": "basic"}, where="rule")
    first, second = (
        condition(adult, now=NOW, prefix="adult"),
        condition(basic, now=NOW, prefix="basic"),
    )
    rows = [json.dumps({"age": age, "plan": plan}) for age, plan in ((20, "basic"), (9, "plus"))]
    with duckdb.connect() as engine:
        found = engine.execute(
            f"select {first.text}, {second.text} from (select unnest($rows) as traits)",  # noqa: S608
            {"rows": rows} | first.parameters | second.parameters,
        ).fetchall()
    assert found == [(True, True), (False, False)]


def test_a_rule_without_any_alternative_holds_for_nobody() -> None:
    assert condition(AnyOf(rules=()), now=NOW).text == "false"


@pytest.mark.parametrize(
    "document", [{"event": "A"}, {"segment": "vip"}, {"not": {"session": {"event": "A"}}}]
)
def test_a_rule_on_more_than_traits_is_no_condition(document: dict[str, object]) -> None:
    with pytest.raises(InvalidInput, match=r"more than traits.*Make it a segment, and use that"):
        condition(parse(document, where="rule"), now=NOW)


GOOD = '{"a": 1, "b": "x", "c": true, "d": "2026-01-01"}'
BAD = ['{"a": 1', "", None, "null", '{"a": "\\ud800"}', GOOD[:-1]]


@pytest.mark.parametrize(
    "document",
    [
        {"trait": "a", "is": 1},
        {"trait": "a", "more_than": 0},
        {"trait": "a", "one_of": [1, 2]},
        {"trait": "b", "is_not": "y"},
        {"trait": "b", "one_of": ["x"]},
        {"trait": "b", "starts_with": "x"},
        {"trait": "c", "is": True},
        {"trait": "c", "one_of": [True]},
        {"trait": "c", "exists": True},
        {"trait": "d", "after": "2025-12-31"},
        {"trait": "d", "in_last_days": 100},
    ],
)
def test_a_row_with_malformed_text_has_no_traits_and_stops_nothing(
    document: dict[str, object],
) -> None:
    rule = parse({"any": [document, {"all": [document, {"not": document}]}]}, where="rule")
    sql = condition(rule, now=NOW)
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
        condition(AnyOf(rules=()), now=NOW, prefix=prefix)
