"""Numbers agree: with the list behind them, with the interface, and with what is stored."""

from __future__ import annotations

import json
import re
from html import unescape
from types import ModuleType
from typing import Protocol

from opportune import events, profiles, project, segments
from opportune.profiles import PeopleFilter, PeopleOrder
from opportune.storage import Stores

TAGS = re.compile(r"<[^>]+>")
CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)


class Answer(Protocol):
    status: int
    headers: dict[str, str]
    text: str


class Site(Protocol):
    def get(self, path: str, *, method: str = "GET") -> Answer: ...


def rows_of(page: str, table: str) -> list[list[str]]:
    body = re.search(rf'<table id="{table}".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert body is not None
    rows = [CELL.findall(row) for row in body[1].split("<tr")[1:]]
    return [[unescape(TAGS.sub("", cell)).strip() for cell in row] for row in rows]


def text_of(page: str, element: str) -> str:
    found = re.search(rf'id="{element}"[^>]*>\s*([^<]+?)\s*<', page)
    assert found is not None, element
    return found[1]


def names_over_pages(site: Site, address: str) -> list[str]:
    """Everybody on all pages of a list, by the links to the next page."""
    names: list[str] = []
    while address:
        page = site.get(address).text
        names += re.findall(r'<a href="/people/(-?\d+)">', page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        address = found[1].replace("&amp;", "&") if found else ""
    return names


def states_of(stores: Stores) -> dict[str, segments.SegmentState]:
    defined = project.read(stores.state).segments
    return {each.name: each for each in segments.states(stores.state, defined)}


def test_every_segment_has_as_many_members_as_its_list_shows(
    shop_site: Site, shop_stores: Stores, shop: ModuleType
) -> None:
    listed = rows_of(shop_site.get("/segments").text, "segments")
    states = states_of(shop_stores)
    asked = json.loads(shop_site.get("/api/segments").text)["segments"]
    assert {each["name"]: each["members"] for each in asked} == {
        name: each.members for name, each in states.items()
    }
    assert len(listed) == len(states) == 5
    for name, state in states.items():
        names = names_over_pages(shop_site, f"/people?segment={name}")
        assert (len(names), len(set(names))) == (state.members, state.members)
        page = shop_site.get(f"/segments/{name}").text
        assert text_of(page, "size") == f"{state.members:,}"
        assert rows_of(page, "days-table")[0][3] == f"{state.members:,}"
        row = next(row for row in listed if name in row[0])
        assert (row[1], row[3]) == (f"{state.members:,}", state.words)
    assert 0 < states["gold_buyers"].members < states["gold"].members
    assert states["hostile"].members == 1


def test_the_overlap_is_what_the_interface_counts(shop_site: Site) -> None:
    for row in rows_of(shop_site.get("/segments/gold_buyers").text, "overlaps"):
        address = f"/api/segments/gold_buyers/overlap/{row[0]}"
        asked = json.loads(shop_site.get(address).text)
        assert [int(row[1]), int(row[2])] == [asked["other"], asked["both"]]
    assert shop_site.get("/segments/gold_buyers").text.count('id="overlaps"') == 1


def test_the_count_while_editing_is_the_size_once_saved(
    shop_site: Site, shop_stores: Stores
) -> None:
    for name, state in states_of(shop_stores).items():
        page = shop_site.get(f"/segments/{name}/edit").text
        assert text_of(page, "count") == f"{state.members:,}"
        assert text_of(page, "share") == f"{state.members / 121 * 100:.1f} %"


def test_people_are_as_many_as_profiles_whatever_the_order(
    shop_site: Site, shop_stores: Stores
) -> None:
    total = profiles.people(shop_stores.state, PeopleFilter(), limit=1).total
    assert total == shop_stores.state.rows("select count(*) as n from profile")[0]["n"] == 121
    for order in ("", "sort=name&down=0", "sort=trait:age&column=age", "sort=first_seen&down=0"):
        names = names_over_pages(shop_site, f"/people?{order}")
        assert (len(names), len(set(names))) == (total, total)
    assert "121 people known" in shop_site.get("/people").text
    home = shop_site.get("/").text
    assert text_of(home, "people") == "121"
    active = re.search(r'<a id="active" href="([^"]+)">([0-9,]+)</a>', home)
    assert active is not None
    assert len(names_over_pages(shop_site, unescape(active[1]))) == int(active[2]) > 0


def test_people_are_found_by_name_address_and_id(shop_stores: Stores) -> None:
    def found(search: str) -> list[object]:
        rows = profiles.people(shop_stores.state, PeopleFilter(search=search)).rows
        return [each.traits.get("email") for each in rows]

    assert found("ANA.0@shop") == found("u0000") == found("cookie-0000") == ["ana.0@shop.example"]
    assert len(found("ana silva")) == 6
    assert found("%") == found("_") == []
    assert found("\0") != []


def test_people_are_sorted_by_a_trait_as_a_number(shop_stores: Stores) -> None:
    order = PeopleOrder(by="trait", trait="age", descending=False)
    rows = profiles.people(shop_stores.state, PeopleFilter(), order=order).rows
    ages = [each.traits.get("age") for each in rows]
    assert ages[:-1] == sorted(age for age in ages if age is not None)
    assert ages[-1] is None


def test_live_home_health_and_catalogue_count_the_same_messages(
    shop_site: Site, shop_stores: Stores, shop: ModuleType
) -> None:
    stored = shop_stores.lake.read("events", ["message_id"]).num_rows
    minutes = events.minutes(shop_stores.state, now=shop.NOW)
    assert [len(minutes), minutes[-1].minute] == [60, shop.NOW]
    assert sum(each.accepted for each in minutes) == stored
    assert sum(each.rejected for each in minutes) == 2
    assert text_of(shop_site.get("/").text, "accepted") == f"{stored:,}"
    assert text_of(shop_site.get("/").text, "refused") == "2"
    live = shop_site.get("/live").text
    assert f"{stored:,} messages arrived in the last hour, and 2 were refused." in live
    table = rows_of(live, "minutes")
    assert sum(int(row[1]) for row in table) == stored
    assert sum(int(row[3]) for row in table) == 2
    health = rows_of(shop_site.get("/health").text, "minutes")
    assert [row[1:] for row in health] == [[row[1], row[3]] for row in table]
    catalogue = rows_of(shop_site.get("/live/catalogue").text, "events")
    assert sum(int(row[5]) for row in catalogue) == stored
    asked = json.loads(shop_site.get("/api/catalogue").text)["events"]
    assert {row[0].split()[0] for row in catalogue} == {each["event"].split()[0] for each in asked}


def test_a_page_of_the_tail_goes_on_where_the_last_one_ended(shop_site: Site) -> None:
    page = shop_site.get("/live?source=shop&event=Order+Completed").text
    rows = rows_of(page, "tail")
    assert {row[1] for row in rows} == {"Order Completed"}
    newest = re.search(r'data-next="(\d+)"', page)
    assert newest is not None
    again = shop_site.get(f"/live/rows?after={newest[1]}&event=Order+Completed")
    assert ("<tr" in again.text, again.headers["x-next"]) == (False, newest[1])
    before = shop_site.get(f"/live/rows?after={int(newest[1]) - 1}&event=Order+Completed")
    assert (before.text.count("<tr"), before.headers["x-next"]) == (1, newest[1])


def test_what_was_refused_is_what_the_interface_lists(shop_site: Site) -> None:
    rows = rows_of(shop_site.get("/live/rejected").text, "rejects")
    asked = json.loads(shop_site.get("/api/rejects").text)["rejects"]
    assert [row[4].split()[0] for row in rows] == [each["code"] for each in asked]
    assert {each["code"] for each in asked} == {"no_user_anon_id", "event_not_defined"}
    only = shop_site.get("/live/rejected?code=no_user_anon_id").text
    assert len(rows_of(only, "rejects")) == 1


def test_a_person_is_what_the_interface_says(shop_site: Site, shop_stores: Stores) -> None:
    row = profiles.people(shop_stores.state, PeopleFilter(search="u0003")).rows[0]
    page = shop_site.get(f"/people/{row.profile_id}").text
    asked = json.loads(shop_site.get("/api/profiles/user_id/u0003").text)
    assert asked["profile_id"] == str(row.profile_id)
    said = {row[0].split()[0]: row[1] for row in rows_of(page, "traits-table")}
    assert said == {
        **{"age": "23", "email": "dao.3@shop.example", "name": "Dao Nguyen"},
        **{"newsletter": "no", "plan": "basic"},
    }
    identifiers = {(row[0], row[1]) for row in rows_of(page, "identifiers")}
    assert identifiers == set(row.identifiers)
    assert len(rows_of(page, "links")) == 2
    assert [row[:2] for row in rows_of(page, "consent-table")] == [
        ["marketing", "every other"],
        ["marketing", "email"],
    ]
    assert "not allowed withdrawn" in " ".join(rows_of(page, "consent-table")[1][2].split())
    for kind, value in row.identifiers:
        identifier = shop_stores.state.rows(
            "select identity_hash(%(kind)s, %(value)s) as id", {"kind": kind, "value": value}
        )[0]["id"]
        answer = shop_site.get(f"/people/{identifier}")
        if identifier != row.profile_id:
            assert answer.headers["location"].partition("?")[0] == f"/people/{row.profile_id}"


def test_what_people_said_of_a_purpose_is_counted(shop_site: Site) -> None:
    page = shop_site.get("/consent").text
    assert rows_of(page, "purposes-table")[0][3] == "email: 60 granted, 60 withdrawn"
    assert text_of(page, "unread-names") == "email, income, name"
