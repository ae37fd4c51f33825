"""Channels and outbox: how what leaves is doing, and what somebody decides about a send."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import date, timedelta
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Browser

from chromium import PATIENCE_MS, chromium
from opportune.activation import DayOutcomes, outcomes_by_day
from opportune.storage import Stores
from opportune.web import outbox_charts

PAGE = "/outbox"


def plain(page: str) -> str:
    return " ".join(re.sub("<[^>]*>", " ", page).split())


@pytest.fixture
def outbox(apply: Callable[..., None], stores: Stores) -> None:
    """Of one use case one row in each state, and what its receiver said of its limit."""
    apply({"next_offer": "Next offer"})
    for number, state in enumerate(("pending", "reserved", "unknown", "sent", "failed")):
        stores.state.rows(
            "insert into outbox (key, use_case, day, connector, profile_id, user_id, properties,"
            " due_at, state, reason, attempts, attempted_at) values (%(key)s, 'next_offer',"
            " '2026-03-01', 'braze', 1, %(user)s, '{}', '2000-01-01', %(state)s, %(reason)s, 1,"
            " '2026-03-01')",
            {"key": f"k{number}", "user": f"u<{number}>", "state": state, "reason": f"why {state}"},
        )
    stores.state.rows(
        "insert into rate_window values ('send:braze', 250000, 12345, '2100-01-01', now())"
    )


@pytest.mark.usefixtures("outbox")
def test_the_page_says_what_waits_and_a_button_decides(site: Any, stores: Stores) -> None:
    page = site.get(PAGE).text
    said = plain(page)
    assert "1 send has no answer: nobody is sent the same twice" in said
    assert "Next offer braze" in said
    assert "12,345 250,000" in said
    stores.state.rows(
        "update outbox set state = 'scheduled', recall = '', held_until = '2100-01-01'"
        " where state = 'pending'"
    )
    held = plain(site.get(PAGE).text)
    assert "1 waits at Braze until the time of each." in held
    assert "1 (1 to come back)" in held
    assert "u&lt;2&gt;" in page
    for state, count in (("unknown", 1), ("failed", 1)):
        listed = site.get(f"{PAGE}?use_case=next_offer&state={state}").text
        assert f'state={state}#sends">{count}</a>' in page
        assert listed.count('<form method="post" action="/outbox/resolve"') == count
    sent = site.send(PAGE, "/outbox/resolve", {"key": "k2", "choice": "went_out"})
    assert sent.status == 303
    (row,) = stores.state.rows("select choice, chosen_by from outbox where key = 'k2'")
    assert (row["choice"], row["chosen_by"]) == ("went_out", "pages")
    assert "It went out: pages" in plain(site.get(PAGE).text)
    assert site.send(PAGE, "/outbox/resolve", {"key": "k3", "choice": "went_out"}).status == 404


@pytest.mark.usefixtures("outbox")
def test_what_is_late_or_failed_is_said_when_nothing_is_ambiguous(
    site: Any, stores: Stores
) -> None:
    stores.state.rows("delete from outbox where state = 'unknown'")
    assert "What is due is late by" in plain(site.get(PAGE).text)
    stores.state.rows("delete from outbox where state = 'pending'")
    assert "Everything that is due went out; 1 send has failed." in plain(site.get(PAGE).text)
    stores.state.rows("delete from outbox")
    assert "nothing has failed" in plain(site.get(PAGE).text)


@pytest.mark.usefixtures("outbox")
def test_outcomes_are_counted_by_day(site: Any, stores: Stores) -> None:
    day = date(2026, 3, 1)
    found = outcomes_by_day(stores.state, ["next_offer"], first=day)
    assert found == [DayOutcomes(day=day, sent=1, failed=1, ambiguous=1, waiting=2)]
    assert outcomes_by_day(stores.state, ["next_offer"], first=day + timedelta(days=1)) == []
    assert outcomes_by_day(stores.state, ["other"], first=day) == []
    drawn = outbox_charts.outcomes(found, chart="c")
    assert "sent 1, failed 1, ambiguous 1, waiting 2" in drawn
    # As high as what it counts, from below: two that wait are a bar of twice the height.
    heights = re.findall(r'height="([0-9.]+)" fill="url\(#c-\d\)"', drawn)
    assert [float(each) for each in heights] == pytest.approx([33.3, 33.3, 33.3, 66.7], abs=0.1)
    assert "2026-03-01 1 1 1 2" in plain(site.get(PAGE).text)


@pytest.mark.usefixtures("outbox")
def test_what_braze_says_is_asked_for_when_somebody_wants_it(
    stores: Stores,
    sandbox: Any,
    api_key: str,
    serve: Callable[..., AbstractContextManager[Any]],
    history: ModuleType,
) -> None:
    with serve(stores, clock=lambda: history.NOW) as site:
        assert "look-answer" not in site.get(PAGE).text
        assert "look-answer" not in site.get(f"{PAGE}?look=nothing").text
        assert "OPPORTUNE_BRAZE_API_KEY" in plain(site.get(f"{PAGE}?look=next_offer").text)
    moved = "update definition set body = replace(body::text, '127.0.0.1:8421', %(host)s)::json"
    stores.state.rows(moved, {"host": f"127.0.0.1:{sandbox.port}"})
    keyed = replace(stores, settings=replace(stores.settings, braze_api_key=api_key))
    with serve(keyed, clock=lambda: history.NOW) as site:
        said = plain(site.get(f"{PAGE}?look=next_offer").text)
        assert "All is well in Braze." in said
        assert "Braze accepted 0 messages and counts 0 as sent (the same)." in said
        (campaign,) = sandbox.ask("GET", "campaigns")["campaigns"][:1]
        sandbox.ask("POST", "campaigns", {**campaign, "archived": True})
        said = plain(site.get(f"{PAGE}?look=next_offer").text)
        assert "1 thing keeps it from working." in said
        assert "must The campaign" in said


@pytest.fixture
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.mark.usefixtures("outbox")
def test_a_send_is_decided_by_keyboard_in_a_browser(
    browser: Browser, site: Any, stores: Stores
) -> None:
    page = browser.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{site.address}{PAGE}?state=unknown#sends")
    page.get_by_role("button", name="It went out: u<2>").focus()
    page.keyboard.press("Enter")
    page.get_by_text("It went out: pages").wait_for()
    (row,) = stores.state.rows("select choice from outbox where key = 'k2'")
    assert (row["choice"], complaints) == ("went_out", [])
