"""When an action is to be sent: at its hour and weekday on the profile's own clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from opportune.decisions.constraints import QuietHours
from opportune.decisions.model import WEEKDAYS, UseCase

__all__ = ["MOST_DAYS_AHEAD", "sends_nothing", "next_time", "send_times"]

MOST_DAYS_AHEAD = 16
"""No send waits longer: a week, and what a change of the clocks or quiet hours may take from it."""

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_time(
    after: datetime,
    zone: str,
    *,
    hour: int | None,
    weekday: int | None,
    quiet: QuietHours | None,
) -> datetime:
    """Return the first moment from ``after`` on that is in ``hour`` of ``weekday`` and not quiet.

    ``hour`` is one of 0 to 23 in ``zone``, ``weekday`` one of 0 (Monday) to 6; None: any. An hour
    that the clocks leave out begins when they have changed; of one that comes twice the first
    counts, or the second where only that is still ahead.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 3, 28, 12, tzinfo=UTC)
    >>> str(next_time(noon, "Europe/Berlin", hour=2, weekday=None, quiet=None))
    '2026-03-29 01:00:00+00:00'
    """
    clock = _clock(zone)
    here = after.astimezone(clock)
    if hour in (None, here.hour) and weekday in (None, here.weekday()) and not _quiet(quiet, here):
        return after
    starts = _starts(hour, quiet)
    for days in range(MOST_DAYS_AHEAD):
        day = here.date() + timedelta(days=days)
        if weekday in (None, day.weekday()):
            moments = (each for start in starts for each in _moments(day, start, clock))
            fitting = [each for each in moments if each >= after and not _quiet(quiet, each)]
            if fitting:
                return min(fitting).astimezone(UTC)
    raise ValueError(f"No moment in {MOST_DAYS_AHEAD} days is at hour {hour}, day {weekday}.")


def send_times(
    use_case: UseCase, actions: NDArray[np.int16], zones: pa.Array, decided_at: datetime
) -> pa.Array:
    """Return when each action ``(n, D)`` is to be sent at the earliest; null: it sends nothing.

    ``zones`` are the profiles' time zones. There are few different ones, and few hours.
    """
    silent = sends_nothing(use_case, actions)
    if not use_case.is_timed:
        times = np.full(len(actions), _us(decided_at))
        return pa.array(times, mask=silent).cast(pa.timestamp("us", "UTC"))
    named = pc.fill_null(zones, "UTC").dictionary_encode()
    columns = [named.indices.to_numpy().astype(np.int64)]
    places = [use_case.place_of("hour"), use_case.place_of("day")]
    columns += [
        np.full(len(actions), -1) if place is None else actions[:, place].astype(np.int64)
        for place in places
    ]
    keys, which = np.unique(np.stack(columns, axis=1)[~silent], axis=0, return_inverse=True)
    names = named.dictionary.to_pylist()
    times = np.zeros(len(actions), dtype=np.int64)
    found = [
        next_time(
            decided_at,
            names[zone],
            hour=None if places[0] is None else int(_name(use_case, places[0], hour)),
            weekday=None if places[1] is None else WEEKDAYS.index(_name(use_case, places[1], day)),
            quiet=use_case.constraints.quiet_hours,
        )
        for zone, hour, day in keys.tolist()
    ]
    times[~silent] = np.array([_us(each) for each in found], dtype=np.int64)[which.reshape(-1)]
    return pa.array(times, mask=silent).cast(pa.timestamp("us", "UTC"))


def sends_nothing(use_case: UseCase, actions: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Say which actions ``(n, D)`` have an option that is to send nothing: ``(n,)``."""
    silent = np.zeros(len(actions), dtype=bool)
    for d, dimension in enumerate(use_case.dimensions):
        silent |= np.array([option.nothing for option in dimension.options])[actions[:, d]]
    return silent


def _starts(hour: int | None, quiet: QuietHours | None) -> tuple[time, ...]:
    """The times of day at which a wait may end."""
    if hour is not None:
        return (time(hour),)
    return (time(),) if quiet is None else (time(), quiet.end)


def _moments(day: date, start: time, clock: ZoneInfo) -> Iterator[datetime]:
    """The moments at which it is ``start`` on ``day``: one, two, or the end of the gap."""
    first = datetime.combine(day, start, clock)
    moment = first.astimezone(UTC).astimezone(clock)
    yield moment
    again = first.replace(fold=1).astimezone(UTC)
    if again > moment:
        yield again.astimezone(clock)


def _quiet(quiet: QuietHours | None, at: datetime) -> bool:
    return quiet is not None and quiet.holds(at.time())


def _name(use_case: UseCase, dimension: int, option: int) -> str:
    return use_case.dimensions[dimension].options[option].name


def _us(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


@cache
def _clock(zone: str) -> ZoneInfo:
    return ZoneInfo(zone)
