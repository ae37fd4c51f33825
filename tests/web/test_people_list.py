"""The list of people: its chart, its parts, its views, and the list as a file, which all agree."""

from __future__ import annotations

import csv
import io
import re
from types import ModuleType
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune import privacy, profiles, segments
from opportune.profiles import PeopleFilter, PeopleOrder, Picked
from opportune.profiles.spread import MOST_BARS, bounds_of
from opportune.storage import Stores
from opportune.web.asking import Fields
from opportune.web.list_address import read_list


class Answer(Protocol):
    status: int
    headers: dict[str, str]
    text: str


class Site(Protocol):
    def get(self, path: str, *, method: str = "GET") -> Answer: ...
    def send(self, page: str, path: str, fields: dict[str, str]) -> Answer: ...


def rows_of(page: str, name: str) -> list[list[str]]:
    table = re.search(rf'<table id="{name}">.*?</table>', page, re.DOTALL)
    assert table is not None
    rows = re.findall(r"<tr>(.*?)</tr>", table[0], re.DOTALL)[1:]
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in cells]


def links_of(page: str) -> list[str]:
    table = re.search(r'<table id="spread">.*?</table>', page, re.DOTALL)
    assert table is not None
    return [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]+)"', table[0])]


def exported(page: Answer) -> list[dict[str, str]]:
    assert page.status == 200
    return list(csv.DictReader(io.StringIO(page.text)))


def total_of(page: str) -> int:
    found = re.search(r"Export ([0-9,]+) as CSV", page)
    return int(found[1].replace(",", "")) if found else 0


@pytest.mark.parametrize(
    "asked",
    [
        "",
        "sort=first_seen&down=0",
        "sort=name",
        "sort=trait:age&column=age",
        "sort=trait:plan",
        "sort=trait:newsletter",
        "sort=trait:nothing",
        "segment=gold&sort=trait:age",
        "q=a&sort=trait:plan",
    ],
)
def test_chart_table_list_and_file_have_the_same_people(shop_site: Site, asked: str) -> None:
    page = shop_site.get(f"/people?{asked}").text
    total = total_of(page)
    rows = rows_of(page, "spread")
    assert total == sum(int(row[1].replace(",", "")) for row in rows) > 0
    assert len(exported(shop_site.get(f"/people.csv?{asked}"))) == total
    links = links_of(page)
    assert len(links) == sum(row[1] != "0" for row in rows)
    counted = []
    for link in links[:5]:
        part = shop_site.get(link).text
        counted.append(total_of(part))
        assert len(exported(shop_site.get(link.replace("/people?", "/people.csv?")))) == counted[-1]
    assert counted == [int(row[1]) for row in rows if row[1] != "0"][:5]


def test_a_column_of_values_has_a_bar_a_value_and_says_who_has_none(shop_site: Site) -> None:
    page = shop_site.get("/people?sort=trait:plan").text
    rows = rows_of(page, "spread")
    assert [row[0] for row in rows] == ["basic", "gold", "plus", "no value"]
    assert [row[1] for row in rows] == ["40", "40", "40", "1"]
    assert "The longest bar is basic: 40 of them, 33.1 %." in page
    ages = rows_of(shop_site.get("/people?sort=trait:age&q=shop.example").text, "spread")
    assert ages[-1][0] == "no number"
    part = shop_site.get("/people?sort=trait:age&part=range&of=trait:age&low=20.0&high=21.0").text
    assert "3 people with age: 20 up to 21." in part


