"""Charts as inline SVG: pure functions from numbers to markup.

Colours and line styles come from classes of ``app.css``, patterns from this file, so that a chart
needs neither a style attribute nor a script. Everything that was given is escaped.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from markupsafe import Markup

from opportune.reports import DayResult, DimensionChoices, ExploredDay, Mark
from opportune.stats import Lift
from opportune.web.words import day_of, percent, signed_percent, tick

__all__ = [
    "captured_by_day",
    "lift_interval",
    "paired_shares",
    "reward_by_day",
    "share_by_day",
    "shares_by_day",
    "swatch",
]

WIDTH, HEIGHT = 720, 240
LEFT, RIGHT, TOP, BOTTOM = 60, 12, 12, 28
COLOURS = 6
MOST_DAY_LABELS = 8
# Beyond so many days markers would hide the line.
MOST_MARKERS = 46


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Where a day and a value lie inside the frame of a chart."""

    days: int
    low: float
    high: float

    @property
    def band(self) -> float:
        return (WIDTH - LEFT - RIGHT) / max(self.days, 1)

    def x(self, place: float) -> float:
        return LEFT + self.band * place

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def reward_by_day(days: Sequence[DayResult], *, unit: str, changes: Sequence[Mark] = ()) -> Markup:
    """Reward per decision of both variants, a point a mature day; immature days are hatched.

    ``changes`` are numbered lines, in their order.
    """
    treated = [each.treatment.reward_mean for each in days]
    held_out = [each.control.reward_mean for each in days]
    largest = max((value for value in [*treated, *held_out] if value is not None), default=0.0)
    ticks = ticks_of(0.0, largest or 1.0)
    plot = Plot(days=len(days), low=0.0, high=ticks[-1])
    marks = [
        HATCH,
        axes(plot, [(value, tick(value)) for value in ticks], [each.day for each in days]),
        *(
            rect((plot.x(place), TOP), (plot.band, HEIGHT - TOP - BOTTOM), fill="url(#hatch)")
            for place, each in enumerate(days)
            if not each.mature
        ),
        marked(plot, [each.day for each in days], changes),
        line(plot, held_out, name="control"),
        line(plot, treated, name="treatment"),
    ]
    return svg(
        "reward",
        f"{unit} per decision by day",
        "Two lines, treatment solid with circles and control dashed with squares; days that are "
        "not mature yet are hatched. The table below has the numbers.",
        marks,
    )


def shares_by_day(choices: DimensionChoices, *, chart: str) -> Markup:
    """Share of each option by day, stacked to 100 %; ``chart`` is an id that no other chart has."""
    plot = Plot(days=len(choices.days), low=0.0, high=1.0)
    gap = 1.0 if plot.band > 4 else 0.0
    ticks = [(value, f"{value * 100:.0f} %") for value in (0.0, 0.5, 1.0)]
    marks = [
        patterns(chart, len(choices.overall)),
        axes(plot, ticks, [each.day for each in choices.days]),
    ]
    for place, each in enumerate(choices.days):
        bottom = 0.0
        for option, share in enumerate(each.shares):
            top = plot.y(bottom + share)
            size = (plot.band - gap, plot.y(bottom) - top)
            marks.append(rect((plot.x(place), top), size, fill=f"url(#{chart}-{option})"))
            bottom += share
    names = ", ".join(f"{each.option} {percent(each.share)}" for each in choices.overall)
    return svg(
        chart,
        f"Share of each {choices.dimension} by day",
        f"Stacked bars, a bar a day, in this order from below: {names}.",
        marks,
    )


def share_by_day(days: Sequence[ExploredDay]) -> Markup:
    """Share of treatment's decisions that explored, a point a day."""
    largest = max((each.exploration_share for each in days), default=0.0)
    ticks = ticks_of(0.0, min(max(largest, 0.02), 1.0))
    plot = Plot(days=len(days), low=0.0, high=ticks[-1])
    marks = [
        axes(
            plot,
            [(value, f"{tick(value * 100)} %") for value in ticks],
            [each.day for each in days],
        ),
        line(plot, [each.exploration_share for each in days], name="treatment"),
    ]
    return svg(
        "explored-chart",
        "Share of decisions that explored, by day",
        "A line with a circle a day. The table below has the numbers.",
        marks,
    )


