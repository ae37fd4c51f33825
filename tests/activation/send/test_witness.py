"""Engagement, or somebody who decides, settles a send whose answer never came; nobody is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from opportune.activation import (
    Answer,
    InvalidChoice,
    Request,
    UnknownSend,
    choose,
    follow_held,
    hand_over_ahead,
    open_sends,
    witness,
)
from opportune.activation.connectors.braze import decode_currents
from opportune.activation.resolve import resolved
from opportune.sandbox import CAMPAIGN_ID
from opportune.storage import Frame

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
KEY = "win_back:20260301:00000"
Tell = Callable[..., int]


@pytest.fixture
def tell(sender: Any) -> Tell:
    """Post one event of Braze Currents about c000001, as ingest takes it in."""
    sender.stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('use_case', 'win_back', 1, %(body)s::jsonb, now())",
        {"body": json.dumps({"activation": {"campaign_id": CAMPAIGN_ID.upper()}})},
    )

    def told(happening: str, *, at: datetime = NINE, **properties: str | None) -> int:
        event = {
            "id": f"{happening}-{at}",
            "event_type": f"users.messages.email.{happening}",
            "time": int(at.timestamp()),
            "user": {"external_user_id": "c000001"},
            "properties": {"campaign_id": CAMPAIGN_ID, **properties},
        }
        body = json.dumps({"events": [event]}).encode()
        frame = Frame(received_at_us=1, source_id="braze", kind="currents", body=body)
        events = decode_currents(frame).events
        rows = [
            {
                "message_id": each.message_id,
                "user_id": each.user_id,
                "occurred_at_us": each.occurred_at_us,
                "properties": each.properties,
            }
            for each in events
        ]
        with sender.stores.state.transaction() as connection:
            return witness(connection, pa.Table.from_pylist(rows))

    return told


def unanswered(request: Request) -> Answer:
    return Answer(status=None, headers={}, body=b"reset", processed=None)


def nobody(request: Request) -> Answer:
    raise AssertionError("nobody is asked")


def test_a_send_event_settles_what_was_never_answered(sender: Any, tell: Tell) -> None:
    sender.fill(2)
    sender.send(sender.answering(unanswered))
    assert tell("Send", dispatch_id="d1") == 1
    assert tell("Send", dispatch_id="d1") == 0, "at least once is once"
    assert sender.ask(sender.answering(unanswered)) == Counter(sent=1, unknown=1)
    first, second = sender.outbox()
    assert (first["state"], first["dispatch_id"]) == ("sent", "d1")
    assert "engagement shows" in first["reason"]
    assert second["state"] == "unknown"
    ((name, _, properties),) = sender.events()
    assert (name, properties["dispatch_id"]) == ("Message Sent", "d1")


def test_what_was_to_be_sent_again_is_not_once_it_was_seen(sender: Any, tell: Tell) -> None:
    sender.fill(1)
    sender.send(sender.answering(unanswered))
    assert sender.ask() == Counter(retry=1), "Braze shows no message yet"
    assert tell("Send", dispatch_id="d1") == 1
    sender.expire()
    assert sender.send() == Counter()
    assert sender.ask(sender.answering(nobody)) == Counter(sent=1)


def test_a_row_in_hand_that_was_seen_is_not_tried_again(sender: Any, tell: Tell) -> None:
    sender.fill(1)

    def seen_meanwhile(request: Request) -> Answer:
        assert tell("Send", dispatch_id="d1") == 1
        return Answer(status=429, headers={}, body=b"", processed=True)

    sender.send(sender.answering(seen_meanwhile))
    assert sender.states() == {"unknown": 1}
    sender.expire()
    assert sender.ask(sender.answering(nobody)) == Counter(sent=1)


def test_a_message_without_a_campaign_comes_back_without_one(sender: Any, tell: Tell) -> None:
    sender.fill(1)
    sender.send(sender.answering(unanswered))
    none = {"campaign_id": None}
    assert tell("Send", dispatch_id="d1", **none) == 0, "this use case sends with a campaign"
    sender.stores.state.rows(
        "update definition set body = jsonb_build_object('activation', %(said)s::jsonb)",
        {"said": json.dumps({"messages": "[web_push]"})},
    )
    assert tell("Send", dispatch_id="d1") == 0, "and this one without"
    assert tell("Send", dispatch_id="d1", **none) == 1
    assert sender.ask(sender.answering(nobody)) == Counter(sent=1)


@pytest.mark.parametrize(
    ("happening", "said"),
    [
        ("Open", {}),
        ("Send", {"campaign_id": "another"}),
        ("Send", {"dispatch_id": "earlier"}),
        ("Click", {"url": "https://shop.example/?d=another:decision"}),
    ],
)
def test_what_may_be_about_another_message_settles_nothing(
    sender: Any, tell: Tell, happening: str, said: dict[str, str]
) -> None:
    sender.fill([1], day=date(2026, 2, 28))
    sender.stores.state.rows("update outbox set state = 'sent', dispatch_id = 'earlier'")
    sender.fill(1)
    sender.send(sender.answering(unanswered))
    assert tell(happening, **said) == 0


@pytest.mark.parametrize(("happening", "state"), [("Send", "sent"), ("Abort", "failed")])
def test_what_a_receiver_holds_is_settled_when_it_is_seen(
    sender: Any, tell: Tell, happening: str, state: str
) -> None:
    noon = NINE.replace(hour=12)
    sender.fill(1, due_at=noon)
    facts: dict[str, Any] = {"now": NINE, "pool": sender.pool}
    ahead = replace(sender.channel, schedules=True)
    assert hand_over_ahead(sender.stores.state, ahead, sender.log, **facts) == {"sent": 1}
    assert tell(happening, dispatch_id="another") == 0, "before its time"
    assert tell(happening, at=noon, dispatch_id=sender.outbox()[0]["dispatch_id"]) == 1
    sender.expire()
    assert follow_held(sender.stores.state, ahead, sender.log, **facts) == 1
    assert sender.states() == {state: 1}
    assert len(sender.events()) == 1


def test_what_happened_before_the_first_call_settles_nothing(sender: Any, tell: Tell) -> None:
    sender.fill(1)
    sender.send(sender.answering(unanswered))
    assert tell("Send", at=NINE.replace(hour=8)) == 0


def test_a_clicked_link_names_its_decision(sender: Any, tell: Tell) -> None:
    sender.fill(1)
    sender.send(sender.answering(unanswered))
    assert tell("Click", url=f"https://shop.example/?d={KEY}1") == 1
    assert sender.ask(sender.answering(nobody)) == Counter(sent=1)


def test_a_call_whose_errors_could_not_be_placed_is_settled_by_its_id(
    sender: Any, tell: Tell
) -> None:
    sender.fill(1)

    def vague(request: Request) -> Answer:
        body = b'{"message": "success", "dispatch_id": "d7", "errors": ["somebody is unknown"]}'
        return Answer(status=201, headers={}, body=body, processed=True)

    sender.send(sender.answering(vague))
    assert tell("Open", dispatch_id="d7") == 1
    assert sender.ask(sender.answering(nobody)) == Counter(sent=1)


def test_what_braze_aborted_has_failed(sender: Any, tell: Tell) -> None:
    sender.fill(1)
    sender.send(sender.answering(unanswered))
    assert tell("Abort") == 1
    assert sender.ask(sender.answering(nobody)) == Counter(failed=1)
    assert [name for name, _, _ in sender.events()] == ["Message Failed"]


@pytest.mark.parametrize(
    ("choice", "outcome", "event"),
    [("went_out", "sent", "Message Sent"), ("give_up", "failed", "Message Failed")],
)
def test_somebody_decides(sender: Any, choice: str, outcome: str, event: str) -> None:
    sender.fill(1)
    sender.send(sender.answering(unanswered))
    state = sender.stores.state
    assert choose(state, [f"{KEY}1", "no such"], choice, by="ada", now=NINE) == [f"{KEY}1"]
    (shown,) = open_sends(state, ["win_back"])
    assert (shown.state, shown.choice, shown.chosen_by) == ("unknown", choice, "ada")
    assert open_sends(state, ["win_back"], undecided=True) == []
    assert sender.ask(sender.answering(nobody)) == Counter({outcome: 1})
    assert "ada" in sender.outbox()[0]["reason"]
    assert [name for name, _, _ in sender.events()] == [event]


def test_what_is_sent_again_is_asked_about_when_it_is_not_answered_again(
    sender: Any, sandbox: Any
) -> None:
    sender.fill(1)
    sender.send(sender.answering(unanswered))
    choose(sender.stores.state, [f"{KEY}1"], "send_again", by="ada", now=NINE)
    assert sender.ask(sender.answering(nobody)) == Counter(retry=1)
    sender.expire()
    sender.send(sender.answering(unanswered))
    assert sender.states() == {"unknown": 1}
    with pytest.raises(AssertionError, match="nobody is asked"):
        sender.ask(sender.answering(nobody))
    sender.until_settled()
    assert sandbox.sends() == (1, 1, 1)


def test_what_failed_can_be_sent_again_and_comes_back_as_another_event(
    sender: Any, sandbox: Any
) -> None:
    sender.fill(1)
    refused = Answer(status=400, headers={}, body=b'{"message": "no"}', processed=True)
    sender.send(sender.answering(lambda _: refused))
    state = sender.stores.state
    for choice in ("went_out", "give_up"):
        with pytest.raises(UnknownSend):
            choose(state, [f"{KEY}1"], choice, by="ada", now=NINE)
    assert choose(state, [f"{KEY}1"], "send_again", by="ada", now=NINE) == [f"{KEY}1"]
    assert sender.send() == Counter(sent=1)
    assert sandbox.sends() == (1, 1, 1)
    assert [(name, identity) for name, identity, _ in sender.events()] == [
        ("Message Failed", f"delivery:{KEY}1"),
        ("Message Sent", f"delivery:{KEY}1:1"),
    ]


def test_who_refused_is_not_sent_to_by_anybody_s_choice(sender: Any) -> None:
    sender.fill(1)
    sender.stores.state.rows("update outbox set state = 'failed', reason = 'no_consent'")
    with pytest.raises(UnknownSend, match="unless their people refused"):
        choose(sender.stores.state, [f"{KEY}1"], "send_again", by="ada", now=NINE)
    assert sender.states() == {"failed": 1}


def test_another_choice_is_refused(sender: Any) -> None:
    with pytest.raises(InvalidChoice, match="send_again"):
        choose(sender.stores.state, ["k"], "send_agan", by="ada", now=NINE)


def test_what_was_seen_counts_more_than_what_was_decided() -> None:
    def found(evidence: str | None, choice: str | None) -> str | None:
        known = resolved("k", evidence=evidence, choice=choice, by=None, dispatch_id=None)
        return None if known is None else known.outcome

    assert found("seen", "send_again") == "sent"
    assert found("aborted", "went_out") == "failed"
    assert found(None, "send_again") == "retry"
    assert found(None, None) is None
