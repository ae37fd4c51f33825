"""Pictures as text: trees that never overlap, bars that say what they show."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from opportune.events import Minute
from opportune.profiles import Identifier, Link
from opportune.web import bars
from opportune.web.identity import identity_tree, spanning
from opportune.web.layout import tidy

NOW = datetime(2026, 1, 11, 6, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"


def link(owner: str, other: str, *, day: int = 0, set_aside: str | None = None) -> Link:
    return Link(
        owner=("user_id", owner),
        other=("user_id", other),
        occurred_at=NOW + timedelta(days=day),
        message_id="m",
        source_id="shop",
        rule="seen_together",
        set_aside=set_aside,
    )


def identifiers(values: list[str]) -> list[Identifier]:
    return [Identifier(kind="user_id", value=each, linked_at=NOW) for each in values]


@given(st.lists(st.integers(0, 30), max_size=30))
def test_a_tree_has_no_two_nodes_in_one_place(parents: list[int]) -> None:
    children: dict[str, list[str]] = {}
    for place, parent in enumerate(parents, start=1):
        children.setdefault(str(parent % place), []).append(str(place))
    placed = tidy("0", children)
    assert len(placed) == len(parents) + 1
    assert len({(each.column, each.row) for each in placed}) == len(placed)
    by_key = {each.key: each for each in placed}
    for each in placed:
        if each.parent is not None:
            assert by_key[each.parent].column == each.column - 1


def test_identifiers_hang_on_the_earliest_link_that_holds() -> None:
    names = [("user_id", each) for each in ("a", "b", "c", "d")]
    links = [
        link("b", "c", day=1),
        link("a", "b", day=2),
        link("a", "c", day=3),
        link("a", "d", set_aside="cut"),
    ]
    joined = spanning(names, links)
    assert {child[1]: parent[1] for child, (parent, _) in joined.items()} == {
        **{"b": "a", "c": "a", "d": "a"}
    }
    assert joined["user_id", "b"][1] == links[1]
    assert joined["user_id", "d"][1] is None


def test_an_identity_is_drawn_with_its_names_escaped() -> None:
    values = ["<script>", "b" * 40, "c"]
    drawn = str(identity_tree(identifiers(values), [link("<script>", "c")]))
    tree = ET.fromstring(drawn.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
    assert {each.text for each in tree.iter(f"{SVG}title")} == {
        *("Identity", "user_id: <script>", "user_id: c", f"user_id: {'b' * 40}")
    }
    assert len(list(tree.iter(f"{SVG}rect"))) == 3
    assert "<script>" not in drawn
    assert f"{'b' * 25}…" in drawn
    assert "11 Jan" in drawn
    assert identity_tree(identifiers(["a"]), []) == ""


def test_a_large_identity_shows_its_first_boxes() -> None:
    drawn = str(identity_tree(identifiers([str(each) for each in range(90)]), []))
    assert drawn.count("<rect") == 24


def test_bars_say_how_much_came_and_how_much_was_refused() -> None:
    minutes = [
        Minute(minute=NOW, accepted=1_200, flagged=0, rejected=0),
        Minute(minute=NOW + timedelta(minutes=1), accepted=0, flagged=0, rejected=300),
    ]
    drawn = str(bars.by_minute(minutes, chart="received"))
    assert "1,200 messages were accepted and 300 refused, 1,200 in the busiest minute." in drawn
    picture = ET.fromstring(drawn)
    heights = [
        float(each.attrib["height"])
        for each in picture
        if each.tag == "rect" and float(each.attrib["height"]) > 0
    ]
    assert heights[0] == 4 * heights[1]
    assert "nan" not in str(bars.by_minute([], chart="none"))


@given(st.lists(st.integers(0, 10**9), max_size=20))
def test_a_trend_stays_within_its_picture(values: list[int]) -> None:
    drawn = str(bars.trend(values, words="<b>"))
    if len(values) < 2:
        assert drawn == ""
        return
    points = ET.fromstring(drawn)[1].attrib["points"].split()
    assert len(points) == len(values)
    for point in points:
        x, y = (float(each) for each in point.split(","))
        assert 0 <= x <= 100
        assert 0 <= y <= 24
