"""Bars as inline SVG: messages by minute, sizes over time, and shares."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from opportune.events import Minute
from opportune.web.words import count

__all__ = ["by_minute", "meter", "trend"]

WIDTH, HEIGHT = 1040, 160
TOP, BOTTOM = 32, 28


def by_minute(minutes: Sequence[Minute], *, chart: str) -> Markup:
    """Messages in each minute as a bar; the refused ones on top of it, hatched.

    >>> by_minute([], chart="x").count('class="bar"')
    0
    """
    most = max((each.accepted + each.rejected for each in minutes), default=0)
    band = WIDTH / max(len(minutes), 1)
    room = HEIGHT - TOP - BOTTOM
    marks = [_HATCH.format(chart=chart)]
    accepted, refused = Markup('class="bar"'), Markup('fill="url(#{}-refused)"').format(chart)
    for place, each in enumerate(minutes):
        base = float(HEIGHT - BOTTOM)
        for number, look in ((each.accepted, accepted), (each.rejected, refused)):
            if number:
                height = max(room * number / most, 1.5)
                base -= height
                marks.append(_bar(place * band + 1, base, (band - 2, height), look))
    marks.append(_axis(minutes, most))
    total = sum(each.accepted for each in minutes)
    turned_away = sum(each.rejected for each in minutes)
    return Markup(
        '<svg class="chart full bars" viewBox="0 0 {w} {h}" role="img" '
        'aria-labelledby="{c}-title {c}-desc"><title id="{c}-title">Messages by minute</title>'
        '<desc id="{c}-desc">{n} minutes, a bar each: {total} messages were accepted and {refused} '
        "refused, {most} in the busiest minute.</desc>{marks}</svg>"
    ).format(
        w=WIDTH,
        h=HEIGHT,
        c=chart,
        n=len(minutes),
        total=count(total),
        refused=count(turned_away),
        most=count(most),
        marks=Markup("").join(marks),
    )


def trend(values: Sequence[int], *, words: str) -> Markup:
    """A line without axes, for a table; the numbers it is of stand beside it."""
    if len(values) < 2:
        return Markup("")
    low, high = min(values), max(values)
    step = 96 / (len(values) - 1)
    heights = [(value - low) / (high - low) if high > low else 0.5 for value in values]
    points = " ".join(
        f"{2 + place * step:.1f},{20 - 16 * height:.1f}" for place, height in enumerate(heights)
    )
    return Markup(
        '<svg class="spark" viewBox="0 0 100 24" width="100" height="24" '
        'preserveAspectRatio="none" role="img"><title>{}</title>'
        '<polyline class="line treatment" points="{}"/></svg>'
    ).format(words, points)


def meter(share: float) -> Markup:
    """A bar of a share, for a table; the number stands beside it."""
    return Markup(
        '<svg class="meter" viewBox="0 0 100 8" width="100" height="8" aria-hidden="true">'
        '<rect class="track" width="100" height="8" rx="2"/>'
        '<rect class="bar" width="{}" height="8" rx="2"/></svg>'
    ).format(f"{min(max(share, 0.0), 1.0) * 100:.1f}")


def _bar(x: float, y: float, size: tuple[float, float], look: Markup) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" {}/>').format(
        *(f"{value:.1f}" for value in (x, y, *size)), look
    )


def _axis(minutes: Sequence[Minute], most: int) -> Markup:
    line = Markup('<line class="grid" x1="0" x2="{}" y1="{y}" y2="{y}"/>').format(
        WIDTH, y=HEIGHT - BOTTOM
    )
    if not minutes:
        return line
    first, last = minutes[0].minute, minutes[-1].minute
    return line + Markup(
        '<text class="tick" x="0" y="{low}">{first:%H:%M}</text>'
        '<text class="tick" x="{right}" y="{low}" text-anchor="end">{last:%H:%M} UTC</text>'
        '<text class="tick" x="0" y="22">{most} a minute at most</text>'
    ).format(low=HEIGHT - 5, right=WIDTH, first=first, last=last, most=count(most))


_HATCH = Markup(
    '<defs><pattern id="{chart}-refused" width="6" height="6" patternUnits="userSpaceOnUse">'
    '<rect class="refused-ground" width="6" height="6"/>'
    '<path class="refused-line" d="M-1.5 1.5L1.5 -1.5M0 6L6 0M4.5 7.5L7.5 4.5"/></pattern></defs>'
)
