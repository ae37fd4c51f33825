"""Every screen in each of its states: full, empty, large, a demo, without a database, hostile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from html.parser import HTMLParser
from types import ModuleType
from typing import Protocol

import pytest

from opportune import privacy, profiles
from opportune.profiles import PeopleFilter
from opportune.settings import Settings
from opportune.storage import Stores, attach

# Address -> the entry of the rail it belongs to.
SCREENS = {
    "/": "Home",
    "/live": "Live events",
    "/live/catalogue": "Live events",
    "/live/rejected": "Live events",
    "/people": "People",
    "/segments": "Segments",
    "/new-segment": "Segments",
    "/use-cases": "Use cases",
    "/outbox": "Channels and outbox",
    "/consent": "Consent and fields",
    "/requests": "Requests",
    "/review": "Review list",
    "/health": "Health",
}
# Screens of one thing of the shop.
ONES = {
    "/live/catalogue/Order%20Completed": "Live events",
    "/live/catalogue/%3Cscript%3Ealert(1)%3C%2Fscript%3E": "Live events",
    "/segments/gold_buyers": "Segments",
    "/segments/gold_buyers/edit": "Segments",
    "/segments/hostile": "Segments",
    "/segments/hostile/edit": "Segments",
    "/use-cases/next_offer": "Use cases",
    "/use-cases/next_offer/insights": "Use cases",
    "/use-cases/next_offer/decisions": "Use cases",
    "/use-cases/next_offer/health": "Use cases",
    "/use-cases/next_offer/timeline": "Use cases",
    "/people?q=a&segment=gold&column=plan&column=age&sort=trait:age": "People",
}
LARGEST_BYTES = 150_000
CURRENT = re.compile(r'<a href="[^"]*" aria-current="page">([^<]+)</a></li>')


class Answer(Protocol):
    status: int
    headers: dict[str, str]
    text: str


class Site(Protocol):
    def get(self, path: str, *, method: str = "GET") -> Answer: ...


class Look(HTMLParser):
    """What a person, a keyboard or a screen reader finds on a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.unnamed: list[str] = []
        self.tables = self.captions = 0
        self._labels = 0
        self.feed(page)
        self.close()
        named = {given["for"] for tag, given in self.tags if tag == "label" and "for" in given}
        self.unnamed = [each for each in self.unnamed if each not in named]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.tags.append((tag, given))
        self._labels += tag == "label"
        self.tables += tag == "table"
        self.captions += tag == "caption"
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden":
            is_named = self._labels or "aria-label" in given
            if not is_named:
                self.unnamed.append(given.get("id", given.get("name", tag)))

    def handle_endtag(self, tag: str) -> None:
        self._labels -= tag == "label"

    def all(self, tag: str) -> list[dict[str, str]]:
        return [given for name, given in self.tags if name == tag]


def check(page: Answer, *, place: str) -> Look:
    """What holds for every page."""
    look = Look(page.text)
    assert len(page.text.encode()) < LARGEST_BYTES
    assert len(look.all("h1")) == 1
    assert page.text.count('<p class="answer') == 1
    assert (
        re.findall(r'<a href="[^"]*" aria-current="page">([^<]+)</a></li>', page.text)[0] == place
    )
    assert look.all("a")[0]["href"] == "#content"
    assert look.unnamed == []
    assert look.tables == look.captions
    # Nothing from elsewhere, nothing inline.
    sources = [given.get("src", given.get("href", "")) for given in look.all("script")]
    assert [each for each in sources if not each.startswith("/static/")] == []
    assert [
        tag for tag, given in look.tags if "style" in given or any(n[:2] == "on" for n in given)
    ] == []
    identifiers = [given["id"] for _, given in look.tags if "id" in given]
    assert len(identifiers) == len(set(identifiers))
    assert set(re.findall(r"url\(#([^)]+)\)", page.text)) <= set(identifiers)
    assert all("token" in _names(form) for form in _posts(page.text))
    assert "<script>alert" not in page.text
    assert "script-src 'self'; " in page.headers["content-security-policy"]
    return look


def _posts(page: str) -> list[str]:
    return re.findall(r'<form[^>]*method="post".*?</form>', page, re.DOTALL)


def _names(form: str) -> set[str]:
    return set(re.findall(r'name="([^"]+)"', form))


@pytest.mark.parametrize("address", [*SCREENS, *ONES])
def test_a_screen_of_the_shop_is_whole_and_names_are_text(shop_site: Site, address: str) -> None:
    page = shop_site.get(address)
    assert page.status == 200
    check(page, place={**SCREENS, **ONES}[address])


def test_a_person_is_whole_and_a_hostile_name_is_text(
    shop_site: Site, shop_stores: Stores, shop: ModuleType
) -> None:
    for search in ("Ana Silva", shop.HOSTILE):
        row = profiles.people(shop_stores.state, PeopleFilter(search=search)).rows[0]
        page = shop_site.get(f"/people/{row.profile_id}")
        look = check(page, place="People")
        assert "Identity" in page.text
        assert len(look.all("svg")) > 2
    assert page.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 5


def test_what_a_hostile_person_sent_is_text_on_every_list(shop_site: Site) -> None:
    for address in ("/live", "/live/catalogue", "/live/rejected", "/people", "/segments", "/"):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shop_site.get(address).text


