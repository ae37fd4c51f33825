"""Conditions on parts of texts, and on dates."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import duckdb
import pytest

from opportune.rules import Facts, Moment, condition, parse
from opportune.rules.times import datetime_of, instant_us

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Answer = Callable[[dict[str, object], Facts], bool]


@pytest.mark.parametrize(
    ("document", "held"),
    [
        ({"contains": "ster"}, True),
        ({"contains": "Ster"}, False),
        ({"contains": "%"}, False),
        ({"contains": "_"}, False),
        ({"starts_with": "Am"}, True),
        ({"starts_with": "am"}, False),
        ({"starts_with": "Amsterdam "}, False),
        ({"ends_with": "dam"}, True),
        ({"ends_with": "Am"}, False),
        ({"ends_with": "Amsterdam"}, True),
    ],
)
def test_a_part_of_a_text_is_found_letter_for_letter(
    answer: Answer, document: dict[str, object], held: bool
) -> None:
    facts = Facts(now=NOW, traits={"city": "Amsterdam"})
    assert answer({"trait": "city", **document}, facts) is held


@pytest.mark.parametrize("value", [1, None, True, ["a"], {"a": "a"}])
def test_only_a_text_has_parts(answer: Answer, value: object) -> None:
    facts = Facts(now=NOW, traits={"city": value})
    assert answer({"trait": "city", "contains": "a"}, facts) is False


@pytest.mark.parametrize(
    ("date", "condition", "held"),
    [
        ("2026-02-27", {"before": "2026-02-28"}, True),
        ("2026-02-28", {"before": "2026-02-28"}, False),
        ("2026-02-27T23:59:59.999999Z", {"before": "2026-02-28"}, True),
        ("2026-02-28T00:30:00+01:00", {"before": "2026-02-28"}, True),
        ("2026-02-28T23:59:59Z", {"after": "2026-02-28"}, False),
        ("2026-03-01", {"after": "2026-02-28"}, True),
        ("2026-02-28T08:00:00Z", {"after": "2026-02-28T08:00:00Z"}, False),
        ("2026-02-28T08:00:00.000001Z", {"after": "2026-02-28T08:00:00Z"}, True),
        ("2026-02-28T07:59:59.999999Z", {"before": "2026-02-28T09:00:00+01:00"}, True),
        ("9999-12-31T23:59:59-14:00", {"after": "9999-12-31"}, True),
        ("2026-02-27T12:00:00Z", {"in_last_days": 2}, True),
        ("2026-02-27T11:59:59.999999Z", {"in_last_days": 2}, False),
        ("2026-03-01T12:00:00Z", {"in_last_days": 2}, True),
        ("2026-03-01T12:00:00.000001Z", {"in_last_days": 2}, False),
        ("2026-03-01T12:00:00Z", {"in_next_days": 2}, True),
        ("2026-03-03T12:00:00Z", {"in_next_days": 2}, True),
        ("2026-03-03T12:00:00.000001Z", {"in_next_days": 2}, False),
        ("2026-03-01", {"in_next_days": 2}, False),
        ("2026-03-02", {"in_next_days": 2}, True),
    ],
)
def test_dates_compare_by_the_moment_they_mean(
    answer: Answer, date: str, condition: dict[str, object], held: bool
) -> None:
    facts = Facts(now=NOW, traits={"due": date})
    assert answer({"trait": "due", **condition}, facts) is held


NO_DATES = [
    "",
    "2026",
    "2026-02-30",
    "2026-13-01",
    "2026-2-1",
    "0999-01-01",
    "26-02-01",
    "2026-02-01T08:00:00",
    "2026-02-01T08:00Z",
    "2026-02-01T24:00:00Z",
    "2026-02-01T08:60:00Z",
    "2026-02-01T08:00:60Z",
    "2026-02-01T08:00:00.Z",
    "2026-02-01T08:00:00.1234567890Z",
    "2026-02-01T08:00:00+15:00",
    "2026-02-01T08:00:00+0100",
    "2026-02-01T08:00:00z",
    "2026-02-01t08:00:00Z",
    "2026-02-01 08:00:00Z",
    " 2026-02-01",
    "2026-02-01 ",
    "2026-02-01\n",
    "2026-02-01T08:00:00Z\n",
    "٢٠٢٦-02-01",
    "1 February 2026",
    "1769904000",
]


@pytest.mark.parametrize("value", [*NO_DATES, 1769904000, True, None, ["2026-02-01"]])
def test_what_is_no_iso_date_matches_nothing(answer: Answer, value: object) -> None:
    facts = Facts(now=NOW, traits={"due": value})
    asked = ({"before": "9999-12-31"}, {"after": "1000-01-01"}, {"in_last_days": 3660})
    assert [answer({"trait": "due", **each}, facts) for each in asked] == [False] * 3


def test_the_zone_of_the_session_changes_nothing() -> None:
    rule = parse({"trait": "due", "before": "2026-02-28"}, where="rule")
    sql = condition(rule, now=NOW)
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'America/New_York'")
        asked = (
            f"select {sql.text} from (values"  # noqa: S608  # compiled; all values are bound
            """ ('{"due": "2026-02-28"}'), ('{"due": "2026-02-27"}')) as profiles (traits)"""
        )
        assert engine.execute(asked, sql.parameters).fetchall() == [(False,), (True,)]


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999Z", -1),
        ("1970-01-01T00:00:00.1Z", 100_000),
        ("1970-01-01T00:00:00.1234569Z", 123_456),
        ("1970-01-01T01:30:00+01:30", 0),
        ("1969-12-31T22:30:00-01:30", 0),
        ("2026-02-30", None),
    ],
)
def test_a_text_is_read_to_the_microsecond(text: str, at_us: int | None) -> None:
    assert instant_us(text) == at_us


def test_a_day_written_in_a_rule_is_the_whole_day_and_a_time_an_instant() -> None:
    day, time = Moment(text="1970-01-02"), Moment(text="1970-01-02T00:00:00Z")
    assert (day.start_us, day.end_us) == (86_400_000_000, 172_800_000_000)
    assert (time.start_us, time.end_us) == (86_400_000_000, 86_400_000_001)


def test_beyond_the_calendar_there_is_no_time() -> None:
    assert datetime_of(10**18) is None
