"""Who gets in: the names a server answers under, links that work once, tokens, and their end."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import pytest

from opportune import sign_in
from opportune.errors import OpportuneError
from opportune.settings import Settings
from opportune.storage import Stores
from opportune.web import routes

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
NEEDED = "<code>sign_in_needed</code>"
ERASE = json.dumps({"kind": "user_id", "value": "ana", "mode": "erase", "by": "x"})


class Answer(Protocol):
    status: int
    headers: dict[str, str]
    text: str


class Site(Protocol):
    address: str
    cookies: dict[str, str]

    def get(self, path: str, *, method: str = "GET") -> Answer: ...
    def post(self, path: str, fields: dict[str, str]) -> Answer: ...
    def send(self, page: str, path: str, fields: dict[str, str]) -> Answer: ...


Serve = Callable[..., AbstractContextManager[Site]]


def ask(
    site: Site, path: str, *, host: str = "", method: str = "GET", body: str = "", **headers: str
) -> tuple[int, str]:
    """Ask with headers of one's own; the name of a header has _ for -."""
    connection = http.client.HTTPConnection(site.address.removeprefix("http://"), timeout=30)
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {**given, **({"Host": host} if host else {})})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text


@pytest.fixture
def open_site(stores: Stores, serve: Serve) -> Iterator[Site]:
    """A server that more than its own machine reaches."""
    reached = replace(stores.settings, host="0.0.0.0", hosts="shop.example.com")
    with serve(replace(stores, settings=reached), clock=lambda: NOW) as site:
        yield site


@pytest.mark.parametrize("path", ["/people", "/sign-in", "/live/rows", "/api/use-cases"])
def test_under_a_name_that_is_not_its_own_a_server_says_nothing(site: Site, path: str) -> None:
    port = site.address.rpartition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1.evil.example", "[::1", "x@y"):
        status, text = ask(site, path, host=host)
        assert (status, "unknown_host" in text) == (403, True)
        assert "OPPORTUNE_HOSTS" in text
    for host in ("127.0.0.1", "localhost:99", f"LOCALHOST.:{port}", "[::1]:8420"):
        assert ask(site, path, host=host)[0] in (200, 303)


def test_the_interface_takes_nothing_from_a_page_of_another_site(site: Site) -> None:
    path = "/api/privacy/requests"
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
    ):
        for kind in ("text/plain", "application/json"):
            answer = ask(site, path, method="POST", body=ERASE, Content_Type=kind, **headers)
            assert (answer[0], "cross_site_post" in answer[1]) == (403, True)
    assert json.loads(site.get("/api/privacy/requests").text)["requests"] == []
    assert "cross_site_post" not in ask(site, path, method="POST", body="{}")[1]


def test_nobody_sees_anything_without_signing_in(open_site: Site, stores: Stores) -> None:
    for route in routes(stores):
        path = getattr(route, "path", "").replace("{id}", "1").replace("{event:path}", "x")
        methods = getattr(route, "methods", None) or set()
        if path in ("/sign-in", "/favicon.ico", "/people/embed/{link}") or not methods:
            continue
        if "POST" in methods:
            page = open_site.post(path, {})
            assert (page.status, NEEDED in page.text) == (403, True), path
        elif path == "/live/rows":
            assert open_site.get(path).status == 403
        else:
            page = open_site.get(path)
            assert (page.status, page.headers["location"]) == (303, "/sign-in"), path
    for path in ("/api/use-cases", "/api/openapi.json", "/api/profiles/user_id/ana", "/api/x"):
        page = open_site.get(path)
        assert (page.status, json.loads(page.text)["code"]) == (401, "sign_in_needed")
        assert page.headers["www-authenticate"] == "Bearer"
    for path in ("/healthz", "/static/app.css"):
        assert open_site.get(path).status == 200
    assert 'aria-label="Main"' not in open_site.get("/sign-in").text


