"""One dialect: what means the same on every engine is translated, all else is refused by name."""

from __future__ import annotations

import ast
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeGuard

import pytest

from opportune import rules
from opportune.storage import load_sql
from opportune.storage.dialect import NotPortable, arguments, lengths, to_spark, translate

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "spark"
SOURCE = Path(__file__).resolve().parents[2] / "src" / "opportune"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
REVIEWED = (
    ("decisions", "snapshot_of_day"),
    ("learning", "credit"),
    ("replay", "outcomes"),
    ("reports", "day_edges"),
)
RULES: dict[str, dict[str, object]] = {
    "trait": {"all": [{"trait": "age", "at_least": 18}, {"trait": "plan", "one_of": ["a", "b"]}]},
    "not": {"not": {"any": [{"trait": "vip", "exists": True}, {"trait": "plan", "is": "x"}]}},
}


def test_every_query_that_reads_the_lake_means_the_same_on_spark(
    lake_statements: dict[str, str],
) -> None:
    refused = {}
    for name, text in lake_statements.items():
        try:
            to_spark(text)
        except NotPortable as problem:
            refused[name] = problem.message.partition("\n")[0]
    assert refused == {}
    assert {"learning/sql/credit.sql", "reports/sql/day_edges.sql"} <= lake_statements.keys()


def test_an_engine_is_asked_what_stands_in_files_or_what_a_rule_says() -> None:
    """Else it is in no comparison of the engines.

    Rules are in `test_rules_on_spark`, computed traits in `test_program_on_spark`; live segments
    are asked of the engine of the process that takes events in, which is DuckDB.
    """
    written = set()
    for path in sorted(SOURCE.rglob("*.py")):
        calls = [node for node in ast.walk(ast.parse(path.read_text())) if is_asked(node)]
        if any(not ast.unparse(call.args[0]).startswith("load_sql(") for call in calls):
            written.add(str(path.relative_to(SOURCE)))
    live = {"segments/judge.py", "segments/keep.py", "segments/live.py"}
    # These ask a file of theirs, with what a metric means before its first part.
    measuring = {
        "decisions/guard.py",
        "events/meant.py",
        "learning/reward.py",
        "reports/earlier.py",
        "reports/metric_days.py",
        "reports/other_metrics.py",
        "reports/readiness.py",
    }
    assert written - live - measuring == {
        "decisions/snapshot.py",
        "profiles/compute.py",
        "segments/refresh.py",
        "testing/engines.py",
    }


def is_asked(node: ast.AST) -> TypeGuard[ast.Call]:
    is_call = isinstance(node, ast.Call)
    return is_call and re.search(r"engine\.query$", ast.unparse(node.func)) is not None


@pytest.mark.parametrize(("room", "name"), REVIEWED)
def test_a_query_for_spark_is_as_reviewed(room: str, name: str) -> None:
    """GOLDEN=rewrite writes it anew; review reads the difference."""
    said = to_spark(load_sql(f"opportune.{room}", name)) + "\n"
    golden = GOLDEN / f"{room}.{name}.sql"
    if os.environ.get("GOLDEN") == "rewrite":
        golden.write_text(said)
    assert golden.read_text() == said


@pytest.mark.parametrize("name", RULES)
def test_rules_mean_the_same_on_spark(name: str) -> None:
    rule = rules.parse(RULES[name], where="rule")
    condition = rules.condition(rule, now=NOW)
    features = load_sql("opportune.decisions", "features")
    sql = features.replace("/*columns*/", f",\n    {condition.text} as eligible")
    translation = translate(sql, lengths(condition.parameters))
    given = arguments(translation, condition.parameters)
    assert set(re.findall(r":(rule\w+)", translation.text)) <= given.keys()


