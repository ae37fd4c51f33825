"""A day's sends have an id of their own, made once, and only where something is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from braze_sandbox import Sandbox, sandbox_config
from opportune.activation import Answer, Request, braze
from opportune.activation.braze.send_ids import name_of
from opportune.sandbox import CAMPAIGN_ID, create_app
from opportune.storage import Stores

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
DAY = NOW.date()
MADE = "opportune-win_back-20260301"
PATH = "/sends/id/create"


def due(stores: Stores, day: date = DAY) -> None:
    stores.state.rows(
        "insert into outbox"
        " (key, use_case, day, connector, profile_id, user_id, properties, due_at)"
        " values (%(key)s, 'win_back', %(day)s, 'braze', 1, 'c1', '{}', %(day)s)",
        {"key": f"win_back:{day}", "day": day},
    )


def test_an_id_is_made_once_a_day_and_only_when_something_is_due(
    sandbox: Sandbox, stores: Stores
) -> None:
    workspace = sandbox.workspace()

    def asked(now: datetime = NOW) -> str:
        return braze.send_id(stores.state, workspace, "win_back", CAMPAIGN_ID, now=now)

    assert (asked(), sandbox.asked) == ("", [])
    due(stores)
    assert (asked(), asked(), sandbox.asked) == (MADE, MADE, [PATH])
    # Also when nothing waits any more.
    stores.state.rows("update outbox set state = 'sent'")
    assert asked() == MADE
    next_day = datetime(2026, 3, 2, 9, tzinfo=UTC)
    assert asked(next_day) == ""
    due(stores, next_day.date())
    assert asked(next_day) == "opportune-win_back-20260302"
    found = braze.send_ids(stores.state, "win_back", CAMPAIGN_ID, since=DAY)
    assert found == {DAY: MADE, next_day.date(): "opportune-win_back-20260302"}
    assert braze.send_ids(stores.state, "win_back", CAMPAIGN_ID, since=date(2026, 3, 3)) == {}


def test_a_key_that_may_not_make_ids_is_asked_once_a_day(stores: Stores) -> None:
    config = sandbox_config(restricted_keys={"half-a-key": ["campaigns.trigger.send"]})
    sandbox = Sandbox(app=create_app(config), key="half-a-key")
    due(stores)
    for _ in range(2):
        found = braze.send_id(stores.state, sandbox.workspace(), "win_back", CAMPAIGN_ID, now=NOW)
        assert found == ""
    assert sandbox.asked == [PATH]
    assert braze.send_ids(stores.state, "win_back", CAMPAIGN_ID, since=DAY) == {}
    sandbox.close()


def test_what_braze_did_not_answer_is_asked_again_by_the_same_name(
    sandbox: Sandbox, stores: Stores
) -> None:
    due(stores)
    bodies = []

    def silent(request: Request) -> Answer:
        bodies.append(request.body)
        return Answer(status=None, headers={}, body=b"reset", processed=None)

    away = sandbox.workspace(silent, tries=1)
    for _ in range(2):
        with pytest.raises(braze.BrazeUnavailable):
            braze.send_id(stores.state, away, "win_back", CAMPAIGN_ID, now=NOW)
    assert len(bodies) == 2
    assert len(set(bodies)) == 1
    found = braze.send_id(stores.state, sandbox.workspace(), "win_back", CAMPAIGN_ID, now=NOW)
    assert found == MADE


def test_a_name_is_never_too_long_and_tells_use_cases_apart() -> None:
    one, other = (name_of("n" * 62 + end, DAY) for end in ("a", "b"))
    assert one != other
    assert len(one) <= 64
    assert one.endswith("-20260301")