def test_a_link_signs_one_browser_in_once(open_site: Site, stores: Stores) -> None:
    link = sign_in.make(stores.state, "ana", "link", now=NOW)
    asks = open_site.get(f"/sign-in?link={link}")
    before = dict(open_site.cookies)
    assert (asks.status, "The link works once." in asks.text) == (200, True)
    entered = open_site.send(f"/sign-in?link={link}", "/sign-in", {"link": link})
    assert (entered.status, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert re.fullmatch(
        r"opportune_session=[0-9a-f]{64}; HttpOnly; Max-Age=2592000; Path=/; SameSite=lax", cookie
    )
    assert open_site.cookies != before
    home = open_site.get("/people")
    assert (home.status, '<span class="quiet">ana</span>' in home.text) == (200, True)
    assert open_site.get("/api/use-cases").status == 200
    kept = dict(open_site.cookies)
    open_site.cookies.clear()
    again = open_site.send("/sign-in?link=x", "/sign-in", {"link": link})
    assert (again.status, "<code>invalid_sign_in</code>" in again.text) == (403, True)
    assert open_site.get("/people").status == 303
    open_site.cookies.update(kept)
    out = open_site.send("/people", "/sign-out", {})
    assert (out.status, out.headers["location"]) == (303, "/sign-in")
    open_site.cookies.update(kept)
    assert open_site.get("/people").status == 303


def test_a_page_of_another_site_signs_nobody_in(open_site: Site, stores: Stores) -> None:
    link = sign_in.make(stores.state, "eve", "link", now=NOW)
    assert open_site.post("/sign-in", {"link": link}).status == 403
    assert [each.kind for each in sign_in.listed(stores.state, now=NOW)] == ["link"]


def test_a_token_lets_a_program_in_until_it_is_ended(open_site: Site, stores: Stores) -> None:
    token = sign_in.make(stores.state, "crm", "token", now=NOW)
    link = sign_in.make(stores.state, "crm", "link", now=NOW)
    for path in ("/api/use-cases", "/people"):
        assert ask(open_site, path, Authorization=f"Bearer {token}")[0] == 200
        for wrong in (f"Bearer {token}x", f"Basic {token}", "Bearer ", f"Bearer {link}"):
            assert ask(open_site, path, Authorization=wrong)[0] in (401, 303)
    assert sign_in.end(stores.state, "crm") == 2
    assert ask(open_site, "/api/use-cases", Authorization=f"Bearer {token}")[0] == 401
    with pytest.raises(sign_in.UnknownName):
        sign_in.end(stores.state, "crm")


def test_what_is_over_lets_nobody_in_and_is_let_go(stores: Stores) -> None:
    link = sign_in.make(stores.state, "ana", "link", now=NOW)
    with pytest.raises(sign_in.InvalidSignIn):
        sign_in.enter(stores.state, link, now=NOW + sign_in.LINK_FOR)
    session = sign_in.enter(stores.state, link, now=NOW)
    late = NOW + sign_in.SESSION_FOR
    assert sign_in.who(stores.state, session=session, authorization=None, now=NOW) == "ana"
    with pytest.raises(sign_in.SignInNeeded):
        sign_in.who(stores.state, session=session, authorization=None, now=late)
    # The digest of a session is no token, and the other way round.
    with pytest.raises(sign_in.SignInNeeded):
        sign_in.who(stores.state, session="", authorization=f"Bearer {session}", now=NOW)
    sign_in.make(stores.state, "ben", "token", now=late)
    assert stores.state.rows("select name from sign_in") == [{"name": "ben"}]
    for secret in (link, session):
        assert secret not in str(stores.state.rows("select * from sign_in"))


@pytest.mark.parametrize("name", ["", "Ana", "a b", "-a", "a" * 101, "a\n"])
def test_a_name_that_cannot_be_used_is_refused(stores: Stores, name: str) -> None:
    with pytest.raises(sign_in.InvalidName):
        sign_in.make(stores.state, name, "link", now=NOW)


def test_a_server_for_others_does_not_start_while_nobody_can_sign_in(stores: Stores) -> None:
    def refused(settings: Settings, now: datetime = NOW) -> bool:
        try:
            sign_in.check_ready(stores.state, settings, now=now)
        except OpportuneError as error:
            return error.code == "no_sign_in"
        return False

    own = [Settings(host=host) for host in ("127.0.0.1", "::1", "localhost")]
    others = [
        *(Settings(host=host) for host in ("0.0.0.0", "::", "", "10.0.0.7", "shop")),
        Settings(hosts="shop.example.com"),
        Settings(sign_in=True),
    ]
    assert [refused(each) for each in own] == [False] * 3
    assert [refused(each) for each in others] == [True] * 7
    sign_in.make(stores.state, "ana", "link", now=NOW)
    assert [refused(each) for each in others] == [False] * 7
    assert refused(others[0], NOW + timedelta(hours=2))


def test_a_link_to_one_person_needs_its_own_key_and_nothing_else(
    stores: Stores, serve: Serve
) -> None:
    key = "k" * 16
    reached = replace(stores.settings, host="0.0.0.0", embed_key=key)
    with serve(replace(stores, settings=reached), clock=lambda: NOW) as site:
        body = json.dumps({"kind": "user_id", "value": "nobody", "minutes": 5})
        for given, code in ((key, "unknown_profile"), ("x", "wrong_embed_key")):
            answer = ask(
                *(site, "/api/people/embed"),
                method="POST",
                body=body,
                Content_Type="application/json",
                Authorization=f"Bearer {given}",
            )
            assert json.loads(answer[1])["code"] == code
        assert "invalid_link" in site.get("/people/embed/nothing").text
