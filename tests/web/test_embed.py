"""The page of a person in another tool's frame: signed, soon over, read-only."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
KEY = "a-key-of-the-desk-1234"
TakeIn = Callable[..., None]


@dataclass
class Desk:
    """A call-centre tool and the server that it asks; the clock is the test's."""

    address: str
    now: datetime

    def link(self, key: str | None = KEY, **asked: object) -> tuple[int, dict[str, Any]]:
        body = {"kind": "user_id", "value": "ana", **asked}
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        status, text, _ = self.open("/api/people/embed", json.dumps(body), headers)
        return status, json.loads(text)

    def open(
        self, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, str, str]:
        with closing(http.client.HTTPConnection(self.address, timeout=30)) as connection:
            connection.request("GET" if body is None else "POST", path, body, headers or {})
            answer = connection.getresponse()
            policy = answer.getheader("Content-Security-Policy") or ""
            return answer.status, answer.read().decode(), policy


@pytest.fixture
def desk(stores: Stores, serve: Callable[..., AbstractContextManager[Any]]) -> Iterator[Desk]:
    settings = replace(
        stores.settings, embed_key=KEY, embed_origins="https://desk.example https://two.example"
    )
    made = Desk(address="", now=NOW)
    with serve(replace(stores, settings=settings), clock=lambda: made.now) as site:
        made.address = site.address.removeprefix("http://")
        yield made


@pytest.fixture
def ana(take_in: TakeIn) -> None:
    moment = (NOW - timedelta(hours=3)).isoformat()
    traits = {"name": "<Ana>", "religion": "cat", "test_person": True}
    take_in(
        {
            "type": "identify",
            "userId": "ana",
            "messageId": "1",
            "timestamp": moment,
            "traits": traits,
        },
        {
            "type": "track",
            "event": "Order Completed",
            "userId": "ana",
            "messageId": "2",
            "timestamp": moment,
        },
    )


@pytest.mark.usefixtures("ana")
def test_the_page_shows_the_person_to_the_tools_that_may_frame_it(desk: Desk) -> None:
    status, made = desk.link(minutes=5)
    assert status == 200
    assert made["until"] == "2026-03-01T06:05:00Z"
    assert "ana" not in made["path"]
    desk.now += timedelta(minutes=5)
    status, page, policy = desk.open(made["path"])
    assert status == 200
    assert policy.endswith("frame-ancestors https://desk.example https://two.example")
    assert "&lt;Ana&gt;" in page
    assert "cat" not in re.findall(r"<td class=\"words\">([^<]*)</td>", page)
    assert "Order Completed" in page
    assert "Test person." in page
    assert "<script" not in page
    assert "<form" not in page


@pytest.mark.usefixtures("ana")
def test_a_link_that_is_over_or_changed_shows_nobody(desk: Desk) -> None:
    path = desk.link(minutes=1)[1]["path"]
    for wrong in (
        path[:-2] + ("AA" if path[-2:] != "AA" else "BB"),
        "/people/embed/x",
        path + "%20",
    ):
        status, page, _ = desk.open(wrong)
        assert status == 403
        assert "This link was not made here." in page
    desk.now += timedelta(seconds=61)
    status, page, _ = desk.open(path)
    assert (status, "Ana" in page) == (403, False)
    assert "This link is over." in page


@pytest.mark.usefixtures("ana")
@pytest.mark.parametrize("key", [None, "", "another-key-of-a-desk"])
def test_only_the_holder_of_the_key_makes_links(desk: Desk, key: str | None) -> None:
    status, said = desk.link(key)
    assert (status, said["code"]) == (403, "wrong_embed_key")


def test_without_a_key_nobody_makes_links(
    stores: Stores, serve: Callable[..., AbstractContextManager[Any]]
) -> None:
    with serve(stores, clock=lambda: NOW) as site:
        off = Desk(address=site.address.removeprefix("http://"), now=NOW)
        assert off.link("")[0] == 403
        assert off.open("/people/embed/AAAA")[0] == 403


def test_nobody_has_no_page(desk: Desk) -> None:
    status, said = desk.link(value="nobody")
    assert (status, said["code"]) == (404, "unknown_profile")