def test_the_file_has_the_columns_and_nothing_a_program_would_run(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    evil = {"name": '=HYPERLINK("x")', "phone": "+351 21 000", "note": "-1+cmd|x", "plan": "a,b"}
    said = {"type": "identify", "messageId": "m", "userId": "@eve", "traits": evil}
    shop.send(stores, [said, *shop.messages(2)])
    page = site.get("/people.csv?q=HYPERLINK&column=name&column=phone&column=note&column=plan")
    assert page.headers["content-disposition"] == 'attachment; filename="people.csv"'
    assert page.headers["content-type"] == "text/csv; charset=utf-8"
    row = exported(page)[0]
    assert list(row.values())[4:] == ['\'=HYPERLINK("x")', "+351 21 000", "'-1+cmd|x", "a,b"]
    assert (row["user_id"], list(row)[4]) == ("'@eve", "trait name")


def test_a_field_that_may_not_leave_is_named_with_its_label_and_policy(shop_site: Site) -> None:
    for asked in ("column=income", "part=value&of=trait:income&said=1"):
        page = shop_site.get(f"/people.csv?{asked}")
        assert page.status == 403
        for words in ("trait &#39;income&#39; is sensitive", "policy &#39;sensitive-data&#39;"):
            assert words in page.text
        assert "<code>field_forbidden</code>" in page.text
    assert shop_site.get("/people?column=income").status == 200


def test_a_segment_by_a_field_that_may_not_leave_is_not_exported(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    for name, rule in (
        ("rich", {"trait": "religion", "exists": True}),
        ("all", {"segment": "rich"}),
    ):
        segments.define(stores.state, name, {"title": name, "rule": rule}, now=shop.NOW)
    page = site.get("/people.csv?segment=all")
    assert (page.status, "segment rich: trait &#39;religion&#39;" in page.text) == (403, True)


def test_a_view_is_kept_without_what_was_searched_for(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    shop.send(stores, shop.messages(3))
    asked = {"title": "By <age>", "sort": "trait:age", "down": "0", "column": "age", "q": "u0001"}
    kept = site.send("/people", "/people/views", asked)
    assert (kept.status, kept.headers["location"]) == (
        303,
        "/people?sort=trait%3Aage&down=0&column=age",
    )
    view = profiles.people_views(stores.state)[0]
    assert (view.columns, view.sort, view.kept_by) == (("age",), "trait:age", "pages")
    page = site.get("/people").text
    assert '<a href="/people?sort=trait%3Aage&amp;down=0&amp;column=age">By &lt;age&gt;</a>' in page
    assert site.send("/people", "/people/views", {**asked, "title": ""}).status == 400
    asked_for = privacy.Asked(request_id="r", mode="erase", by="x", now=shop.NOW)
    privacy.ask(stores.state, "user_id", "u0001", asked_for)
    assert "u0001" not in str(stores.state.rows("select * from people_view"))
    assert site.send("/people", "/people/views/drop", {"title": "By <age>"}).status == 303
    assert profiles.people_views(stores.state) == []


def test_an_address_is_written_as_it_is_read() -> None:
    for asked in (
        [("q", "a b"), ("segment", "gold"), ("sort", "trait:age"), ("down", "0")],
        [("part", "range"), ("of", "last_seen"), ("low", "0.1"), ("high", "1e+20")],
        [("column", "a"), ("column", "b"), ("part", "value"), ("of", "trait:x"), ("said", "")],
    ):
        assert read_list(Fields(tuple(asked))).fields() == asked
    for broken in (
        [("part", "range"), ("of", "last_seen"), ("low", "nan"), ("high", "1")],
        [("part", "value"), ("of", "trait:x")],
        [("part", "else"), ("of", "trait:x"), ("said", "x")],
        [("part", "range"), ("low", "0"), ("high", "1")],
    ):
        assert read_list(Fields(tuple(broken))).chosen == PeopleFilter()


@given(
    st.floats(-1e300, 1e300),
    st.floats(-1e300, 1e300),
    st.sampled_from(("number", "time")),
    st.booleans(),
)
def test_bounds_hold_every_number_in_few_bars(
    one: float, other: float, kind: str, whole: bool
) -> None:
    low, high = min(one, other), max(one, other)
    if whole:
        low, high = float(round(low)), float(round(high))
    bounds = bounds_of(low, high, kind=kind, whole=whole)  # type: ignore[arg-type]
    assert bounds[0] <= low <= high < bounds[-1]
    assert sorted(set(bounds)) == bounds
    assert len(bounds) <= MOST_BARS + 2


def test_a_search_in_a_segment_with_a_part_asks_for_all_three(shop_stores: Stores) -> None:
    picked = Picked(part="range", by="trait", trait="age", low=20.0, high=40.0)
    chosen = PeopleFilter(search="a", segment="gold", picked=picked)
    found = profiles.people(shop_stores.state, chosen, order=PeopleOrder(by="name"))
    assert found.total == len(found.rows) > 0
    for each in found.rows:
        assert 20 <= int(str(each.traits["age"])) < 40
        assert "gold" in each.segments
