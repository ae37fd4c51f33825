"""What was held up is not sent at night, whatever the clocks do, and goes out in the morning."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from opportune.decisions import QuietHours
from opportune.storage import Stores

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")


def make_quiet(sender: Any, start: str, end: str) -> None:
    """Every row's profile lives in New York, where nine o'clock in UTC is four."""
    sender.stores.state.rows(
        "update outbox set zone = 'America/New_York', quiet_from = %(start)s::time,"
        " quiet_to = %(end)s::time",
        {"start": start, "end": end},
    )


def test_what_is_due_while_it_is_quiet_waits_until_that_ends(sender: Any, sandbox: Any) -> None:
    sender.fill(3)
    make_quiet(sender, "21:00", "08:00")
    sender.stores.state.rows("update outbox set quiet_from = null where profile_id = 3")
    assert sender.send() == Counter(sent=1)
    due = sender.stores.state.rows("select due_at from outbox where profile_id < 3")
    assert {row["due_at"] for row in due} == {datetime(2026, 3, 1, 13, tzinfo=UTC)}
    assert sender.send(now=datetime(2026, 3, 1, 12, 59, tzinfo=UTC)) == Counter()
    assert sender.send(now=datetime(2026, 3, 1, 13, tzinfo=UTC)) == Counter(sent=2)
    assert sandbox.sends() == (3, 3, 1)


def test_what_is_due_while_it_is_not_quiet_is_sent(sender: Any) -> None:
    sender.fill(2)
    make_quiet(sender, "21:00", "04:00")
    assert sender.send() == Counter(sent=2)


@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    minutes=st.integers(0, 365 * 24 * 60),
    zone=st.sampled_from(ZONES),
    hours=st.sampled_from([("21:00", "08:00"), ("01:30", "02:30"), ("02:00", "03:00")]),
)
@example(minutes=125_370, zone="Europe/Berlin", hours=("02:00", "03:00"))
def test_both_databases_of_time_zones_say_the_same(
    stores: Stores, minutes: int, zone: str, hours: tuple[str, str]
) -> None:
    at = datetime.fromtimestamp(1_767_225_600 + 60 * minutes, UTC)
    until = stores.state.rows(
        "select quiet_until(%(at)s, %(zone)s, %(start)s::time, %(end)s::time) as until",
        {"at": at, "zone": zone, "start": hours[0], "end": hours[1]},
    )[0]["until"]
    quiet = QuietHours(start=time.fromisoformat(hours[0]), end=time.fromisoformat(hours[1]))
    assert (until is not None) == quiet.holds(at.astimezone(ZoneInfo(zone)).time())
    if until is not None:
        assert until > at
        assert not quiet.holds(until.astimezone(ZoneInfo(zone)).time())


@pytest.mark.parametrize("late", [False, True])
def test_no_zone_or_no_hours_is_never_quiet(stores: Stores, late: bool) -> None:
    missing = "null, '21:00', '08:00'" if late else "'UTC', null, null"
    rows = stores.state.rows(f"select quiet_until(now(), {missing}) as until")
    assert rows == [{"until": None}]