def swatch(chart: str, option: int) -> Markup:
    """The legend's picture of an option: the pattern that it has in ``chart``."""
    return Markup(
        '<svg class="swatch" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">'
        '<rect width="16" height="16" fill="url(#{}-{})"/></svg>'
    ).format(chart, option)


def captured_by_day(captured: Sequence[tuple[date, float]]) -> Markup:
    """Captured share of the achievable uplift by day, with the lines of chance and of the best."""
    shares = [share for _, share in captured]
    low = min([-0.04, *shares])
    plot = Plot(days=len(captured), low=low, high=1.0)
    ticks = [quarter / 4 for quarter in range(math.ceil(low * 4), 5)]
    marks = [
        axes(
            plot, [(value, f"{value * 100:.0f} %") for value in ticks], [day for day, _ in captured]
        ),
        *(
            Markup('<text class="note" x="{}" y="{}" text-anchor="end">{}</text>').format(
                WIDTH - RIGHT - 6, coordinate(plot.y(value) + offset), words
            )
            for value, offset, words in (
                (1.0, 13, "100 %: the best action for every customer"),
                (0.0, -5, "0 %: actions drawn by chance"),
            )
        ),
        line(plot, shares, name="treatment"),
    ]
    return svg(
        "captured",
        "Captured share of the achievable uplift by day",
        "A line with a circle a day. The table below has the numbers.",
        marks,
    )


def lift_interval(lift: Lift, *, chart: str) -> Markup:
    """Lift with its interval on an axis that shows zero; nothing where there is no interval."""
    if lift.relative is None or lift.low is None or lift.high is None:
        return Markup("")
    least, most = min(lift.low, 0.0), max(lift.high, 0.0)
    room = 0.12 * (most - least) or 1.0
    width = 320

    def x(value: float) -> str:
        return coordinate(8 + (width - 16) * (value - least + room) / (most - least + 2 * room))

    drawn = Markup(
        '<line class="zero" x1="{zero}" x2="{zero}" y1="4" y2="40"/>'
        '<text class="tick" x="{zero}" y="56" text-anchor="middle">0</text>'
        '<line class="interval" x1="{low}" x2="{high}" y1="22" y2="22"/>'
        '<path class="interval" d="M{low} 14V30M{high} 14V30"/>'
        '<circle class="point" cx="{middle}" cy="22" r="6"/>'
    ).format(zero=x(0.0), low=x(lift.low), high=x(lift.high), middle=x(lift.relative))
    words = (
        f"{signed_percent(lift.relative)}, between {signed_percent(lift.low)} and "
        f"{signed_percent(lift.high)}; the thin line is no difference."
    )
    return svg(chart, "Lift and its interval", words, [drawn], size=(width, 60))


def paired_shares(group: float, others: float) -> Markup:
    """Two bars of shares, one above the other; the numbers stand beside it in the table."""
    return Markup(
        '<svg class="pair" viewBox="0 0 100 22" width="100" height="22" aria-hidden="true">'
        '<rect class="track" width="100" height="9"/><rect class="group" width="{}" height="9"/>'
        '<rect class="track" y="12" width="100" height="9"/>'
        '<rect class="others" y="12" width="{}" height="9"/></svg>'
    ).format(coordinate(group * 100), coordinate(others * 100))


