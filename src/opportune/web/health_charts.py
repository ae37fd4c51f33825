"""What became of an audience as bars, and how rewards come in as a line with its band."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from markupsafe import Markup

from opportune.reports import Calibration, DelayCurve, Funnel, RunOfDay
from opportune.web.charts import (
    HEIGHT,
    LEFT,
    RIGHT,
    WIDTH,
    Plot,
    axes,
    coordinate,
    line,
    svg,
    ticks_of,
)
from opportune.web.words import count, percent, tick

__all__ = ["calibration", "delays", "funnel", "funnel_steps", "runs"]

ROW, NAMES = 34, 200
# Of the hours of a window so many are named on the axis.
LABELS = 8


def funnel_steps(found: Funnel) -> Sequence[tuple[str, str, int]]:
    """The steps from the audience to what was taken: name, meaning, how many."""
    steps = [
        ("decided", "with a decision, control included", found.decided),
        ("to send", "treated, with an action that sends something", found.to_send),
        ("sent", "taken by the connector", found.sent),
    ]
    if found.audience is not None and found.eligible is not None:
        steps = [
            ("meant", "members of the audience", found.audience),
            ("eligible", "who may get any action", found.eligible),
            *steps,
        ]
    return steps


def funnel(found: Funnel) -> Markup:
    """A bar for each step, with the share of the first; the numbers stand in the table below."""
    steps = funnel_steps(found)
    most = steps[0][2] or 1
    room = WIDTH - NAMES - 120
    drawn = [
        Markup(
            '<text class="tick" x="0" y="{text}">{name}</text>'
            '<rect class="bar" x="{x}" y="{y}" width="{width}" height="18"/>'
            '<text class="tick" x="{right}" y="{text}" text-anchor="end">{number} ({share})</text>'
        ).format(
            text=place * ROW + 23,
            name=name,
            x=NAMES - 90,
            y=place * ROW + 9,
            width=coordinate(room * min(number / most, 1.0)),
            right=WIDTH,
            number=count(number),
            share=percent(number / most),
        )
        for place, (name, _, number) in enumerate(steps)
    ]
    return svg(
        "funnel",
        f"What became of the audience on {found.day}",
        "A bar a step, each beside the first: "
        + "; ".join(f"{name} {count(number)}" for name, _, number in steps)
        + ".",
        drawn,
        size=(WIDTH, ROW * len(steps) + 6),
    )


def delays(curve: DelayCurve) -> Markup:
    """The share of rewarded decisions by age, with the band that holds for the whole curve."""
    points = curve.points
    if not points:
        return Markup("")
    hours = points[-1].age_hours or 1
    plot = Plot(days=1, low=0.0, high=1.0)

    def x(age_hours: int) -> str:
        return coordinate(LEFT + (WIDTH - LEFT - RIGHT) * age_hours / hours)

    band = [(each.age_hours, each.high) for each in points]
    band += [(each.age_hours, each.low) for each in reversed(points)]
    every = -(-len(points) // LABELS)
    hours_named = (
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{} h</text>').format(
            x(each.age_hours), HEIGHT - 8, each.age_hours
        )
        for each in points[::every]
    )
    drawn = [
        *map(partial(_grid, plot), (0.0, 0.5, 1.0)),
        *hours_named,
        Markup('<polygon class="lift-band" points="{}"/>').format(
            " ".join(f"{x(age)},{coordinate(plot.y(min(share, 1.0)))}" for age, share in band)
        ),
        Markup('<polyline class="line treatment" points="{}"/>').format(
            " ".join(f"{x(each.age_hours)},{coordinate(plot.y(each.share))}" for each in points)
        ),
    ]
    return svg(
        "delays-chart",
        "Share of rewarded decisions by age",
        "A line in a band that holds for the whole curve. The table below has the numbers.",
        drawn,
    )


def calibration(found: Calibration) -> Markup:
    """What came of each tenth, with its interval, over what was expected; the line is "as much"."""
    if not found.tenths:
        return Markup("")
    most = max(max(each.expected, each.high) for each in found.tenths)
    ticks = ticks_of(0.0, max(most, 1e-9))
    plot = Plot(days=1, low=0.0, high=ticks[-1])

    def x(value: float) -> str:
        return coordinate(LEFT + (WIDTH - LEFT - RIGHT) * min(value / ticks[-1], 1.0))

    def y(value: float) -> str:
        return coordinate(plot.y(min(max(value, 0.0), ticks[-1])))

    labels = (
        Markup(
            '{line}<text class="tick" x="{x}" y="{below}" text-anchor="middle">{said}</text>'
        ).format(line=_level(plot, each, tick(each)), x=x(each), below=HEIGHT - 8, said=tick(each))
        for each in ticks
    )
    points = (
        Markup(
            '<line class="interval" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>'
            '<circle class="point" cx="{x}" cy="{came}" r="4"/>'
        ).format(x=x(each.expected), low=y(each.low), high=y(each.high), came=y(each.came))
        for each in found.tenths
    )
    same = Markup('<line class="zero" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(
        x(0.0), y(0.0), x(ticks[-1]), y(ticks[-1])
    )
    return svg(
        "calibration-chart",
        f"What came over what was expected, {found.unit}",
        "A point with its interval for each tenth; on the thin line as much came as was expected. "
        "The table below has the numbers.",
        [*labels, same, *points],
    )


def runs(days: Sequence[RunOfDay]) -> Markup:
    """Seconds of work of each day's run; the steps stand in the table below."""
    totals = [sum(each.seconds.values()) for each in days]
    ticks = ticks_of(0.0, max([*totals, 0.1]))
    plot = Plot(days=len(days), low=0.0, high=ticks[-1])
    marks = [
        axes(plot, [(each, f"{tick(each)} s") for each in ticks], [each.day for each in days]),
        line(plot, totals, name="treatment"),
    ]
    return svg(
        "runs-chart",
        "Seconds of work of each day's run",
        "A line with a circle a day. The table below has the numbers of each step.",
        marks,
    )


def _grid(plot: Plot, share: float) -> Markup:
    return _level(plot, share, f"{share * 100:.0f} %")


def _level(plot: Plot, value: float, said: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{left}" x2="{right}" y1="{y}" y2="{y}"/>'
        '<text class="tick" x="{at}" y="{y}" dy="4" text-anchor="end">{said}</text>'
    ).format(
        left=LEFT,
        right=WIDTH - RIGHT,
        at=LEFT - 8,
        y=coordinate(plot.y(value)),
        said=said,
    )
