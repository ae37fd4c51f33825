"""A profile over HTTP: all of it, what happened, what is allowed, and whose account it is."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from opportune import project
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 6, tzinfo=UTC)
TakeIn = Callable[..., None]
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ana(stores: Stores, take_in: TakeIn, tmp_path: Path) -> None:
    folder = tmp_path / "asking"
    shutil.copytree(Path(__file__).parents[2] / "examples" / "shop", folder)
    (folder / "consent.toml").write_text('[purposes.marketing]\nunknown = "no"\n')
    project.apply(stores.state, folder, now=NOW)
    said = {"userId": "ana/1", "timestamp": (NOW - timedelta(hours=1)).isoformat()}
    take_in(
        {"type": "identify", "messageId": "i", "traits": {"email": "ana@shop.example"}, **said},
        {"type": "group", "messageId": "g", "groupId": "acme", "traits": {"size": 7}, **said},
        *({"type": "page", "messageId": f"p{n}", **said} for n in range(5)),
    )


@pytest.mark.usefixtures("ana")
def test_one_call_says_all_that_is_known(ask: Ask, stores: Stores) -> None:
    status, found = ask("/api/profiles/email/ana@shop.example")
    assert status == 200
    assert [each["kind"] for each in found["identifiers"]] == ["email", "user_id"]
    assert found["traits"] == {"email": "ana@shop.example"}
    fact = found["facts"][0]
    assert (fact["source"], fact["message_id"], fact["said_at"]) == (
        "shop",
        "i",
        "2026-03-01T05:00:00Z",
    )
    age = datetime.fromisoformat(found["as_of"]) - datetime.fromisoformat(fact["said_at"])
    assert (fact["field_class"], fact["age_s"]) == ("personal", age.total_seconds())
    assert found["accounts"] == [{"account_id": "acme", "joined_at": "2026-03-01T05:00:00Z"}]
    assert found["computed"] == {"traits": {}, "as_of": None}
    assert (found["test_person"], found["messages"], found["segments"]) == (False, [], [])
    assert found["time_zone"] == {"name": "UTC", "known_from": "missing"}
    _, metrics = ask("/metrics")
    assert 'opportune_time_zone_default_total{reason="missing"} 1\n' in metrics
    assert ask("/api/accounts/acme")[1]["traits"] == {"size": 7}
    assert ask("/api/accounts/acm")[0] == 404


@pytest.mark.usefixtures("ana")
def test_the_timeline_goes_on_where_a_page_ended(ask: Ask) -> None:
    address = f"/api/profiles/user_id/{quote('ana/1')}/timeline?limit=4"
    _, first = ask(address)
    _, second = ask(f"{address}&before={quote(first['before'])}")
    assert [each["id"] for each in first["entries"] + second["entries"]] == [
        *("p4", "p3", "p2", "p1"),
        *("p0", "i", "g"),
    ]
    assert second["before"] is None
    assert ask(f"{address}&before=x")[1]["code"] == "invalid_cursor"


@pytest.mark.usefixtures("ana")
def test_consent_is_stated_and_seen_at_once(ask: Ask) -> None:
    said = {"purpose": "marketing", "channel": "email", "granted": True, "by": "desk"}
    address = "/api/profiles/user_id/ana/1"
    assert ask(f"{address}/consent", {**said, "evidence": "form 7"}) == (200, {"ended": 0})
    consent = {each["channel"]: each for each in ask(address)[1]["consent"]}
    assert (consent["*"]["allowed"], consent["*"]["state"]) == (False, "unknown")
    assert (consent["email"]["allowed"], consent["email"]["state"]) == (True, "granted")
    assert consent["email"]["evidence"]["evidence"] == "form 7"
    wrong = {**said, "purpose": "marketting", "evidence": "form 7"}
    status, answer = ask(f"{address}/consent", wrong)
    assert (status, answer["code"]) == (400, "consent_not_possible")
    status, answer = ask("/api/profiles/email/nobody@x/consent", {**said, "evidence": "form 7"})
    assert (status, answer["code"]) == (404, "unknown_profile")
