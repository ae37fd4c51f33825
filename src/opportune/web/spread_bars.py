"""How a list of people is spread over a column: bars that open their people, and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from markupsafe import Markup

from opportune.profiles import Bar, Picked, Spread
from opportune.web.list_address import ListAddress
from opportune.web.words import amount, count, percent

__all__ = ["Chart", "chart", "words_of"]

WIDTH, HEIGHT = 1040, 150
TOP, BOTTOM = 36, 30
# So that two bars are no wall.
WIDEST_BAR = 130.0
SHORT = 16
COLUMNS = {"last_seen": "Last seen", "first_seen": "First seen"}
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bar: what it is of, and the list of its people."""

    words: str
    people: int
    share: float
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The chart of a column with the sentence above it and the rows below."""

    heading: str
    sentence: str
    picture: Markup
    rows: tuple[Row, ...]


def chart(found: Spread, asks: ListAddress, *, of: str) -> Chart:
    """Return the chart of the column ``of`` ("last_seen", "first_seen" or "trait:NAME")."""
    heading = COLUMNS.get(of, of.removeprefix("trait:"))
    rows = [_row(each, found, asks) for each in found.bars]
    if found.others:
        share = found.others / found.people
        rows.append(Row(words="any other value", people=found.others, share=share, link=""))
    if found.without is not None:
        rows.append(_row(found.without, found, asks))
    return Chart(
        heading=heading,
        sentence=_sentence(rows),
        picture=_picture(rows, heading),
        rows=tuple(rows),
    )


def words_of(picked: Picked, *, whole: bool = False, is_short: bool = False) -> str:
    """Write which part of a column is meant.

    >>> words_of(Picked(part="range", by="trait", trait="age", low=20.0, high=25.0))
    'age: 20 up to 25'
    >>> words_of(Picked(part="no_value", by="trait", trait="plan"), is_short=True)
    'no value'
    """
    column = COLUMNS.get(picked.by, picked.trait)
    if picked.part == "range":
        said = _range(picked, whole=whole)
    elif picked.part == "value":
        said = picked.said or "(empty)"
    else:
        said = "no number" if picked.part == "no_number" else "no value"
    return said if is_short else f"{column}: {said}"


def _range(picked: Picked, *, whole: bool) -> str:
    if picked.by != "trait":
        pattern = "%Y-%m-%d" if picked.high - picked.low >= DAY_S else "%Y-%m-%d %H:%M"
        return f"from {_time(picked.low):{pattern}} UTC"
    if whole and picked.high - picked.low == 1:
        return _number(picked.low)
    return f"{_number(picked.low)} up to {_number(picked.high)}"


def _number(value: float) -> str:
    return count(value) if value == round(value) and abs(value) < 1e15 else amount(value)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(min(max(seconds, 0.0), 250_000_000_000.0), UTC)


def _row(bar: Bar, found: Spread, asks: ListAddress) -> Row:
    return Row(
        words=words_of(bar.picked, whole=found.whole, is_short=True),
        people=bar.people,
        share=bar.people / max(found.people, 1),
        link=asks.picking(bar.picked).at() if bar.people else "",
    )


def _sentence(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    most = max(rows, key=lambda row: row.people)
    return (
        f"The longest bar is {most.words}: {count(most.people)} of them, {percent(most.share)}. "
        "Each bar opens its people."
    )


def _picture(rows: Sequence[Row], heading: str) -> Markup:
    most = max((row.people for row in rows), default=0) or 1
    band = min(WIDTH / max(len(rows), 1), WIDEST_BAR)
    every = -(-len(rows) // 8)
    marks = []
    for place, row in enumerate(rows):
        height = max((HEIGHT - TOP - BOTTOM) * row.people / most, 1.5) if row.people else 0.0
        rect = Markup(
            '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">'
            "<title>{}: {}</title></rect>"
        ).format(
            *(place * band + 1, HEIGHT - BOTTOM - height, band - 2, height),
            *(row.words, count(row.people)),
        )
        named = Markup('<a href="{}" aria-label="{}: {}">{}</a>')
        label = (row.words, count(row.people))
        marks.append(named.format(row.link, *label, rect) if row.link else rect)
        if place % every == 0:
            marks.append(_label(place * band + 2, row.words))
    marks.append(Markup('<text class="tick" x="0" y="26">{} at most</text>').format(count(most)))
    return Markup(
        '<svg class="chart full bars" viewBox="0 0 {} {}" role="group" '
        'aria-label="{}: {} bars, the table below has the numbers">{}</svg>'
    ).format(WIDTH, HEIGHT, heading, len(rows), Markup("").join(marks))


def _label(x: float, words: str) -> Markup:
    short = words.removeprefix("from ").removesuffix(" UTC").partition(" up to ")[0]
    cut = short if len(short) <= SHORT else short[: SHORT - 1] + "…"
    return Markup('<text class="tick" x="{:.1f}" y="{}">{}</text>').format(x, HEIGHT - 6, cut)
