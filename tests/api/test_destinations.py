"""Destinations over HTTP: how they are doing, what was given up, and sending that again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from opportune.storage import Stores

Ask = Callable[..., tuple[int, Any]]


pytestmark = pytest.mark.usefixtures("dead_letters")


@pytest.fixture
def dead_letters(stores: Stores) -> None:
    """A destination with two dead letters."""
    body = {"title": "CRM", "connector": "file", "events": ["Order"]}
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('destination', 'crm', 1, %(body)s, now())",
        {"body": json.dumps(body)},
    )
    stores.state.rows(
        "insert into outbox (key, use_case, day, connector, profile_id, user_id, properties,"
        " message, due_at, state, reason) select 'destination/crm:m' || n, 'destination/crm',"
        " '2026-03-01', 'file', 1, 'u', '{}', json_build_object('type', 'track', 'event', 'Order',"
        " 'messageId', 'm' || n)::text, '2026-03-01', 'failed', 'It said no.'"
        " from generate_series(1, 2) as n"
    )


def test_dead_letters_are_shown_and_sent_again(ask: Ask) -> None:
    status, answer = ask("/api/destinations")
    assert (status, [each["name"] for each in answer["destinations"]]) == (200, ["crm"])
    status, one = ask("/api/destinations/crm")
    assert (status, one) == (200, answer["destinations"][0])
    assert (one["dead"], one["waiting"], one["connector"]) == (2, 0, "file")
    status, page = ask("/api/destinations/crm/dead-letters?limit=1")
    assert (status, [each["message_id"] for each in page["dead_letters"]]) == (200, ["m1"])
    _, rest = ask(f"/api/destinations/crm/dead-letters?after={page['next_after']}&limit=2")
    assert [each["message_id"] for each in rest["dead_letters"]] == ["m2"]
    assert rest["next_after"] is None
    assert ask("/api/destinations/crm/retry", {"message_ids": ["m2"]}) == (200, {"count": 1})
    assert ask("/api/destinations/crm/retry", {}) == (200, {"count": 1})
    assert ask("/api/destinations/crm")[1]["waiting"] == 2


def test_the_metrics_tell_each_destination_s_dead_letters(ask: Ask) -> None:
    _, text = ask("/metrics")
    assert 'opportune_destination{destination="crm",state="failed"} 2\n' in text


def test_what_is_not_there_is_told(ask: Ask) -> None:
    assert ask("/api/destinations/nobody")[0] == 404
    status, answer = ask("/api/destinations/crm/retry", {"message_ids": ["m9"]})
    assert (status, answer["code"]) == (404, "unknown_dead_letter")
    assert ask("/api/destinations/crm/retry", {"message_ids": []})[0] == 400
