"""A send is due at its hour on the profile's own clock, whatever the clocks do that night."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opportune.decisions import (
    WEEKDAYS,
    Constraints,
    Dimension,
    Option,
    QuietHours,
    UseCase,
    next_time,
    send_times,
)

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
NIGHT = QuietHours(start=time(21), end=time(8))
MINUTE = timedelta(minutes=1)


def local(at: datetime, zone: str) -> str:
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M %z}"


@pytest.mark.parametrize(
    ("zone", "after", "hour", "due"),
    [
        # The hour from 2 to 3 is left out: it begins when the clocks have changed.
        ("Europe/Berlin", "2026-03-28T12:00Z", 2, "2026-03-29 03:00 +0200"),
        ("Europe/Berlin", "2026-03-28T12:00Z", 3, "2026-03-29 03:00 +0200"),
        ("America/New_York", "2026-03-07T12:00Z", 2, "2026-03-08 03:00 -0400"),
        ("Australia/Lord_Howe", "2026-10-03T12:00Z", 2, "2026-10-04 02:30 +1100"),
        # It comes twice: the first one counts; within the second it is that hour still.
        ("Europe/Berlin", "2026-10-24T12:00Z", 2, "2026-10-25 02:00 +0200"),
        ("Europe/Berlin", "2026-10-25T00:30Z", 2, "2026-10-25 02:30 +0200"),
        ("Europe/Berlin", "2026-10-25T01:30Z", 2, "2026-10-25 02:30 +0100"),
        ("Europe/Berlin", "2026-10-25T02:00Z", 2, "2026-10-26 02:00 +0100"),
        ("America/New_York", "2026-10-31T12:00Z", 1, "2026-11-01 01:00 -0400"),
        ("America/New_York", "2026-11-01T07:00Z", 1, "2026-11-02 01:00 -0500"),
        ("Australia/Lord_Howe", "2026-04-04T12:00Z", 1, "2026-04-05 01:00 +1100"),
        # The day before and the day after.
        ("Europe/Berlin", "2026-03-28T06:00Z", 9, "2026-03-28 09:00 +0100"),
        ("Europe/Berlin", "2026-03-29T06:00Z", 9, "2026-03-29 09:00 +0200"),
        ("Asia/Kathmandu", "2026-03-01T06:00Z", 12, "2026-03-01 12:00 +0545"),
        ("Asia/Kathmandu", "2026-03-01T06:00Z", 11, "2026-03-01 11:45 +0545"),
        ("Asia/Kathmandu", "2026-03-01T06:15Z", 11, "2026-03-02 11:00 +0545"),
    ],
)
def test_the_next_such_hour_is_right_across_both_changes(
    zone: str, after: str, hour: int, due: str
) -> None:
    found = next_time(datetime.fromisoformat(after), zone, hour=hour, weekday=None, quiet=None)
    assert local(found, zone) == due


def test_the_end_of_a_gap_that_is_quiet_is_passed_over() -> None:
    quiet = QuietHours(start=time(3), end=time(4))
    at = datetime(2026, 3, 28, 12, tzinfo=UTC)
    found = next_time(at, "Europe/Berlin", hour=2, weekday=None, quiet=quiet)
    assert local(found, "Europe/Berlin") == "2026-03-30 02:00 +0200"


@given(
    zone=st.sampled_from(ZONES),
    minutes=st.integers(0, 365 * 24 * 60),
    hour=st.none() | st.integers(8, 20),
    weekday=st.none() | st.integers(0, 6),
    quiet=st.none() | st.just(NIGHT),
)
@example(zone="Australia/Lord_Howe", minutes=134_805, hour=None, weekday=None, quiet=NIGHT)
def test_it_is_the_first_minute_that_fits(
    zone: str, minutes: int, hour: int | None, weekday: int | None, quiet: QuietHours | None
) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC) + MINUTE * minutes
    found = next_time(start, zone, hour=hour, weekday=weekday, quiet=quiet)

    def fits(at: datetime) -> bool:
        here = at.astimezone(ZoneInfo(zone))
        return (
            here.hour == (here.hour if hour is None else hour)
            and here.weekday() == (here.weekday() if weekday is None else weekday)
            and not (quiet and (here.time() >= time(21) or here.time() < time(8)))
        )

    assert fits(found)
    assert 0 <= (found - start) // MINUTE <= 8 * 24 * 60
    # From 8 to 20 no clock of these is changed, so that looking at each quarter tells all.
    quarters = (found - start) // (15 * MINUTE)
    first = start.replace(minute=start.minute // 15 * 15)
    before = [first + 15 * MINUTE * number for number in range(1, quarters)]
    assert [at for at in (start, *before) if at < found and fits(at)] == []


def test_actions_are_due_on_each_profiles_own_clock(use_case: Callable[..., UseCase]) -> None:
    case = use_case(
        dimensions=(
            Dimension(
                name="at", meaning="hour",
                options=(*(Option(name=each, eligible=None) for each in ("09", "18")),
                         Option(name="never", eligible=None, nothing=True)),
            ),
            Dimension(
                name="day", meaning="day",
                options=tuple(Option(name=each, eligible=None) for each in WEEKDAYS),
            ),
        )
    )  # fmt: skip
    actions = np.array([[0, 6], [0, 6], [1, 0], [2, 3], [1, 6]], dtype=np.int16)
    zones = pa.array(["Europe/Berlin", "America/New_York", "UTC", "UTC", "Asia/Kathmandu"])
    at = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)  # A Sunday.
    found = send_times(case, actions, zones, at).to_pylist()
    assert found[3] is None
    assert [each and each.isoformat()[:16] for each in found] == [
        "2026-03-01T08:00",
        "2026-03-01T14:00",
        "2026-03-02T18:00",
        None,
        "2026-03-01T12:15",
    ]


def test_without_an_hour_it_is_due_at_once_or_when_quiet_hours_end(
    use_case: Callable[..., UseCase],
) -> None:
    actions = np.zeros((2, 2), dtype=np.int16)
    zones = pa.array(["Europe/Berlin", "America/New_York"])
    at = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    assert send_times(use_case(), actions, pa.nulls(2, pa.string()), at).to_pylist() == [at, at]
    quiet = use_case(constraints=Constraints(quiet_hours=NIGHT))
    assert send_times(quiet, actions, zones, at).to_pylist() == [
        at,
        datetime(2026, 3, 1, 13, tzinfo=UTC),
    ]
    assert date(2026, 3, 1).weekday() == WEEKDAYS.index("sun")
