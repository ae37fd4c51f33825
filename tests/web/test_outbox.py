"""Channels and outbox: how what leaves is doing, and what somebody decides about a send."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from opportune.storage import Stores

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
