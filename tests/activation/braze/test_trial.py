"""Test sends: made profiles are removed, whatever happens in between, and nothing counts them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from braze_sandbox import Sandbox
from opportune.activation import Answer, Request
from opportune.activation.braze import (
    STAYS_FOR,
    BrazeUnavailable,
    Content,
    InvalidTestAddress,
    Trial,
    Workspace,
    contents,
    remove_test_profiles,
    send_trial,
    show,
)
from opportune.activation.connectors import connector
from opportune.sandbox import CAMPAIGN_ID
from opportune.sandbox.catalogue import CANVAS_ID
from opportune.storage import Frame, Stores

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOW + STAYS_FOR
MADE = "opportune-test-7"
HOST = "http://127.0.0.1"


def trial(**changes: Any) -> Trial:
    given: dict[str, Any] = {
        "use_case": "next",
        "config": {"base_url": HOST, "campaign_id": CAMPAIGN_ID},
        "properties": {"offer": "fibre", "channel": "email"},
        "to": "tester@example.com",
        "number": "7",
        "by": "ann",
    }
    return Trial(**(given | changes))


def noted(stores: Stores) -> list[str]:
    rows = stores.state.rows("select external_id from braze_test_profile order by 1")
    return [row["external_id"] for row in rows]


def remove(stores: Stores, workspace: Workspace, now: datetime = LATER) -> int:
    @contextmanager
    def reach(base_url: str) -> Iterator[Workspace]:
        assert base_url == HOST
        yield workspace

    return remove_test_profiles(stores.state, reach, now=now)


def exported(sandbox: Sandbox) -> list[dict[str, Any]]:
    asked = {"external_ids": [MADE], "fields_to_export": ["external_id", "email"]}
    found: list[dict[str, Any]] = sandbox.post("/users/export/ids", asked)["users"]
    return found


@pytest.mark.parametrize(
    "config", [{"campaign_id": CAMPAIGN_ID}, {"canvas_id": CANVAS_ID}], ids=["campaign", "canvas"]
)
def test_a_test_send_goes_to_a_profile_that_is_removed_afterwards(
    sandbox: Sandbox, stores: Stores, config: dict[str, str]
) -> None:
    workspace = sandbox.workspace()
    mine = trial(config={"base_url": HOST, **config})
    tried = send_trial(stores.state, workspace, mine, now=NOW)
    assert (tried.accepted, tried.external_id, tried.removed_from) == (True, MADE, LATER)
    assert exported(sandbox) == [{"external_id": MADE, "email": "tester@example.com"}]
    assert sandbox.get("/_sandbox/sends")["sends"] == 1
    assert stores.state.rows("select key from outbox") == []
    assert remove(stores, workspace, LATER - timedelta(seconds=1)) == 0
    assert noted(stores) == [MADE]
    assert remove(stores, workspace) == 1
    assert noted(stores) == []
    assert exported(sandbox) == []
    assert remove(stores, workspace) == 0


MESSAGES = """
recipient_subscription_state = "all"
[email]
app_id = "shop"
from = "Shop <hello@shop.example>"
subject = "{{api_trigger_properties.${offer}}}"
body = "Hello"
"""


def test_a_message_of_ours_is_tried_the_same_way(sandbox: Sandbox, stores: Stores) -> None:
    workspace = sandbox.workspace()
    mine = trial(config={"base_url": HOST, "messages": MESSAGES})
    assert send_trial(stores.state, workspace, mine, now=NOW).accepted
    (call,) = [path for path in sandbox.asked if path == "/messages/send"]
    assert sandbox.get("/_sandbox/sends")["sends"] == 1
    assert call
    assert remove(stores, workspace) == 1


def test_what_was_killed_on_its_way_is_removed_later(sandbox: Sandbox, stores: Stores) -> None:
    silent = Answer(status=None, headers={}, body=b"reset", processed=None)

    def dies_at_the_send(request: Request) -> Answer:
        return silent if "trigger" in request.path else sandbox.call(request)

    with pytest.raises(BrazeUnavailable, match="may have had the call"):
        send_trial(stores.state, sandbox.workspace(dies_at_the_send), trial(), now=NOW)
    assert len(exported(sandbox)) == 1
    with pytest.raises(BrazeUnavailable):
        remove(stores, sandbox.workspace(lambda _: silent, tries=1))
    assert noted(stores) == [MADE]
    assert remove(stores, sandbox.workspace()) == 1
    assert (noted(stores), exported(sandbox)) == ([], [])


def test_only_an_address_is_taken_and_it_is_shown_nowhere(sandbox: Sandbox, stores: Stores) -> None:
    for to in ("c000001", "two@signs@example.com", "0170123456", ""):
        with pytest.raises(InvalidTestAddress) as refused:
            send_trial(stores.state, sandbox.workspace(), trial(to=to), now=NOW)
        assert not to or to not in str(refused.value)
    assert (noted(stores), sandbox.asked) == ([], [])
    by_phone = trial(to="+491701234567", properties={"offer": "sim", "channel": "sms"})
    assert send_trial(stores.state, sandbox.workspace(), by_phone, now=NOW).accepted


def test_what_temporary_profiles_do_is_neither_event_nor_reject() -> None:
    def event(user_id: str) -> dict[str, Any]:
        return {
            "event_type": "users.messages.email.Click",
            "id": f"1{user_id}",
            "time": 1_767_268_800,
            "user": {"external_user_id": user_id},
            "properties": {},
        }

    body = json.dumps({"events": [event(MADE), event("c1"), {**event(MADE), "time": None}]})
    frame = Frame(received_at_us=0, source_id="braze", kind="currents", body=body.encode())
    found = connector("braze").decode(frame)
    assert ([each.user_id for each in found.events], found.rejects) == (["c1"], [])


def test_any_combination_is_shown_as_the_campaign_or_canvas_would_say_it(
    sandbox: Sandbox,
) -> None:
    for config in ({"campaign_id": CAMPAIGN_ID}, {"canvas_id": CANVAS_ID}):
        found = contents(sandbox.workspace(), config)
        said = show(found, {"offer": "fibre", "channel": "email"})
        assert said
        assert any("fibre" in text for each in said for text in each.content.texts)
        assert not any("${" in text for each in said for text in each.content.texts)


def test_what_only_braze_can_fill_is_shown_as_it_stands() -> None:
    text = "{% connected_content https://example.com %} {{context.${offer}}}"
    (found,) = show([Content(channel="email", body=text)], {"offer": "fibre"})
    assert found.content.body == text
    assert found.problem.startswith("This cannot be filled here:")
    old = Content(channel="email", body="{{canvas_entry_properties.${offer}}}")
    assert show([old], {"offer": "fibre"})[0].content.body == "fibre"
