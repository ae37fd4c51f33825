"""What a page can do, and that nothing is done that was not meant: tokens, origins, typing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Protocol

import pytest

from opportune import privacy, profiles, project, segments
from opportune.storage import Stores


class Answer(Protocol):
    status: int
    headers: dict[str, str]
    text: str


class Site(Protocol):
    address: str
    cookies: dict[str, str]

    def get(self, path: str, *, method: str = "GET") -> Answer: ...
    def post(
        self,
        path: str,
        fields: dict[str, str] | list[tuple[str, str]],
        *,
        headers: dict[str, str] | None = None,
    ) -> Answer: ...
    def send(self, page: str, path: str, fields: dict[str, str]) -> Answer: ...


RULE = {
    "rule-form": "all",
    "rule-0-form": "trait",
    "rule-0-name": "plan",
    "rule-0-operator": "is",
    "rule-0-kind": "text",
    "rule-0-value": "gold",
}
NEW = {"title": "Gold people", "name": "", "exists": "", **RULE}


def token_of(site: Site) -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', site.get("/new-segment").text)
    assert found is not None
    return found[1]


def test_the_session_cookie_is_kept_from_scripts_and_other_sites(site: Site) -> None:
    answer = site.get("/")
    cookie = answer.headers["set-cookie"]
    assert re.fullmatch(r"opportune_session=[0-9a-f]{64}; HttpOnly; Path=/; SameSite=lax", cookie)
    assert "set-cookie" not in site.get("/").headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_form_of_another_site_changes_nothing(
    site: Site, stores: Stores, headers: dict[str, str]
) -> None:
    fields = {**NEW, "token": token_of(site)}
    refused = site.post("/segments/save", fields, headers=headers)
    assert (refused.status, "<code>cross_site_post</code>" in refused.text) == (403, True)
    assert project.read(stores.state).segments == {}
    own = {"Origin": site.address, "Sec-Fetch-Site": "same-origin"}
    assert site.post("/segments/save", fields, headers=own).status == 303


def test_without_the_token_of_the_session_nothing_changes(site: Site, stores: Stores) -> None:
    token = token_of(site)
    for fields in (NEW, {**NEW, "token": ""}, {**NEW, "token": token[:-1] + "é"}):
        assert site.post("/segments/save", fields).status == 403
    site.cookies["opportune_session"] = "0" * 64
    assert site.post("/segments/save", {**NEW, "token": token}).status == 403
    site.cookies.clear()
    assert site.post("/segments/save", {**NEW, "token": token}).status == 403
    assert project.read(stores.state).segments == {}


def test_a_form_that_is_too_large_is_refused(site: Site) -> None:
    fields = {**NEW, "token": token_of(site), "title": "x" * 1_100_000}
    answer = site.post("/segments/save", fields)
    assert (answer.status, "<code>form_too_large</code>" in answer.text) == (400, True)
    many = [("a", "")] * 20_001
    assert site.post("/segments/save", many).status == 400


def test_a_segment_is_saved_as_a_definition_and_a_mistake_is_told(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    saved = site.send("/new-segment", "/segments/save", NEW)
    assert (saved.status, saved.headers["location"]) == (303, "/segments/gold_people?saved=1")
    written = segments.written(stores.state)["gold_people"]
    assert (written.version, written.body) == (
        1,
        {"title": "Gold people", "rule": {"all": [{"trait": "plan", "is": "gold"}]}},
    )
    assert site.send("/new-segment", "/segments/save", NEW).status == 400
    again = {**NEW, "name": "gold_people", "exists": "yes"}
    assert site.send("/new-segment", "/segments/save", again).status == 303
    assert segments.written(stores.state)["gold_people"].version == 1
    silver = {**again, "rule-0-value": "silver"}
    assert site.send("/new-segment", "/segments/save", silver).status == 303
    assert segments.written(stores.state)["gold_people"].version == 2
    circle = {**again, "rule-0-form": "segment", "rule-0-name": "gold_people"}
    for fields, words in (
        (circle, "it is made of itself: gold_people &gt; gold_people"),
        ({**again, "rule-0-operator": "at_least"}, "&#39;gold&#39; cannot be ordered"),
        ({**again, "rule-0-name": '"\\u0000"'}, "U+0000"),
        ({**NEW, "name": "Gold!"}, "is no name of a segment"),
    ):
        answer = site.send("/new-segment", "/segments/save", fields)
        assert (answer.status, words in answer.text) == (400, True), words
    assert segments.written(stores.state)["gold_people"].version == 2


def test_a_button_of_the_builder_answers_with_its_part_or_the_whole_page(site: Site) -> None:
    fields = {**NEW, "token": token_of(site), "act": "add:rule:event"}
    part = site.post("/segments/edit", fields, headers={"X-Part": "1"})
    assert part.status == 200
    assert part.text.lstrip().startswith('<div class="build">')
    assert 'name="rule-1-event"' in part.text
    whole = site.post("/segments/edit", fields)
    assert part.text in whole.text
    assert "<h1>Gold people</h1>" in whole.text
    preview = site.post("/segments/preview", fields)
    assert "plan is &#34;gold&#34;." in preview.text
    assert 'id="count"' in preview.text


def test_an_identifier_is_cut_only_when_it_is_typed_and_can_be_put_back(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    shop.send(stores, shop.messages(3))
    before = profiles.identity(stores.state, "user_id", "u0001")
    address = f"/people/{before.profile_id}"
    other = next(each for each in before.identifiers if each.kind == "email")
    fields = {"kind": other.kind, "value": other.value, "reason": "shared", "confirm": "Cut"}
    refused = site.send(address, f"{address}/cut", fields)
    assert (refused.status, "<code>not_confirmed</code>" in refused.text) == (400, True)
    assert profiles.identity(stores.state, "user_id", "u0001") == before
    done = site.send(address, f"{address}/cut", {**fields, "confirm": "cut"})
    assert (done.status, done.headers["location"]) == (303, f"{address}#identity")
    after = profiles.identity(stores.state, "user_id", "u0001")
    assert len(after.identifiers) == len(before.identifiers) - 1
    page = site.get(address).text
    assert "by pages: shared." in page
    cut_id = re.search(r'name="cut_id" value="(\d+)"', page)
    assert cut_id is not None
    assert site.send(address, f"{address}/restore", {"cut_id": cut_id[1]}).status == 303
    assert profiles.identity(stores.state, "user_id", "u0001").identifiers == before.identifiers
    assert site.send(address, f"{address}/restore", {"cut_id": cut_id[1]}).status == 404


def test_a_person_is_exported_and_forgotten_only_when_typed_twice(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    shop.send(stores, shop.messages(3))
    person = {"kind": "user_id", "value": "u0001"}
    exported = site.send("/requests", "/requests/export", person)
    assert exported.headers["content-disposition"] == 'attachment; filename="person.json"'
    assert "ben.1@shop.example" in json.dumps(json.loads(exported.text))
    assert site.send("/requests", "/requests/export", {**person, "value": "x"}).status == 404
    refused = site.send("/requests", "/requests/erase", {**person, "confirm": "u0002"})
    assert (refused.status, "<code>not_confirmed</code>" in refused.text) == (400, True)
    assert privacy.requests(stores.state) == []
    asked = site.send(
        "/requests", "/requests/erase", {**person, "confirm": "u0001", "mode": "anonymise"}
    )
    (received,) = privacy.requests(stores.state)
    assert asked.headers["location"] == f"/requests/{received.request_id}"
    assert (received.mode, received.asked_by, received.state) == ("anonymise", "pages", "received")


def test_a_refusal_is_sent_again_from_its_page(
    site: Site, stores: Stores, shop: ModuleType
) -> None:
    shop.send(stores, shop.refused())
    ids = re.findall(r'name="id" value="([^"]+)"', site.get("/live/rejected").text)
    assert len(ids) == 2
    assert site.send("/live/rejected", "/live/rejected/replay", {}).status == 400
    done = site.send("/live/rejected", "/live/rejected/replay", {"id": ids[0]})
    assert (done.status, done.headers["location"]) == (303, "/live/rejected?sent=1&unusable=0")
    assert "waiting" in site.get("/live/rejected?sent=1").text


def test_what_a_plan_refused_is_accepted_from_now_on(
    site: Site, stores: Stores, shop: ModuleType, apply: Callable[..., None], tmp_path: Path
) -> None:
    plan = tmp_path / "project" / "tracking_plans" / "web.toml"
    plan.parent.mkdir(parents=True)
    plan.write_text(
        'sources = ["shop"]\nunplanned_events = "block"\nviolations = "block"\n[[events]]\n'
        'name = "Order Completed"\n[events.properties]\nrevenue = { type = "number" }\n'
    )
    apply({"offer": "Offer"})

    def told(key: str, event: str, revenue: object) -> dict[str, object]:
        properties = {"revenue": revenue}
        said = {"type": "track", "userId": "u", "event": event, "properties": properties}
        return {**said, "messageId": key, "timestamp": shop.NOW.isoformat()}

    shop.send(stores, [told("m1", "Cart Added", 1), told("m2", "Order Completed", "x")])
    page = site.get("/live/rejected").text
    buttons = re.findall(r'name="allows" value="([^"]+)"', page)
    assert sorted(buttons) == [
        "code=schema_violation&amp;source=shop&amp;event=Order+Completed",
        "code=unplanned&amp;source=shop&amp;event=Cart+Added",
    ]
    for version, button in enumerate(sorted(buttons, reverse=True), start=2):
        fields = {"allows": button.replace("&amp;", "&")}
        done = site.send("/live/rejected", "/live/rejected/allow", fields)
        assert done.status == 303
        assert f"tracking_plan/web version {version}" in site.get(done.headers["location"]).text
        again = site.send("/live/rejected", "/live/rejected/allow", fields)
        assert (again.status, "<code>nothing_to_allow</code>" in again.text) == (409, True)
    found = project.read(stores.state).tracking_plans["web"]
    assert (found.violations, sorted(name for _, name in found.events)) == (
        "accept",
        ["Cart Added", "Order Completed"],
    )
    shop.send(stores, [told("m3", "Cart Added", 1), told("m4", "Order Completed", "x")])
    assert stores.lake.read("events", ["message_id"]).num_rows == 2
    wrong = {"allows": "code=no_user_anon_id&source=shop&event=x"}
    assert site.send("/live/rejected", "/live/rejected/allow", wrong).status == 409
