"""The list of use cases, and the page that starts and pauses one."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from types import ModuleType
from typing import Any

import pytest

from opportune import decisions
from opportune.storage import Stores

STATE = "/use-cases/next_offer/state"


def plain(page: str) -> str:
    return " ".join(re.sub("<[^>]*>", " ", page).split())


def test_the_list_says_of_each_what_a_marketer_asks_first(
    site: Any, apply: Callable[..., None], stores: Stores, history: ModuleType
) -> None:
    apply({"next_offer": "Next offer", "win_back": "Win back"})
    history.write(stores, history.past())
    site.send("/use-cases/win_back/state", "/use-cases/win_back/state", {"to": "shadow"})
    page = site.get("/use-cases").text
    said = plain(page)
    assert "1 live, 1 shadow. Each is measured against its own control group." in said
    assert "between +68.0 % and +151.6 %" in said
    assert re.search(r"Goal orders, orders in 3 days Audience everybody : [\d,]+ people", said)
    assert "Control 20.0 % get nothing" in said
    # One point: the other has no interval yet.
    assert page.count('<circle class="point"') == 1
    assert "Next offer: +10" in page
    assert "Last decided never sent" in said


@pytest.fixture
def told(apply: Callable[..., None], stores: Stores, history: ModuleType) -> None:
    apply({"next_offer": "Next offer"})
    history.write(stores, history.past(profiles=50))


@pytest.mark.usefixtures("told")
def test_buttons_change_the_state_and_the_page_says_who(site: Any, stores: Stores) -> None:
    page = plain(site.get(STATE).text)
    assert "It is live: it decides every day, and sends." in page
    assert "Nobody did: what is applied is live." in page
    assert "Start, and send" not in page
    for to, says in (
        ("shadow", "It is in shadow: it decides every day, and nothing is sent."),
        ("paused", "It is paused: it decides nothing"),
        ("live", "It is live"),
    ):
        assert site.send(STATE, STATE, {"to": to}).status == 303
        assert says in plain(site.get(STATE).text)
    told = [
        (each.state, each.changed_by)
        for each in decisions.state_changes(stores.state, "next_offer")
    ]
    assert told == [("live", "pages"), ("paused", "pages"), ("shadow", "pages")]
    assert site.send(STATE, STATE, {"to": "gone"}).status == 400
    assert site.post(STATE, {"to": "paused"}).status == 403
    assert len(decisions.state_changes(stores.state, "next_offer")) == 3


@pytest.mark.usefixtures("told")
def test_who_starts_is_told_how_many_people_and_whom(
    site: Any, stores: Stores, history: ModuleType
) -> None:
    stores.state.rows(
        "with made as (insert into profile (profile_id, first_seen_at, last_seen_at)"
        " select number, %(now)s, %(now)s from generate_series(1, 4) as number"
        " returning profile_id)"
        " insert into segment_membership select 'everybody', profile_id, %(now)s from made",
        {"now": history.NOW},
    )
    site.send(STATE, STATE, {"to": "paused"})
    page = site.get(STATE).text
    assert "Start, and send to up to 4 people" in page
    assert len(re.findall(r'<a href="/people/-?\d+">', page)) == 3


@pytest.mark.usefixtures("told")
def test_a_stopped_one_goes_on_from_the_page(
    site: Any, stores: Stores, history: ModuleType
) -> None:
    stores.state.rows(
        "insert into use_case_stop (use_case, day, stopped_at, reason)"
        " values ('next_offer', %(day)s, %(at)s, 'leaving is 0.3.')",
        {"day": date(2026, 1, 9), "at": history.NOW},
    )
    assert "stopped" in plain(site.get("/use-cases").text)
    assert "leaving is 0.3. Nothing is decided since 2026-01-09." in plain(site.get(STATE).text)
    assert site.send(STATE, STATE, {"to": "resume"}).status == 303
    assert decisions.stopped(stores.state, "next_offer") is None
    assert site.send(STATE, STATE, {"to": "resume"}).status == 409
