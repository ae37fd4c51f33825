"""The lift over time with its band, and what each factor adds, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from opportune.reports import Driver, GuardRailResult, LiftOfDay, Mark
from opportune.web.charts import (
    LEFT,
    RIGHT,
    WIDTH,
    Plot,
    axes,
    coordinate,
    line,
    marked,
    svg,
    ticks_of,
)
from opportune.web.words import amount, tick

__all__ = ["against_limit", "contributions", "lift_by_day"]

# The first looks bound next to nothing: beyond so many times the newest bounds the band is cut off.
CUT = 4.0
ROW = 34


def lift_by_day(days: Sequence[LiftOfDay], *, changes: Sequence[Mark] = ()) -> Markup:
    """The lift as of each mature day, and the band that holds it; nothing without any interval."""
    known = [each.lift for each in days if each.lift.low is not None]
    if not known:
        return Markup("")
    last_low, last_high = known[-1].low or 0.0, known[-1].high or 0.0
    reach = CUT * max(abs(last_low), abs(last_high), 0.01)
    lows = [max(each.low or 0.0, -1.0, -reach) for each in known]
    highs = [min(each.high or 0.0, reach) for each in known]
    ticks = ticks_of(min(0.0, *lows), max(0.0, *highs, 0.01))
    plot = Plot(days=len(days), low=ticks[0], high=ticks[-1])
    zero = coordinate(plot.y(0.0))
    drawn = [
        axes(
            plot,
            [(each, f"{'+' * (each > 0)}{tick(each * 100)} %") for each in ticks],
            [each.day for each in days],
        ),
        _band(plot, days),
        Markup('<line class="zero" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(
            LEFT, WIDTH - RIGHT, y=zero
        ),
        marked(plot, [each.day for each in days], changes),
        line(plot, [_inside(plot, each.lift.relative) for each in days], name="treatment"),
    ]
    return svg(
        "lift-by-day",
        "Lift as of each mature day, with its interval",
        "A line with a circle a day inside a band; the thin line is no difference. Bounds beyond "
        "the frame are cut off. The table below has the numbers.",
        drawn,
    )


def contributions(factors: Sequence[Driver], *, unit: str) -> Markup:
    """What each factor adds to the difference, a bar each, to the right where it adds."""
    most = max((abs(each.contribution) for each in factors), default=0.0) or 1.0
    middle, room = 420.0, 180.0
    drawn = [
        Markup('<line class="zero" x1="{x}" x2="{x}" y1="4" y2="{y}"/>').format(
            x=middle, y=ROW * len(factors)
        )
    ]
    for place, each in enumerate(factors):
        width = room * abs(each.contribution) / most
        start = middle if each.contribution >= 0 else middle - width
        drawn.append(
            Markup(
                '<text class="tick" x="0" y="{text}">{title}</text>'
                '<rect class="bar" x="{x}" y="{y}" width="{width}" height="16"/>'
                '<text class="tick" x="720" y="{text}" text-anchor="end">{sign}{value}</text>'
            ).format(
                text=place * ROW + 22,
                title=each.title,
                x=coordinate(start),
                y=place * ROW + 10,
                width=coordinate(max(width, 1.0)),
                sign="+" if each.contribution > 0 else "",
                value=amount(each.contribution),
            )
        )
    words = "; ".join(f"{each.title} {amount(each.contribution)}" for each in factors)
    return svg(
        "contributions",
        f"What each factor adds to the difference, in {unit} per profile",
        f"A bar a factor, to the right where it adds: {words}.",
        drawn,
        size=(WIDTH, ROW * len(factors) + 8),
    )


def against_limit(found: GuardRailResult) -> Markup:
    """A mean with its interval beside its limit, the upright line; nothing without an interval."""
    if found.value is None or found.low is None or found.high is None:
        return Markup("")
    least, most = min(found.low, found.limit), max(found.high, found.limit)
    span = most - least or 1.0

    def x(value: float) -> str:
        return coordinate(4 + 92 * (value - least) / span)

    return Markup(
        '<svg class="pair" viewBox="0 0 100 22" width="100" height="22" aria-hidden="true">'
        '<line class="limit" x1="{limit}" x2="{limit}" y1="1" y2="21"/>'
        '<line class="interval" x1="{low}" x2="{high}" y1="11" y2="11"/>'
        '<circle class="point" cx="{value}" cy="11" r="4"/></svg>'
    ).format(limit=x(found.limit), low=x(found.low), high=x(found.high), value=x(found.value))


def _band(plot: Plot, days: Sequence[LiftOfDay]) -> Markup:
    """A filled shape over each run of days that have an interval."""
    shapes = []
    runs = groupby(enumerate(days), key=lambda each: each[1].lift.low is not None)
    for bounded, run in runs:
        if not bounded:
            continue
        found = [(plot.x(place + 0.5), each.lift) for place, each in run]
        corners = [(x, _inside(plot, lift.high)) for x, lift in found]
        corners += [(x, _inside(plot, lift.low)) for x, lift in reversed(found)]
        points = " ".join(
            f"{coordinate(x)},{coordinate(plot.y(y if y is not None else 0.0))}" for x, y in corners
        )
        shapes.append(Markup('<polygon class="lift-band" points="{}"/>').format(points))
    return Markup("").join(shapes)


def _inside(plot: Plot, value: float | None) -> float | None:
    return None if value is None else min(max(value, plot.low), plot.high)
