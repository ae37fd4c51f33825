"""A use case that does harm stops by itself, and one that does none goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from opportune import policies, profiles, stats
from opportune.decisions import (
    GuardRail,
    NotStopped,
    UseCase,
    decide,
    guard,
    resume,
    snapshot,
    stopped,
)
from opportune.decisions.guard import broken, guard_looks
from opportune.events import Metric, create_tables, parse_metrics
from opportune.storage import Stores

DAY = date(2026, 3, 1)
AT = datetime(2026, 3, 1, 6, tzinfo=UTC)
PEOPLE = 400
UNSUBSCRIBES = Metric(
    name="unsubscribes", title="", event="Unsubscribed", property=None, unit="people", window_days=7
)
REVENUE = Metric(
    name="revenue", title="", event="Ordered", property="revenue", unit="EUR", window_days=1
)
METRICS = {"unsubscribes": UNSUBSCRIBES, "revenue": REVENUE}
RAIL = GuardRail(metric="unsubscribes", direction="at_most", limit=0.02, days=7)
People = Callable[..., None]
Make = Callable[..., UseCase]


@pytest.fixture
def shop(stores: Stores, people: People, use_case: Make) -> UseCase:
    """Days 0 and 1 are decided for 400 people, who all may leave."""
    create_tables(stores.lake)
    people(range(PEOPLE))
    wanted = use_case(guard_rails=(RAIL,))
    for place in range(2):
        decide_day(stores, wanted, place)
    return wanted


def decide_day(stores: Stores, wanted: UseCase, place: int) -> None:
    day, now = DAY + timedelta(days=place), AT + timedelta(days=place)
    snapshot(stores, wanted, day, profiles.snapshot(stores.state))
    uniform = policies.Uniform(wanted.space)
    decide(stores, wanted, day, policy=uniform, policy_version="p", now=now)


def happen(stores: Stores, event: str, ids: range, *, at: datetime, **properties: float) -> None:
    """One event of each of these people."""
    at_us = int(at.timestamp() * 1e6)
    schema = stores.lake.schema("events")
    told = {
        "message_id": [f"{event}-{at_us}-{each}" for each in ids],
        "user_id": [f"u{each}" for each in ids],
        "type": "track", "event": event, "properties": json.dumps(properties),
        "occurred_at": at, "occurred_at_us": at_us, "received_at": at, "received_at_us": at_us,
    }  # fmt: skip
    rows = [
        {key: value[place] if isinstance(value, list) else value for key, value in told.items()}
        for place in range(len(ids))
    ]
    table = pa.Table.from_pylist(
        [{"source_id": "shop"} | row | _rest(schema, row) for row in rows], schema=schema
    )
    stores.lake.append("events", table)


def _rest(schema: pa.Schema, row: dict[str, object]) -> dict[str, object]:
    return {
        field.name: None if field.nullable else ("" if pa.types.is_string(field.type) else 0)
        for field in schema
        if field.name not in row and field.name != "source_id"
    }


def look(stores: Stores, wanted: UseCase, place: int) -> str | None:
    day = DAY + timedelta(days=place)
    found = guard(stores, wanted, METRICS, day, now=AT + timedelta(days=place))
    return None if found is None else found.reason


def test_harm_stops_a_use_case_until_somebody_resumes_it(stores: Stores, shop: UseCase) -> None:
    assert look(stores, shop, 2) is None
    happen(stores, "Unsubscribed", range(60), at=AT + timedelta(days=1))
    reason = look(stores, shop, 2)
    assert reason is not None
    assert reason.startswith("unsubscribes is 0.1")
    assert reason.endswith("at most 0.02 is allowed.")
    (seen,) = guard_looks(stores.state, shop)
    assert (seen.day, seen.look, seen.affected) == (
        date(2026, 3, 3),
        2,
        round(seen.mean * seen.recipients),
    )
    assert f"{seen.mean:.3g}" in reason
    # It stays stopped, with the first reason, whatever comes then.
    happen(stores, "Unsubscribed", range(60, 200), at=AT + timedelta(days=1))
    assert look(stores, shop, 3) == reason
    known = stopped(stores.state, "next")
    assert known is not None
    assert (known.day, known.stopped_at) == (date(2026, 3, 3), AT + timedelta(days=2))
    later = AT + timedelta(days=3)
    assert resume(stores.state, "next", by="ann", now=later).reason == reason
    assert stopped(stores.state, "next") is None
    # What happened to those who were decided before is no evidence any more.
    assert look(stores, shop, 4) is None
    with pytest.raises(NotStopped, match="'next' is not stopped"):
        resume(stores.state, "next", by="ann", now=later)


def test_control_and_what_came_before_or_too_late_are_no_harm(
    stores: Stores, shop: UseCase, use_case: Make
) -> None:
    happen(stores, "Unsubscribed", range(PEOPLE), at=AT - timedelta(hours=1))
    happen(stores, "Unsubscribed", range(PEOPLE), at=AT + timedelta(days=7, seconds=1))
    assert look(stores, shop, 2) is None
    nobody = use_case(name="other", control_share=0.9, guard_rails=(RAIL,))
    decide_day(stores, nobody, 0)
    happen(stores, "Unsubscribed", range(8), at=AT + timedelta(hours=1))
    assert look(stores, nobody, 1) is None


def test_a_day_that_was_decided_is_not_looked_at_again(stores: Stores, shop: UseCase) -> None:
    happen(stores, "Unsubscribed", range(100), at=AT + timedelta(hours=1))
    assert look(stores, shop, 1) is None
    assert look(stores, shop, 2) is not None


def test_too_little_is_harm_once_its_time_is_over(
    stores: Stores, shop: UseCase, use_case: Make
) -> None:
    rail = GuardRail(metric="revenue", direction="at_least", limit=5.0, days=7)
    wanted = use_case(guard_rails=(rail,))
    for start in range(10):
        many = range(start * 10, start * 10 + 10)
        happen(stores, "Ordered", many, at=AT + timedelta(hours=1 + start), revenue=3.0 + start)
    # Of those first decided yesterday at 06:00 the window of a day is just over.
    early = guard(stores, wanted, METRICS, DAY + timedelta(days=2), now=AT + timedelta(hours=20))
    assert early is None
    reason = look(stores, wanted, 2)
    assert reason is not None
    assert "EUR per recipient" in reason
    assert reason.endswith("at least 5 is allowed.")


def test_nothing_at_all_is_too_little(stores: Stores, shop: UseCase, use_case: Make) -> None:
    rail = GuardRail(metric="unsubscribes", direction="at_least", limit=0.2, days=7)
    assert look(stores, use_case(guard_rails=(rail,)), 9) is not None


def test_a_ratio_of_sums_is_limited_as_one_value(
    stores: Stores, shop: UseCase, use_case: Make
) -> None:
    bodies = {
        "returned": {"event": "Returned", "unit": "orders", "window_days": 7},
        "ordered": {"event": "Ordered", "unit": "orders", "window_days": 7},
        "back": {"formula": "sum(returned) / sum(ordered)", "unit": "of orders"},
    }
    metrics = {name: each for name, each in parse_metrics(bodies, []).items() if each}
    rail = GuardRail(metric="back", direction="at_most", limit=0.2, days=7)
    wanted = use_case(guard_rails=(rail,))
    happen(stores, "Ordered", range(200), at=AT + timedelta(hours=25))
    happen(stores, "Returned", range(100), at=AT + timedelta(hours=26))
    found = guard(stores, wanted, metrics, DAY + timedelta(days=2), now=AT + timedelta(days=2))
    assert found is not None
    assert "of orders per recipient" in found.reason
    (seen,) = guard_looks(stores.state, wanted)
    recipients = {
        row["profile_id"]
        for row in stores.lake.read("decisions").to_pylist()
        if row["variant"] == "treatment" and row["due_at"] is not None
    }
    users = {
        row["value"]: row["profile_id"]
        for row in stores.state.rows(
            "select value, profile_id from identifier where kind = 'user_id'"
        )
    }
    back, bought = (
        sum(users[f"u{each}"] in recipients for each in range(many)) for many in (100, 200)
    )
    assert (seen.recipients, seen.affected) == (len(recipients), bought)
    assert seen.mean == pytest.approx(back / bought)


def test_a_use_case_that_keeps_its_guard_rail_is_hardly_ever_stopped() -> None:
    """Looked at each day for 90 days with a true share at the limit: at most 5 % may ever stop.

    Binomial counts of 2,000 recipients a day in windows of 7; of 400 use cases 20 are expected at
    most, and 33 is 3 standard deviations more.
    """
    random = np.random.default_rng(7)
    rail = GuardRail(metric="m", direction="at_most", limit=0.01, days=7)
    daily = random.binomial(2_000, rail.limit, size=(400, 90))
    ever = 0
    for counts in daily:
        for day in range(90):
            hit = int(counts[max(day - 6, 0) : day + 1].sum())
            people = 2_000 * min(day + 1, 7)
            sample = moments(hit, people)
            if broken(rail, sample, affected=hit, look=day + 1):
                ever += 1
                break
    assert ever <= 33
    # And twice the limit is found within a week in nearly every use case.
    found = sum(
        any(
            broken(rail, moments(int(h), 2_000 * (d + 1)), affected=int(h), look=d + 1)
            for d, h in enumerate(np.cumsum(random.binomial(2_000, 0.02, size=7)))
        )
        for _ in range(100)
    )
    assert found >= 99


def moments(hit: int, people: int) -> stats.Moments:
    share = hit / people
    return stats.Moments(count=people, mean=share, m2=people * share * (1 - share))