def test_the_review_list_is_whole_and_a_hostile_side_is_text(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    traits = {"name": shop.HOSTILE, shop.HOSTILE: shop.HOSTILE}
    said = {"type": "identify", "timestamp": shop.NOW.isoformat(), "anonymousId": shop.HOSTILE}
    shop.send(
        stores,
        [
            {**said, "messageId": f"{shop.HOSTILE} {user}", "userId": user, "traits": traits}
            for user in (shop.HOSTILE, "eve")
        ],
    )
    (item,) = profiles.review(stores.state)
    page = site.get("/review")
    look = check(page, place="Review list")
    assert len(look.all("article")) == 1
    assert page.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 10
    profiles.settle(stores.state, item.review_id, "apart", by=shop.HOSTILE, now=shop.NOW)
    check(site.get("/review"), place="Review list")


EMPTY = {
    "/": "Nothing is here yet",
    "/live": "No event has arrived yet.",
    "/live/catalogue": "No event has arrived yet.",
    "/live/rejected": "Nothing was refused.",
    "/people": "Nobody is known yet",
    "/segments": "No segment is defined yet.",
    "/new-segment": "No condition yet: everyone is in.",
    "/use-cases": "No use case is applied yet",
    "/consent": "No purpose of consent is defined",
    "/requests": "Nobody has asked to be forgotten.",
    "/outbox": "Nothing leaves yet",
    "/review": "No link waits for a decision.",
    "/health": "One thing needs you.",
}


def test_without_anything_each_screen_says_what_to_do(site: Site) -> None:
    assert set(EMPTY) == set(SCREENS)
    for address, words in EMPTY.items():
        page = site.get(address)
        assert (page.status, words in page.text) == (200, True), address
        check(page, place=SCREENS[address])
        assert "Demo data." not in page.text


@pytest.mark.usefixtures("demo")
def test_every_page_of_a_demo_says_so(site: Site) -> None:
    for address in SCREENS:
        assert "<strong>Demo data.</strong>" in site.get(address).text


def test_without_the_database_each_screen_says_what_since_when_and_what_to_do(
    settings: Settings, shop: ModuleType, serve: Callable[..., AbstractContextManager[Site]]
) -> None:
    lost = attach(replace(settings, database_url="postgresql://nobody@127.0.0.1:1/nothing"))
    with serve(lost, clock=lambda: shop.NOW) as site:
        for address in ("/live", "/people", "/health", "/segments"):
            page = site.get(address)
            assert page.status == 503
            assert "The numbers cannot be read just now" in page.text
            assert "<code>database_unavailable</code>" in page.text
            assert "2026-01-11 06:00 UTC</time>, when a page first met it" in page.text
            assert '<a class="health down" href="/health">' in page.text
    lost.close()


MISSING = {
    "/people/12345": "This profile is not there any more.",
    "/people/abc": "Nobody has this address.",
    "/segments/gold_buyer": "Did you mean &#39;gold_buyers&#39;?",
    "/live/catalogue/Order%20Complete": "Did you mean &#39;Order Completed&#39;?",
    "/requests/nothing": "No request has the id",
    "/decisions/nothing": "No decision has this id.",
    "/use-cases/nothing": "No use case &#39;nothing&#39;.",
}


@pytest.mark.parametrize("address", MISSING)
def test_what_is_not_there_is_a_page_of_its_own(shop_site: Site, address: str) -> None:
    page = shop_site.get(address)
    assert page.status == 404
    assert MISSING[address] in page.text


def test_a_request_shows_its_progress_and_then_its_proof(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    asked = privacy.Asked(request_id="r1", mode="erase", by="pages", now=shop.NOW)
    privacy.ask(stores.state, "user_id", "u0001", asked)
    page = site.get("/requests/r1")
    check(page, place="Requests")
    assert "Received. The worker carries it out." in page.text
    assert "u0001" not in page.text
    stores.state.rows(
        "update privacy_request set state = 'done', done_at = now(), done = %(done)s,"
        " proof = %(proof)s where request_id = 'r1'",
        {
            "done": json.dumps({"events": 12}),
            "proof": json.dumps({"lake": {"files": 3, "bytes": 2000, "rows": 9, "hits": 0}}),
        },
    )
    page = site.get("/requests/r1")
    check(page, place="Requests")
    assert "a search of every store found nothing" in page.text
    assert re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", page.text)[5:] == [
        *("lake", "3", "2.0 kB", "9", "0")
    ]


def test_static_files_are_there_and_named_after_their_content(shop_site: Site) -> None:
    pages = [shop_site.get(address).text for address in ("/live", "/new-segment", "/live/rejected")]
    names = {name for page in pages for name in re.findall(r'(?:src|href)="(/static/[^"]+)"', page)}
    assert {name.partition("?")[0].rpartition("/")[2] for name in names} == {
        *("app.css", "app.js", "tail.js", "builder.js", "choose.js", "favicon.svg")
    }
    for name in names:
        answer = shop_site.get(name)
        assert answer.status == 200
        assert re.findall(r"https?://(?!www\.w3\.org)", answer.text) == []


@pytest.fixture
def crowd(
    stores: Stores, shop: ModuleType, serve: Callable[..., AbstractContextManager[Site]]
) -> Iterator[Site]:
    """More people and events than any page shows."""
    shop.send(stores, shop.messages(1_500))
    with serve(stores, clock=lambda: shop.NOW) as site:
        yield site


def test_however_much_there_is_a_page_stays_small(crowd: Site) -> None:
    for address, place in SCREENS.items():
        check(crowd.get(address), place=place)
    last = crowd.get("/people?page=30").text
    assert "1,451 to 1,500 of 1,500" in last
    assert last.partition('id="people"')[2].count("<tr>") == 51
    beyond = crowd.get("/people?page=31")
    assert (beyond.status, "Nobody is found." in beyond.text) == (200, True)
