"""The statement of a rule: what it reads, how often, and that every engine understands it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings

import drawn
from opportune.rules import AnyOf, parse, to_sql
from opportune.storage.dialect import to_spark

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INJECTION = "x' or 1=1; drop table profiles; --"
THEN: dict[str, object] = {"sequence": [{"event": "A"}, {"event": "B"}]}


def statement(document: dict[str, object], **rest: object) -> str:
    return to_sql(parse(document, where="rule"), now=NOW, **rest).text  # type: ignore[arg-type]  # the tests' own


@pytest.mark.parametrize(
    ("document", "relations"),
    [
        ({"trait": "a", "is": 1}, {"profiles"}),
        ({"all": []}, {"profiles"}),
        ({"event": "A"}, {"profiles", "events"}),
        (THEN, {"profiles", "events"}),
        ({"session": {"event": "A"}}, {"profiles", "events"}),
        ({"segment": "vip"}, {"profiles", "members"}),
        ({"any": [{"segment": "vip"}, {"event": "A"}]}, {"profiles", "events", "members"}),
    ],
)
def test_only_what_is_asked_about_is_read(document: dict[str, object], relations: set[str]) -> None:
    sql = to_sql(parse(document, where="rule"), now=NOW)
    assert sql.relations == relations
    names = ("profiles", "events", "members")
    assert {name for name in names if f"from {name} as" in sql.text} == relations


def test_what_a_person_wrote_is_only_in_the_parameters() -> None:
    where = {"property": INJECTION, "is": INJECTION}
    match = {"event": INJECTION, "where": where}
    rule = parse(
        {
            "all": [
                {**match, "sum": {"property": INJECTION, "at_least": 1}},
                {"sequence": [match, {**match, "without": match}], "same": INJECTION},
                {"session": match},
                {"segment": INJECTION},
            ]
        },
        where="rule",
    )
    sql = to_sql(rule, now=NOW)
    assert "drop" not in sql.text
    assert {INJECTION, f"/{INJECTION}"} <= set(map(str, sql.parameters.values()))


def test_at_another_time_only_parameters_differ() -> None:
    rule = parse(
        {
            "all": [
                {"event": "A", "within": {"days": 1}},
                {"trait": "due", "in_next_days": 3},
                {**THEN, "ago": {"days": 2}},
            ]
        },
        where="rule",
    )
    first, second = to_sql(rule, now=NOW), to_sql(rule, now=NOW + timedelta(days=1))
    assert first.text == second.text
    assert first.parameters != second.parameters


def test_all_counts_are_found_in_one_reading_of_the_events() -> None:
    counts = [
        {"event": name, "count": {"at_least": number}, "within": {"days": number}}
        for number, name in enumerate(["A", "B", "C", "A", "B", "C"], start=1)
    ]
    assert statement({"all": counts}).count("from events") == 1
    # The same question about the same events is one column.
    sums = [{"event": "A", "sum": {"property": "p", "at_least": n}} for n in range(5)]
    assert statement({"any": sums}).count("json_extract_string") == 1


def test_all_sessions_are_found_in_one_reading_of_the_events() -> None:
    sessions = [{"session": {"event": "A"}}, {"session": {"all": [{"event": "B"}, THEN]}}]
    assert statement({"all": sessions}).count("from events") == 1


def test_events_are_read_only_from_where_any_question_begins() -> None:
    def low_us(*windows: dict[str, object]) -> object:
        asked = [{"event": "A", **window} for window in windows]
        sql = to_sql(parse({"all": asked}, where="rule"), now=NOW)
        last = sql.text.rpartition("and occurred_at_us >= $")[2].partition("\n")[0]
        return sql.parameters.get(last)

    day, week = {"within": {"days": 1}}, {"within": {"weeks": 1}}
    assert low_us(day, week) == drawn.NOW_US - 7 * 86_400_000_000
    assert low_us(day, {}) is None


def test_a_relation_may_be_a_query() -> None:
    sql = to_sql(
        parse({"all": [{"event": "A"}, {"segment": "vip"}]}, where="rule"),
        now=NOW,
        prefix="vip",
        sources={
            "profiles": "select unnest([1, 2, 3]) as profile_id, '{}' as traits",
            "events": "select unnest([1, 2]) as profile_id, 'A' as event, 0 as occurred_at_us,"
            " '' as message_id, null as properties",
            "members": "select unnest([2, 3]) as profile_id, 'vip' as segment",
        },
    )
    with duckdb.connect() as engine:
        assert engine.execute(sql.text, sql.parameters).fetchall() == [(2,)]
    assert sorted(sql.parameters)[0].startswith("vip_")


def test_a_source_that_is_not_needed_is_left_out() -> None:
    assert "nowhere" not in statement({"trait": "a", "is": 1}, sources={"events": "from nowhere"})


def test_a_profile_that_stands_there_twice_is_named_once() -> None:
    sql = to_sql(
        parse({"all": []}, where="rule"),
        now=NOW,
        sources={"profiles": "select unnest([2, 1, 2]) as profile_id, '{}' as traits"},
    )
    with duckdb.connect() as engine:
        assert engine.execute(sql.text, sql.parameters).fetchall() == [(1,), (2,)]


def test_properties_that_are_no_json_are_none_and_stop_nothing() -> None:
    events = """
        select 1 as profile_id, 'A' as event, 0 as occurred_at_us, '' as message_id, properties
        from (select unnest(['{"p": 1', '', null, 'null', '{"p": 1}']) as properties)
    """
    sql = to_sql(
        parse(
            {"event": "A", "where": {"property": "p", "is": 1}, "count": {"is": 1}}, where="rule"
        ),
        now=NOW,
        sources={
            "profiles": "select 1 as profile_id, '{}' as traits",
            "events": events,
        },
    )
    with duckdb.connect() as engine:
        assert engine.execute(sql.text, sql.parameters).fetchall() == [(1,)]


def test_a_rule_without_any_alternative_holds_for_nobody() -> None:
    assert to_sql(AnyOf(rules=()), now=NOW).text.endswith("where false\norder by profile_id")


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=drawn.documents | drawn.sequences | drawn.sessions)
def test_any_rule_can_be_said_to_the_other_engine(document: dict[str, object]) -> None:
    assert "FROM profiles AS base" in to_spark(statement(document))
