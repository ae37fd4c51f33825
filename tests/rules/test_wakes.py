"""When time alone changes an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import drawn
from opportune.rules import Facts, holds, parse, wakes
from opportune.rules.wakes import LOOK_AHEAD

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
Past = Callable[..., Facts]


def minutes_to(document: dict[str, object], facts: Facts) -> float | None:
    found = wakes(parse(document, where="rule"), facts)
    return None if found is None else (found - facts.now) / timedelta(minutes=1)


LATE = 1 / 60_000_000
ABANDONED = {
    "sequence": [{"event": "A"}, {"event": "B", "absent": True, "within": {"minutes": 60}}]
}


@pytest.mark.parametrize(
    ("document", "happened", "minutes"),
    [
        ({"event": "A"}, [("A", 10)], None),
        ({"event": "A", "within": {"minutes": 30}}, [("A", 10)], 20 + LATE),
        ({"event": "A", "within": {"minutes": 30}}, [("A", 20), ("A", 10)], 20 + LATE),
        ({"event": "A", "within": {"minutes": 30}}, [("A", 30)], LATE),
        ({"event": "A", "within": {"minutes": 30}}, [("A", 40)], None),
        ({"event": "A", "ago": {"minutes": 30}}, [("A", 10)], 20),
        ({"event": "A", "until": "2026-03-02"}, [("A", 10)], None),
        (ABANDONED, [("A", 10)], 50 + LATE),
        (ABANDONED, [("A", 10), ("B", 5)], None),
        (ABANDONED, [("A", 70)], None),
        ({"session": {"event": "A", "within": {"minutes": 30}}}, [("A", 10)], 20 + LATE),
        ({"event": "A"}, [("A", -5)], 5),
        ({"event": "B"}, [("A", -5)], None),
    ],
)
def test_the_next_moment_is_when_a_window_or_a_deadline_ends(
    past: Past,
    document: dict[str, object],
    happened: list[tuple[str, int]],
    minutes: float | None,
) -> None:
    assert minutes_to(document, past(*happened)) == minutes


def test_dates_come_near_and_pass() -> None:
    def days(document: dict[str, object], date: str) -> float | None:
        minutes = minutes_to(document, Facts(now=NOW, traits={"due": date}))
        return None if minutes is None else minutes / 1440

    soon, just = {"trait": "due", "in_next_days": 2}, {"trait": "due", "in_last_days": 2}
    assert days(soon, "2026-03-05T12:00:00Z") == 2
    assert days(soon, "2026-03-02T12:00:00Z") == 1 + LATE / 1440
    assert days(soon, "2026-02-01") is None
    assert days(just, "2026-03-05T12:00:00Z") == 4
    assert days(just, "2026-02-28T12:00:00Z") == 1 + LATE / 1440
    assert days(just, "soon") is None
    assert days({"trait": "due", "before": "2026-03-02"}, "2026-03-01") is None


def test_a_date_of_an_event_comes_near_as_well(past: Past) -> None:
    facts = past(("A", 10, {"due": "2026-03-05T12:00:00Z"}), ("B", 5, {"due": "2026-03-03"}))
    near = {"event": "A", "where": {"property": "due", "in_next_days": 2}}
    assert minutes_to(near, facts) == 2 * 1440


def test_no_longer_than_the_calendar(past: Past) -> None:
    facts = past(("A", 10), now=datetime(9999, 12, 31, tzinfo=UTC))
    assert minutes_to({"event": "A", "within": {"days": 30}}, facts) is None


def test_after_many_moments_that_change_nothing_it_is_asked_again(past: Past) -> None:
    facts = past(*(("A", minutes) for minutes in range(100, 0, -1)))
    asked = {"event": "A", "within": {"minutes": 200}}
    assert minutes_to(asked, facts) == 100 + LOOK_AHEAD - 1 + LATE
    few = {**asked, "count": {"at_least": 100 - 9}}
    assert minutes_to(few, facts) == 100 + 9 + LATE


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    document=drawn.documents | drawn.sequences | drawn.happened,
    facts=drawn.facts(),
    before=st.timedeltas(timedelta(minutes=-90), timedelta(minutes=90)),
    shares=st.lists(st.floats(0, 1, exclude_max=True), max_size=5),
)
def test_until_then_the_answer_stays_what_it_is(
    document: dict[str, object], facts: Facts, before: timedelta, shares: list[float]
) -> None:
    rule = parse(document, where="rule")
    # Some events lie ahead then: they are known, and have not happened yet.
    facts = replace(facts, now=facts.now + before)
    held, moment = holds(rule, facts), wakes(rule, facts)
    end = facts.now + timedelta(days=30) if moment is None else moment - MOMENT
    assert moment is None or moment > facts.now
    for share in [*shares, 1.0]:
        at = facts.now + (end - facts.now) * share
        assert holds(rule, replace(facts, now=at)) is held
