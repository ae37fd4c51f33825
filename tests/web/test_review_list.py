"""The review list as a page: both sides, every decision with its words, and nothing by mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from types import ModuleType
from typing import Any, Protocol

import psycopg
import pytest

from opportune import profiles
from opportune.storage import Stores

LARGEST_BYTES = 150_000


class Answer(Protocol):
    status: int
    headers: dict[str, str]
    text: str


class Site(Protocol):
    def get(self, path: str, *, method: str = "GET") -> Answer: ...
    def post(self, path: str, fields: dict[str, str]) -> Answer: ...
    def send(self, page: str, path: str, fields: dict[str, str]) -> Answer: ...


Shared = Callable[..., None]


@pytest.fixture
def shared(stores: Stores, shop: ModuleType) -> Shared:
    """Let people log in on one device, one after the other."""

    def logins(people: int = 2, *, device: str = "tablet", letters: str = "") -> None:
        told = [
            {
                "type": "identify",
                "messageId": f"{device}-{place}{letters[:80]}",
                "timestamp": (shop.NOW - timedelta(minutes=people - place)).isoformat(),
                "userId": f"{device}{place}{letters}",
                "anonymousId": device,
                "traits": {
                    "name": f"{shop.NAMES[place % len(shop.NAMES)]} {letters}",
                    "plan": f"gold {letters}",
                    "income": 50_000 + place,
                    "zeal": place,
                },
            }
            for place in range(people)
        ]
        shop.send(stores, told)

    return logins


def cells(page: str) -> dict[str, list[str]]:
    """The rows of the first comparison, by what they compare."""
    table = re.search(r'<article class="panel review".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    assert table is not None
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table[1], re.DOTALL)
    texts = [
        (re.sub(r"<[^>]+>", "", head).strip(), re.findall(r"<td[^>]*>(.*?)</td>", rest, re.DOTALL))
        for head, rest in rows
    ]
    return {head: [re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for head, row in texts}


def only(stores: Stores) -> profiles.ReviewItem:
    (item,) = profiles.review(stores.state)
    return item


def known(stores: Stores, user: str) -> list[tuple[str, str]]:
    return list(profiles.get(stores.state, "user_id", user).identifiers)


def test_both_sides_are_beside_each_other_with_the_evidence(
    site: Site, stores: Stores, shared: Shared, apply: Callable[..., None], tmp_path: Any
) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "opportune.toml").write_text('[traits]\nsensitive = ["income"]\n')
    apply({"offer": "Offer"})
    shared()
    page = site.get("/review").text
    assert "1 link waits for a decision; until then nobody is joined." in page
    assert "Both have a user id: two people on one device, or one person twice." in page
    assert "named together in message <code>tablet-1</code> of shop" in page
    assert cells(page) == {
        "Person": ["Ben Okafor", "Ana Silva"],
        "Identifiers": ["user_id tablet1", "user_id tablet0anonymous_id tablet"],
        "income ▲ sensitive": ["50,001", "50,000"],
        "plan equal": ["gold", "gold"],
        "zeal": ["1", "0"],
        "Seen": [
            "2026-01-11 05:59 UTC to2026-01-11 05:59 UTC",
            "2026-01-11 05:58 UTC to2026-01-11 05:58 UTC",
        ],
        "Events, 30 days": ["1", "1"],
    }
    for words in (
        "anonymous_id tablet goes from Ana Silva to Ben Okafor",
        "They become one, with the identifiers, traits and events of both.",
        "They stay two, as they are. It can be taken back.",
    ):
        assert words in page
    assert re.findall(r'name="decision" value="(\w+)"', page) == ["same", "move", "apart"]


@pytest.mark.parametrize(
    ("decision", "first", "second", "words"),
    [
        ("same", 3, 3, "they are one person now"),
        ("move", 1, 2, "the identifier went to the person who claims it"),
        ("apart", 2, 1, "they stay two, and the link is off the list"),
    ],
)
def test_a_decision_is_carried_out_and_told(
    site: Site, stores: Stores, shared: Shared, decision: str, first: int, second: int, words: str
) -> None:
    shared()
    token = re.search(r'name="token" value="([0-9a-f]+)"', site.get("/review").text)
    assert token is not None
    fields = {"review_id": only(stores).review_id, "decision": decision, "token": token[1]}
    done = site.post("/review/decide", fields)
    assert (done.status, done.headers["location"]) == (303, f"/review?done={decision}")
    assert (len(known(stores, "tablet0")), len(known(stores, "tablet1"))) == (first, second)
    (settled,) = profiles.decided(stores.state)
    assert (settled.decision, settled.decided_by) == (decision, "pages")
    page = site.get(done.headers["location"]).text
    assert f"Done: {words}." in page
    assert "No link waits for a decision." in page
    assert "user_id tablet1 and anonymous_id tablet</th>" in page
    # It was decided meanwhile: the page says so, and nothing changes.
    late = site.post("/review/decide", fields)
    assert (late.status, "<code>unknown_review</code>" in late.text) == (404, True)
    assert len(profiles.decided(stores.state)) == 1
    undo = re.findall(r'href="/people/-?\d+#identity"|action="/review/take-back"', page)
    assert len(undo) == 1
    assert ("take-back" in undo[0]) == (decision == "apart")


def test_apart_is_taken_back_once(site: Site, stores: Stores, shared: Shared) -> None:
    shared()
    before = only(stores)
    fields = {"review_id": before.review_id, "decision": "apart"}
    assert site.send("/review", "/review/decide", fields).status == 303
    back = site.send("/review", "/review/take-back", fields)
    assert (back.status, back.headers["location"]) == (303, "/review?done=back")
    assert only(stores) == before
    page = site.get("/review?done=back").text
    assert "Taken back: the link waits for a decision again." in page
    assert "taken back by pages, just now" in page
    again = site.send("/review", "/review/take-back", fields)
    assert (again.status, "<code>unknown_review</code>" in again.text) == (404, True)
    assert site.send("/review", "/review/decide", {**fields, "decision": "same"}).status == 303
    shared(device="other")
    stands = site.send("/review", "/review/take-back", fields)
    assert (stands.status, "<code>decision_stands</code>" in stands.text) == (409, True)


def test_what_does_not_fit_is_told_at_the_link(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    shop.send(
        stores,
        [
            {
                "type": "identify",
                "messageId": f"m{place}",
                "timestamp": (shop.NOW - timedelta(minutes=9 - place)).isoformat(),
                "userId": "ann",
                "anonymousId": f"a{place}",
            }
            for place in range(6)
        ],
    )
    item = only(stores)
    page = site.get("/review").text
    assert "more identifiers of one kind than a person may have" in page
    assert re.findall(r'name="decision" value="(\w+)"', page) == ["same", "apart"]
    for decision, words in (
        ("move", "Allowed: apart, same."),
        ("<b>", "&#39;&lt;b&gt;&#39; is no decision. Allowed: apart, move, same."),
    ):
        fields = {"review_id": item.review_id, "decision": decision}
        wrong = site.send("/review", "/review/decide", fields)
        assert wrong.status == 400
        article = wrong.text.partition("<article")[2].partition("</article>")[0]
        assert words in article
        assert "<code>decision_does_not_fit</code>" in article
    assert only(stores) == item


def test_without_the_token_nothing_is_decided(site: Site, stores: Stores, shared: Shared) -> None:
    shared()
    item = only(stores)
    for path in ("/review/decide", "/review/take-back"):
        fields = {"review_id": item.review_id, "decision": "same"}
        assert site.post(path, fields).status == 403
        assert site.post(path, {**fields, "token": "0" * 64}).status == 403
    assert only(stores) == item


def test_a_person_leads_to_the_own_links_alone(site: Site, stores: Stores, shared: Shared) -> None:
    shared()
    shared(3, device="till")
    ana = profiles.get(stores.state, "user_id", "till2").profile_id
    assert f'<a href="/review?person={ana}">1 link waits for review</a>' in (
        site.get(f"/people/{ana}").text
    )
    assert "3 links wait for a decision" in site.get("/review").text
    page = site.get(f"/review?person={ana}").text
    assert "1 link of this person waits for a decision" in page
    (review_id,) = re.findall(r'name="review_id" value="(\w+)"', page)
    fields = {"review_id": review_id, "decision": "apart", "person": str(ana)}
    done = site.send("/review", "/review/decide", fields)
    assert done.headers["location"] == f"/review?person={ana}&done=apart"
    assert "No link of this person waits for a decision." in site.get(done.headers["location"]).text
    assert "waits for review" not in site.get(f"/people/{ana}").text
    assert site.get("/review?person=x").status == 404


def test_however_many_wait_a_page_is_small_and_asks_as_often(
    site: Site, stores: Stores, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = psycopg.Cursor.execute

    def counted(cursor: Any, query: Any, *given: Any, **named: Any) -> Any:
        asked.append(str(query))
        return execute(cursor, query, *given, **named)

    def asks(address: str) -> int:
        # The dot in the top line is looked at now and then.
        monkeypatch.setattr("opportune.web.site.DOT_S", 1e9)
        site.get("/review")
        asked.clear()
        assert site.get(address).status == 200
        return len(asked)

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    shared()
    few = asks("/review")
    shared(60, device="till", letters="x" * 200)
    assert asks("/review") == few
    page = site.get("/review").text
    assert len(page.encode()) < LARGEST_BYTES
    assert page.count("<article") == 50
    assert "61 links wait" not in page
    assert "60 links wait" in page
    second = site.get("/review?page=2").text
    assert "51 to 60 of 60" in second
    # Of a page beyond the end, the last one.
    assert "51 to 60 of 60" in site.get("/review?page=9").text
    ids = [re.findall(r'name="review_id" value="(\w+)"', each) for each in (page, second)]
    listed = [each.review_id for each in profiles.review(stores.state)]
    assert [*ids[0], *ids[1]] == listed
