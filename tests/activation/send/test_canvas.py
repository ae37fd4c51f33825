"""A use case may send through a canvas: a way of its own for calls, answers and receipts."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from opportune.activation import Answer, Channel, Send
from opportune.activation.connectors.braze import CONNECTOR, check_config
from opportune.sandbox import CANVAS_ID

SEND = Send(key="k1", decision_id="d1", user_id="c1", properties={"offer": "tv"})
CONFIG = {"canvas_id": CANVAS_ID, "base_url": "https://b.example"}


@pytest.fixture
def canvas(sender: Any) -> Channel:
    used: Channel = replace(sender.channel, config={"canvas_id": CANVAS_ID})
    return used


def test_a_canvas_is_triggered_with_a_context_of_each_recipient() -> None:
    assert check_config(CONFIG) == []
    (request,) = CONNECTOR.requests([SEND], CONFIG)
    assert request.path == "/canvas/trigger/send"
    assert json.loads(request.body) == {
        "canvas_id": CANVAS_ID,
        "recipients": [
            {"external_user_id": "c1", "context": {"offer": "tv", "decision_id": "d1"}},
        ],
    }


def test_one_way_is_chosen() -> None:
    both = {**CONFIG, "campaign_id": CANVAS_ID}
    assert check_config(both) == ["campaign_id and canvas_id are both given: take one of them."]
    (wrong,) = check_config({**CONFIG, "canvas_id": "welcome"})
    assert wrong.startswith("canvas_id is 'welcome', but must be the canvas's API identifier")


def test_a_notice_is_a_failure() -> None:
    (request,) = CONNECTOR.requests([SEND], CONFIG)
    said = {"message": "success", "dispatch_id": "d", "notice": "The Canvas is paused."}
    body = json.dumps(said).encode()
    answer = Answer(status=201, headers={}, body=body, processed=True)
    (found,) = CONNECTOR.deliveries(request, answer)
    assert (found.outcome, found.reason) == (
        "failed",
        "Braze took the call and sends nothing: The Canvas is paused.",
    )


@pytest.mark.parametrize(
    ("entered", "outcome"),
    [("2026-03-01T09:00:00Z", "sent"), ("2026-02-28T09:00:00Z", "retry"), (None, "unknown")],
)
def test_who_entered_since_has_it(entered: str | None, outcome: str) -> None:
    (request,) = CONNECTOR.enquiries([SEND], CONFIG)
    assert json.loads(request.body)["fields_to_export"] == ["external_id", "canvases_received"]
    row = {"api_canvas_id": CANVAS_ID.upper(), "last_entered": entered}
    body = json.dumps({"users": [{"external_id": "c1", "canvases_received": [row]}]}).encode()
    answer = Answer(status=201, headers={}, body=body, processed=True)
    since = datetime(2026, 3, 1, 9, tzinfo=UTC)
    (found,) = CONNECTOR.findings(request, answer, since=since, config=CONFIG)
    assert found.outcome == outcome


@pytest.mark.parametrize(("fault", "found"), [("timeout_after", "sent"), ("reset_before", "retry")])
def test_whatever_happens_everybody_enters_once(
    sender: Any, sandbox: Any, canvas: Channel, fault: str, found: str
) -> None:
    sender.fill(20)
    sandbox.faults(fault)
    assert sender.send(canvas) == Counter(unknown=20)
    assert sender.ask(canvas) == Counter({found: 20})
    sender.expire()
    sender.send(canvas)
    assert sandbox.sends() == (20, 20, 1)