@pytest.mark.parametrize(
    ("sql", "construct", "hint"),
    [
        ("select a from b asof join c using (d)", "Join", "row_number()"),
        ("select a from b natural join c", "Join", "row_number()"),
        ("select quantile_cont(a, 0.5) from b", "PercentileCont", "use median"),
        ("select list(distinct a order by a) from b", "ArrayAgg", "keep rows"),
        ("select any_value(a) from b", "IgnoreNulls", "min or max"),
        ("select date_diff('day', a, b) from c", "DateDiff", "_us"),
        ("select epoch(a) from b", "TimeToUnix", "epoch_us"),
        ("select extract(hour from a) from b", "Extract", "_us"),
        ("select to_timestamp(a) from b", "UnixToTime", "make_timestamptz"),
        ("select hash(a) from b", "hash", "Python"),
        ("select random() from b", "Rand", "Python"),
        ("select now() from b", "now", "parameter"),
        ("select current_date from b", "CurrentDate", "parameter"),
        ("select round(a, 2) from b", "Round", "floor"),
        ("select cast(2.5 as integer)", "Cast", "dialect.py"),
        ("select cast(a as varchar) from b", "Cast", "dialect.py"),
        ("select cast(a as timestamp) from b", "Cast", "dialect.py"),
        ("select try_cast(a as date) from b", "TryCast", "double"),
        ("select try(a / b) from c", "Try", "dialect.py"),
        ("select a[b + 1] from c", "Bracket", "dialect.py"),
        ("select a from b where c like 'x\\%'", "Like", "dialect.py"),
        ("select regexp_extract(a, '^\\d') from b", "RegexpExtract", "dialect.py"),
        ("select date_trunc('week', a) from b", "TimestampTrunc", "dialect.py"),
        ("select strftime(a, '%U') from b", "TimeToStr", "dialect.py"),
        ("select json_extract_string(a, b) from c", "JSONExtractScalar", "dialect.py"),
        ("select a ->> '$.*' from c", "JSONExtractScalar", "dialect.py"),
        ("select distinct on (a) a from b", "Distinct", "dialect.py"),
        ("select string_agg(a, ',') from b", "GroupConcat", "dialect.py"),
        ("with recursive a as (select 1) select * from a", "With", "dialect.py"),
        ("select a from b using sample 5", "TableSample", "dialect.py"),
        ("select $1", "Placeholder", "dialect.py"),
        ("select ?", "Placeholder", "dialect.py"),
        ("select nobody_knows(a) from b", "nobody_knows", "dialect.py"),
    ],
)
def test_what_differs_is_refused_by_name(sql: str, construct: str, hint: str) -> None:
    with pytest.raises(NotPortable) as refused:
        to_spark(sql)
    assert refused.value.message.startswith(f"{construct} does not mean the same on every engine")
    assert hint in refused.value.message
    assert refused.value.message.endswith(f"\n{sql}")


@pytest.mark.parametrize(
    ("sql", "said"),
    [("selec 1", "cannot be read"), ("select 1; select 2", "2 statements"), ("", "0 statements")],
)
def test_one_statement_is_translated_at_a_time(sql: str, said: str) -> None:
    with pytest.raises(NotPortable, match=said):
        to_spark(sql)


def test_lists_are_counted_from_one() -> None:
    assert to_spark("select a[1] as b from c") == (
        "SELECT TRY_ELEMENT_AT(a, CAST(NULLIF(1, 0) AS INT)) AS b FROM c"
    )
    assert to_spark("select a[b] as c from d") == (
        "SELECT TRY_ELEMENT_AT(a, CAST(NULLIF(b, 0) AS INT)) AS c FROM d"
    )


def test_what_a_form_joins_stays_together() -> None:
    assert to_spark("select $a = isnan(b + c) as d from e") == (
        "SELECT :a = ((b + c) = CAST('NaN' AS DOUBLE)) AS d FROM e"
    )
    assert to_spark("select make_timestamptz(-a) as b from c") == (
        "SELECT TIMESTAMP_MICROS(CAST((-a) AS BIGINT)) AS b FROM c"
    )


def test_lists_are_given_item_by_item() -> None:
    given = {"words": ["a", None], "none": [], "most": 3}
    translation = translate("select $words as a, $none as b, $most as c", lengths(given))
    assert translation.text == "SELECT ARRAY(:words__0, :words__1) AS a, ARRAY() AS b, :most AS c"
    assert arguments(translation, given) == {"most": 3, "words__0": "a", "words__1": None}


@pytest.mark.parametrize(
    ("pointer", "path"),
    [
        ("/plan", "$['plan']"),
        ("/a~1b/~0c", "$['a/b']['~c']"),
        ("/it's", '$["it\'s"]'),
        ("/'\"", "$.'\""),
        ("", "$"),
        (None, None),
    ],
)
def test_a_pointer_becomes_a_path(pointer: str | None, path: str | None) -> None:
    sql = "select $p is null as a, json_extract_string(b, $p) as b from c"
    assert arguments(translate(sql), {"p": pointer}) == {"p": pointer, "p__path": path}
    assert ":p__path" in to_spark(sql)


@pytest.mark.parametrize("pointer", ["plan", 5, "/'\"."])
def test_what_is_no_pointer_is_refused(pointer: object) -> None:
    with pytest.raises(NotPortable):
        arguments(translate("select json_type(a, $p) as b from c"), {"p": pointer})


def test_a_path_in_the_text_is_translated() -> None:
    said = r"GET_JSON_OBJECT(a, '$[\'b\'][\'c/d\']')"
    assert said in to_spark("select json_extract_string(a, '/b/c~1d') as x from t")
    assert said in to_spark("select a ->> '/b/c~1d' as x from t")
    assert r"GET_JSON_OBJECT(a, '$[\'b\'][\'c\']')" in to_spark("select a ->> '$.b.c' as x from t")
