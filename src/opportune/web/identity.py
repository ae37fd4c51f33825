"""The identity of a person as a picture: identifiers, and the links that made them one."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from opportune.profiles import Identifier, Link
from opportune.web.layout import tidy

__all__ = ["identity_tree", "spanning"]

MOST_NODES = 24
MOST_LETTERS = 26
COLUMN, ROW = 250, 56
BOX_WIDTH, BOX_HEIGHT = 200, 40
MARGIN = 4

Name = tuple[str, str]


def identity_tree(identifiers: Sequence[Identifier], links: Iterable[Link]) -> Markup:
    """Draw identifiers as boxes and the links that hold as lines with their day; the table below it
    says the same. Nothing where there is one identifier alone.
    """
    names = [(each.kind, each.value) for each in identifiers][:MOST_NODES]
    if len(names) < 2:
        return Markup("")
    joined = spanning(names, links)
    keys = {name: str(place) for place, name in enumerate(names)}
    children: dict[str, list[str]] = defaultdict(list)
    for child, (parent, _) in joined.items():
        children[keys[parent]].append(keys[child])
    placed = {each.key: each for each in tidy("0", children)}
    days = {keys[child]: link for child, (_, link) in joined.items()}
    lines, boxes = [], []
    for key, each in placed.items():
        x, y = MARGIN + each.column * COLUMN, MARGIN + each.row * ROW
        boxes.append(_box(names[int(key)], x, y))
        if each.parent is not None:
            above = placed[each.parent]
            start = (MARGIN + above.column * COLUMN + BOX_WIDTH, MARGIN + above.row * ROW)
            lines.append(_line(start, (x, y), days[key]))
    width = MARGIN * 2 + max(each.column for each in placed.values()) * COLUMN + BOX_WIDTH
    height = MARGIN * 2 + max(each.row for each in placed.values()) * ROW + BOX_HEIGHT
    return Markup(
        '<svg class="tree" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" '
        'aria-labelledby="tree-title tree-desc"><title id="tree-title">Identity</title>'
        '<desc id="tree-desc">{n} identifiers; a line joins two that were seen together, with the '
        "day of the first time.</desc>{marks}</svg>"
    ).format(
        w=f"{width:.0f}", h=f"{height:.0f}", n=len(names), marks=Markup("").join(lines + boxes)
    )


def spanning(names: Sequence[Name], links: Iterable[Link]) -> dict[Name, tuple[Name, Link | None]]:
    """Return how each identifier but the first hangs on another: by the earliest link that holds.

    What no link reaches hangs on the first one, without a link.
    """
    beside: dict[Name, list[tuple[Name, Link]]] = defaultdict(list)
    for link in sorted(links, key=lambda each: each.occurred_at):
        if link.set_aside is None:
            beside[link.owner].append((link.other, link))
            beside[link.other].append((link.owner, link))
    wanted = set(names[1:])
    joined: dict[Name, tuple[Name, Link | None]] = {}
    ahead = deque(names[:1])
    while ahead:
        here = ahead.popleft()
        for other, link in beside[here]:
            if other in wanted:
                wanted.remove(other)
                joined[other] = (here, link)
                ahead.append(other)
    return joined | {name: (names[0], None) for name in names[1:] if name in wanted}


def _box(name: Name, x: float, y: float) -> Markup:
    kind, value = name
    shown = value if len(value) <= MOST_LETTERS else f"{value[: MOST_LETTERS - 1]}…"
    return Markup(
        '<g class="node {known}"><title>{kind}: {value}</title>'
        '<rect x="{x:.0f}" y="{y:.0f}" width="{w}" height="{h}" rx="7"/>'
        '<text class="kind" x="{tx:.0f}" y="{ky:.0f}">{kind}</text>'
        '<text x="{tx:.0f}" y="{vy:.0f}">{shown}</text></g>'
    ).format(
        known="first" if kind == "user_id" else "",
        kind=kind,
        value=value,
        shown=shown,
        x=x,
        y=y,
        tx=x + 10,
        ky=y + 15,
        vy=y + 32,
        w=BOX_WIDTH,
        h=BOX_HEIGHT,
    )


def _line(start: tuple[float, float], end: tuple[float, float], link: Link | None) -> Markup:
    middle = BOX_HEIGHT / 2
    (x1, y1), (x2, y2) = start, end
    half = (x1 + x2) / 2
    return Markup(
        '<path class="link" d="M{:.0f} {:.0f}C{h:.0f} {:.0f} {h:.0f} {:.0f} {:.0f} {:.0f}"/>'
        '<text class="day" x="{h:.0f}" y="{:.0f}" text-anchor="middle">{}</text>'
    ).format(
        x1,
        y1 + middle,
        y1 + middle,
        y2 + middle,
        x2,
        y2 + middle,
        (y1 + y2) / 2 + middle - 4,
        f"{link.occurred_at:%d %b}" if link else "",
        h=half,
    )
