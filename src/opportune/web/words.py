"""How numbers, days and times are written on a page."""

from __future__ import annotations

from datetime import UTC, date, datetime

__all__ = [
    "ago",
    "amount",
    "as_of",
    "clock",
    "count",
    "day_of",
    "percent",
    "signed_percent",
    "size",
    "span",
    "tick",
    "total",
]


def amount(value: float) -> str:
    """Write a value of a metric with the digits that say something.

    >>> amount(0.03125), amount(0.68375), amount(3.14159), amount(27.25), amount(15234.5)
    ('0.0312', '0.684', '3.142', '27.25', '15,234')
    """
    size = abs(value)
    digits = 0 if size >= 1000 else 2 if size >= 10 else 3 if size >= 0.1 else 4
    return f"{value + 0.0:,.{digits}f}"


def total(value: float) -> str:
    """Write a sum: whole where it is whole.

    >>> total(547.0), total(12.5), total(20517.25)
    ('547', '12.50', '20,517')
    """
    whole = value == round(value) or abs(value) >= 1000
    return f"{value:,.0f}" if whole else f"{value:,.2f}"


def tick(value: float) -> str:
    """Write a round value on an axis.

    >>> tick(0.0), tick(0.020000000000000004), tick(1500.0)
    ('0', '0.02', '1,500')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def count(value: float) -> str:
    """Write a whole number with separators.

    >>> count(20000)
    '20,000'
    """
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """Write a share as a percentage.

    >>> percent(0.4321)
    '43.2 %'
    """
    return f"{round(share * 100, 1) + 0.0:.1f} %"


def signed_percent(share: float) -> str:
    """Write a difference as a percentage with its sign.

    >>> signed_percent(0.123), signed_percent(-0.0001)
    ('+12.3 %', '0.0 %')
    """
    value = round(share * 100, 1) + 0.0
    return f"{value:+.1f} %" if value else "0.0 %"


def day_of(day: date) -> str:
    """Write a day without its year, for the axis of a chart.

    >>> day_of(date(2026, 1, 2))
    '2 Jan'
    """
    return f"{day.day} {day:%b}"


def as_of(time: datetime) -> str:
    """Write a time with its zone.

    >>> as_of(datetime(2026, 1, 2, 6, tzinfo=UTC))
    '2026-01-02 06:00 UTC'
    """
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def clock(time: datetime) -> str:
    """Write the time of a day to the second.

    >>> clock(datetime(2026, 1, 2, 6, 30, 5, tzinfo=UTC))
    '06:30:05'
    """
    return f"{time.astimezone(UTC):%H:%M:%S}"


def span(seconds: float) -> str:
    """Write how long something lasts, in the largest unit that it fills.

    >>> span(0.4), span(75), span(7200), span(200_000)
    ('under a second', '1 minute', '2 hours', '2 days')
    """
    for size_s, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size_s:
            whole = int(seconds // size_s)
            return f"{whole:,} {unit}" if whole == 1 else f"{whole:,} {unit}s"
    return "under a second"


def ago(time: datetime, now: datetime) -> str:
    """Write how long ago something was.

    >>> now = datetime(2026, 1, 2, 6, tzinfo=UTC)
    >>> ago(datetime(2026, 1, 2, 5, 56, tzinfo=UTC), now), ago(now, now)
    ('4 minutes ago', 'just now')
    """
    seconds = (now - time).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 1 else "just now"


def size(number: float) -> str:
    """Write a number of bytes.

    >>> size(512), size(2_500_000)
    ('512 bytes', '2.5 MB')
    """
    if number < 1000:
        return f"{number:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 1000:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:,.1f} TB"
