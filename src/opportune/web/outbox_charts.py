"""Charts of what left: outcomes by day, and what we counted beside what Braze counted."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from opportune.activation import DayOutcomes
from opportune.reports import ReconciledDay
from opportune.web.charts import Plot, axes, line, patterns, rect, svg, ticks_of
from opportune.web.words import count, tick

__all__ = ["OUTCOMES", "accepted_and_sent", "outcomes"]

OUTCOMES = ("sent", "failed", "ambiguous", "waiting")
"""From below, in this order; also the fields of a day."""


def outcomes(days: Sequence[DayOutcomes], *, chart: str) -> Markup:
    """Recommendations by day, a bar a day, stacked by what became of them."""
    counts = [[getattr(each, name) for name in OUTCOMES] for each in days]
    ticks = ticks_of(0.0, float(max((sum(each) for each in counts), default=0) or 1))
    plot = Plot(days=len(days), low=0.0, high=ticks[-1])
    gap = 1.0 if plot.band > 4 else 0.0
    marks = [
        patterns(chart, len(OUTCOMES)),
        axes(plot, [(value, tick(value)) for value in ticks], [each.day for each in days]),
    ]
    for place, numbers in enumerate(counts):
        bottom = 0
        for which, number in enumerate(numbers):
            top = plot.y(bottom + number)
            size = (plot.band - gap, plot.y(bottom) - top)
            if number:
                marks.append(rect((plot.x(place), top), size, fill=f"url(#{chart}-{which})"))
            bottom += number
    sums = [sum(each[which] for each in counts) for which in range(len(OUTCOMES))]
    said = ", ".join(f"{name} {count(sums[which])}" for which, name in enumerate(OUTCOMES))
    return svg(
        chart,
        "Recommendations by day and what became of them",
        f"Stacked bars, a bar a day, in this order from below: {said}.",
        marks,
    )


def accepted_and_sent(days: Sequence[ReconciledDay], *, chart: str) -> Markup:
    """What Braze accepted from us, and what it counts as sent, by day."""
    ours = [float(each.ours.accepted) for each in days]
    theirs = [float(each.theirs.sent) for each in days]
    ticks = ticks_of(0.0, max([*ours, *theirs, 1.0]))
    plot = Plot(days=len(days), low=0.0, high=ticks[-1])
    marks = [
        axes(plot, [(value, tick(value)) for value in ticks], [each.ours.day for each in days]),
        line(plot, theirs, name="control"),
        line(plot, ours, name="treatment"),
    ]
    return svg(
        chart,
        "Messages by day, ours and Braze's",
        "Two lines: what Braze accepted from us, solid with circles, and what it counts as sent, "
        "dashed with squares. The table below has the numbers.",
        marks,
    )
