"""Several values with their intervals, a line each, on one axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from opportune.learning import WhatIf
from opportune.reports import Groups, ReportMetric, SegmentLift, Standing
from opportune.stats import Lift
from opportune.web.words import signed_percent

__all__ = ["estimates", "forest", "group_lines", "metric_lines", "segment_lines"]

WIDTH, NAMES, EDGE, ROW, TOP = 720, 240, 16, 34, 10
LONGEST_NAME = 30
# Beyond this an interval says nothing but that there is none yet; its line ends in an arrow.
FARTHEST = 2.0
LINE = Markup(
    '<text class="tick" x="0" y="{text}">{name}</text>'
    '<line class="interval" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>'
    '<circle class="point" cx="{middle}" cy="{y}" r="5"/>'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One value with its interval; ``words`` say both."""

    name: str
    low: float
    middle: float
    high: float
    words: str


def forest(standings: Sequence[Standing]) -> Markup:
    """Draw the use cases that have an interval; nothing where none has.

    A point is the lift, its line the interval; all share an axis with a line at no difference.
    """
    drawn = [_lift(each.title, each.lift) for each in standings if each.lift.low is not None]
    return _drawn(drawn, "Lift of the use cases", name="forest")


def group_lines(found: Groups) -> Markup:
    """Draw the lift of treatment over each other group that it can be compared with."""
    compared = [each for each in found.comparisons if each.lift.low is not None]
    drawn = [_lift(f"over {each.group}", each.lift) for each in compared]
    return _drawn(drawn, "Lift of treatment over the other groups", name="group-lines")


def segment_lines(gains: Sequence[SegmentLift]) -> Markup:
    """Draw the lift among the members of each segment that has an interval."""
    drawn = [_lift(each.segment, each.lift) for each in gains if each.lift.low is not None]
    return _drawn(drawn, "Lift of the segments", name="segment-lines")


def metric_lines(found: Sequence[ReportMetric]) -> Markup:
    """Draw the lift of each metric of a report that has an interval."""
    drawn = [_lift(each.title, each.lift) for each in found if each.lift.low is not None]
    return _drawn(drawn, "Lift of the other metrics", name="metric-lines")


def estimates(found: WhatIf) -> Markup:
    """Draw what was earned and each estimate that has an interval, in the metric's unit."""
    every = {"as it was": found.logged, **found.estimates}
    drawn = [
        _Line(
            name=f"{name} (to go by)" if name == found.estimator else name,
            low=each.low,
            middle=each.value,
            high=each.high,
            words=f"{name}: {each.value:.4g}, between {each.low:.4g} and {each.high:.4g}",
        )
        for name, each in every.items()
        if each is not None
        if each.value is not None and each.low is not None and each.high is not None
    ]
    return _drawn(drawn, f"Estimates, in {found.unit} a decision", name="estimates")


def _drawn(drawn: Sequence[_Line], title: str, *, name: str) -> Markup:
    if not drawn:
        return Markup("")
    least = min(0.0, *(each.low for each in drawn))
    span = max(0.0, *(each.high for each in drawn)) - least or 1.0

    def x(value: float) -> str:
        return f"{NAMES + EDGE + (WIDTH - NAMES - 2 * EDGE) * (value - least) / span:.1f}"

    bottom = TOP + ROW * len(drawn)
    marks = [
        Markup(
            '<line class="zero" x1="{zero}" x2="{zero}" y1="{top}" y2="{bottom}"/>'
            '<text class="tick" x="{zero}" y="{below}" text-anchor="middle">0</text>'
        ).format(zero=x(0.0), top=TOP, bottom=bottom, below=bottom + 14)
    ]
    for place, each in enumerate(drawn):
        y = TOP + ROW * place + ROW // 2
        places = {"low": x(each.low), "high": x(each.high), "middle": x(each.middle)}
        marks.append(LINE.format(text=y + 4, y=y, name=_short(each.name), **places))
    return Markup(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{title}'
        '</title><desc id="{name}-desc">{words}</desc>{marks}</svg>'
    ).format(
        name=name,
        title=title,
        width=WIDTH,
        height=bottom + 20,
        words="; ".join(each.words for each in drawn),
        marks=Markup("").join(marks),
    )


def _near(value: float) -> float:
    return min(max(value, -FARTHEST), FARTHEST)


def _short(title: str) -> str:
    return title if len(title) <= LONGEST_NAME else f"{title[: LONGEST_NAME - 1]}…"


def _lift(name: str, lift: Lift) -> _Line:
    low, high, found = (lift.low or 0.0, lift.high or 0.0, lift.relative or 0.0)
    said = f"between {signed_percent(low)} and {signed_percent(high)}"
    return _Line(
        name=name,
        low=_near(low),
        middle=_near(found),
        high=_near(high),
        words=f"{name}: {signed_percent(found)}, {said}",
    )
