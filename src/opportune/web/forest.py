"""The lift of several use cases with its interval, a line each, on one axis."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from opportune.reports import Performance
from opportune.web.words import signed_percent

__all__ = ["forest"]

WIDTH, NAMES, EDGE, ROW, TOP = 720, 240, 16, 34, 10
LONGEST_NAME = 30
# Beyond this an interval says nothing but that there is none yet; its line ends in an arrow.
FARTHEST = 2.0
LINE = Markup(
    '<text class="tick" x="0" y="{text}">{name}</text>'
    '<line class="interval" x1="{low}" x2="{high}" y1="{y}" y2="{y}"/>'
    '<circle class="point" cx="{middle}" cy="{y}" r="5"/>'
)


def forest(performances: Sequence[Performance]) -> Markup:
    """Draw the use cases that have an interval; nothing where none has.

    A point is the lift, its line the interval; all share an axis with a line at no difference.
    """
    drawn = [each for each in performances if each.lift.low is not None]
    if not drawn:
        return Markup("")
    ends = [(_near(each.lift.low), _near(each.lift.high)) for each in drawn]
    least, most = min(0.0, *(low for low, _ in ends)), max(0.0, *(high for _, high in ends))
    span = most - least or 1.0

    def x(value: float) -> str:
        return f"{NAMES + EDGE + (WIDTH - NAMES - 2 * EDGE) * (value - least) / span:.1f}"

    bottom = TOP + ROW * len(drawn)
    marks = [
        Markup(
            '<line class="zero" x1="{zero}" x2="{zero}" y1="{top}" y2="{bottom}"/>'
            '<text class="tick" x="{zero}" y="{below}" text-anchor="middle">0</text>'
        ).format(zero=x(0.0), top=TOP, bottom=bottom, below=bottom + 14)
    ]
    for place, (each, (low, high)) in enumerate(zip(drawn, ends, strict=True)):
        y = TOP + ROW * place + ROW // 2
        places = {"low": x(low), "high": x(high), "middle": x(_near(each.lift.relative))}
        marks.append(LINE.format(text=y + 4, y=y, name=_short(each.title), **places))
    return Markup(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" '
        'aria-labelledby="forest-title forest-desc"><title id="forest-title">Lift of the use cases'
        '</title><desc id="forest-desc">{words}</desc>{marks}</svg>'
    ).format(
        width=WIDTH,
        height=bottom + 20,
        words="; ".join(_words(each) for each in drawn),
        marks=Markup("").join(marks),
    )


def _near(value: float | None) -> float:
    return min(max(value or 0.0, -FARTHEST), FARTHEST)


def _short(title: str) -> str:
    return title if len(title) <= LONGEST_NAME else f"{title[: LONGEST_NAME - 1]}…"


def _words(each: Performance) -> str:
    low, high, lift = (each.lift.low or 0.0, each.lift.high or 0.0, each.lift.relative or 0.0)
    return (
        f"{each.title}: {signed_percent(lift)}, between {signed_percent(low)} and "
        f"{signed_percent(high)}"
    )