def svg(
    chart: str,
    title: str,
    description: str,
    marks: Iterable[Markup],
    *,
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> Markup:
    return Markup(
        '<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="{chart}-title {chart}-desc">'
        '<title id="{chart}-title">{title}</title><desc id="{chart}-desc">{description}</desc>'
        "{marks}</svg>"
    ).format(
        kind="chart full" if size[0] == WIDTH else "chart",
        width=size[0],
        height=size[1],
        chart=chart,
        title=title,
        description=description,
        marks=Markup("").join(marks),
    )


def axes(plot: Plot, ticks: Sequence[tuple[float, str]], days: Sequence[date]) -> Markup:
    lines = [
        Markup(
            '<line class="grid" x1="{}" x2="{}" y1="{y}" y2="{y}"/>'
            '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>'
        ).format(
            LEFT,
            WIDTH - RIGHT,
            LEFT - 8,
            coordinate(plot.y(tick) + 4),
            label,
            y=coordinate(plot.y(tick)),
        )
        for tick, label in ticks
    ]
    every = math.ceil(len(days) / MOST_DAY_LABELS) or 1
    labels = [
        Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{}</text>').format(
            coordinate(plot.x(place + 0.5)), HEIGHT - 8, day_of(day)
        )
        for place, day in enumerate(days)
        if place % every == 0
    ]
    return Markup("").join([*lines, *labels])


def marked(plot: Plot, days: Sequence[date], changes: Sequence[Mark]) -> Markup:
    """A dashed line with its number for each change, where its day is or the next one after it."""
    drawn: dict[int, list[int]] = {}
    for number, change in enumerate(changes, 1):
        place = next((place for place, day in enumerate(days) if day >= change.day), None)
        if place is not None:
            drawn.setdefault(place, []).append(number)
    return Markup("").join(
        Markup(
            '<line class="change" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}"/>'
            '<text class="tick" x="{x}" y="{above}" text-anchor="middle">{numbers}</text>'
        ).format(
            x=coordinate(plot.x(place)),
            top=TOP,
            bottom=HEIGHT - BOTTOM,
            above=TOP - 2,
            numbers=",".join(map(str, numbers)),
        )
        for place, numbers in drawn.items()
    )


def line(plot: Plot, values: Sequence[float | None], *, name: str) -> Markup:
    points = [
        (coordinate(plot.x(place + 0.5)), coordinate(plot.y(value)))
        for place, value in enumerate(values)
        if value is not None
    ]
    path = Markup('<polyline class="line {}" points="{}"/>').format(
        name, " ".join(f"{x},{y}" for x, y in points)
    )
    if len(points) > MOST_MARKERS:
        return path
    shape = {
        "treatment": '<circle class="mark treatment" cx="{}" cy="{}" r="3.5"/>',
        "control": '<path class="mark control" d="M{} {}m-3.5 -3.5h7v7h-7z"/>',
    }[name]
    return path + Markup("").join(Markup(shape).format(x, y) for x, y in points)


def rect(corner: tuple[float, float], size: tuple[float, float], *, fill: str) -> Markup:
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" fill="{}"/>').format(
        *(coordinate(value) for value in (*corner, *size)), fill
    )


HATCH = Markup(
    '<defs><pattern id="hatch" width="8" height="8" patternUnits="userSpaceOnUse">'
    '<rect class="hatch-ground" width="8" height="8"/>'
    '<path class="hatch-line" d="M-2 2L2 -2M0 8L8 0M6 10L10 6"/></pattern></defs>'
)

# A pattern tells options apart where colours do not.
_MARKS = (
    "",
    "M-2 2L2 -2M0 8L8 0M6 10L10 6",
    "M2 2h2v2h-2zM6 6h2v2h-2z",
    "M0 4H8",
    "M-2 6L2 10M0 0L8 8M6 -2L10 2",
    "M4 0V8M0 4H8",
)


def patterns(chart: str, options: int) -> Markup:
    return Markup("<defs>{}</defs>").format(
        Markup("").join(
            Markup(
                '<pattern id="{}-{}" width="8" height="8" patternUnits="userSpaceOnUse">'
                '<rect class="ground-{}" width="8" height="8"/>'
                '<path class="weave" d="{}"/></pattern>'
            ).format(
                chart, option, option % COLOURS, _MARKS[(option + option // COLOURS) % len(_MARKS)]
            )
            for option in range(options)
        )
    )


def ticks_of(low: float, high: float) -> list[float]:
    """Round values from at most ``low`` to at least ``high``, three to six of them."""
    rough = (high - low) / 4
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, last + 1)]


def coordinate(value: float) -> str:
    """Write a coordinate: one digit is a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")
