"""Requests to be forgotten and exports over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
Ask = Callable[..., tuple[int, Any]]
ASKED = {"kind": "email", "value": "Ana@mail.example", "by": "Ben of support"}


def test_a_request_is_received_listed_and_shown(ask: Ask) -> None:
    status, received = ask("/api/privacy/requests", ASKED)
    assert status == 202
    assert (received["state"], received["mode"]) == ("received", "erase")
    assert received["asked_by"] == "Ben of support"
    assert received["proof"] is None
    assert "mail.example" not in json.dumps(received)
    assert ask("/api/privacy/requests", ASKED) == (202, received)
    assert ask("/api/privacy/requests") == (200, {"requests": [received]})
    assert ask(f"/api/privacy/requests/{received['request_id']}") == (200, received)
    _, metrics = ask("/metrics")
    assert 'opportune_privacy_requests{state="received"} 1' in metrics
    assert "opportune_profiles_expired_total{} 0" in metrics


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({**ASKED, "value": "null"}, 400, "not_forgettable"),
        ({**ASKED, "mode": "hide"}, 400, "invalid_input"),
        ({**ASKED, "value": ""}, 400, "invalid_input"),
        ({"kind": "email"}, 400, "invalid_input"),
    ],
)
def test_what_cannot_be_received_says_why(
    ask: Ask, said: dict[str, str], status: int, code: str
) -> None:
    told, answer = ask("/api/privacy/requests", said)
    assert (told, answer["code"]) == (status, code)
    assert ask("/api/privacy/requests") == (200, {"requests": []})


def test_what_is_not_there_is_said_so(ask: Ask) -> None:
    told, answer = ask("/api/privacy/requests/none")
    assert (told, answer["code"]) == (404, "unknown_privacy_request")
    question = {"kind": "user_id", "value": "c1"}
    told, answer = ask("/api/privacy/export", question)
    assert (told, answer["code"]) == (404, "unknown_person")


def test_an_export_is_one_document(ask: Ask, stores: Stores) -> None:
    stores.state.rows(
        "insert into profile (profile_id, traits, first_seen_at, last_seen_at)"
        " values (identity_hash('user_id', 'c1'), '{\"plan\": \"pro\"}', %(now)s, %(now)s)",
        {"now": NOW},
    )
    stores.state.rows(
        "insert into identifier (kind, value, profile_id, linked_at)"
        " values ('user_id', 'c1', identity_hash('user_id', 'c1'), %(now)s)",
        {"now": NOW},
    )
    status, told = ask("/api/privacy/export", {"kind": "user_id", "value": "c1"})
    assert status == 200
    assert told["format"] == "opportune-person/1"
    assert told["identifiers"] == [{"kind": "user_id", "value": "c1"}]
    assert told["state"]["profile"][0]["traits"] == {"plan": "pro"}
    assert isinstance(told["state"]["profile"][0]["profile_id"], str)
    assert told["events"] == []
