"""Whatever the receiver does to a call, everybody gets one message."""

from __future__ import annotations

import json
import socket
from collections import Counter
from typing import Any

import pytest

from opportune.activation import Answer, Bearer, Request, Transport

CUSTOMERS = 300


@pytest.mark.parametrize(
    ("fault", "state", "sent_already"),
    [
        ("503", "unknown", 0),
        ("503_after", "unknown", 20),
        ("429", "pending", 0),
        ("500", "unknown", 0),
        ("timeout_before", "unknown", 0),
        ("reset_before", "unknown", 0),
        ("timeout_after", "unknown", 20),
        ("reset_after", "unknown", 20),
        ("500_after", "unknown", 20),
        ("malformed_after", "unknown", 20),
    ],
)
def test_whatever_happens_to_a_call_everybody_gets_one_message(
    sender: Any, sandbox: Any, fault: str, state: str, sent_already: int
) -> None:
    sender.fill(20)
    sandbox.faults(fault)
    outcomes = sender.send()
    assert outcomes == Counter({"retry" if state == "pending" else "unknown": 20})
    assert sender.states() == {state: 20}
    assert sandbox.sends()[0] == sent_already
    assert sender.events() == []
    sender.until_settled()
    assert sender.states() == {"sent": 20}
    assert sandbox.sends() == (20, 20, 1)
    assert Counter(name for name, _, _ in sender.events()) == {"Message Sent": 20}


def test_a_storm_of_faults_ends_with_one_message_each(sender: Any, sandbox: Any) -> None:
    sender.fill(CUSTOMERS)
    storm = ["503", "timeout_after", "none", "reset_after", "500", "429", "500_after", "none"]
    sandbox.faults(*storm, *reversed(storm), "reset_before", "malformed_after")
    sender.until_settled()
    assert sender.states() == {"sent": CUSTOMERS}
    assert sandbox.sends() == (CUSTOMERS, CUSTOMERS, 1)
    identities = [identity for _, identity, _ in sender.events()]
    assert len(identities) == len(set(identities)) == CUSTOMERS


def test_a_receiver_that_is_down_costs_nothing_but_time(
    sender: Any, sandbox: Any, api_key: str
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        sender.fill(60)
        with Transport(f"http://127.0.0.1:{nobody.getsockname()[1]}", Bearer(api_key)) as transport:
            down = sender.answering(transport.call)
            assert sender.send(down) == Counter(retry=60)
    assert sender.states() == {"pending": 60}
    sender.until_settled()
    assert sandbox.sends() == (60, 60, 1)


def test_users_that_the_receiver_refuses_one_by_one_fail_alone(sender: Any) -> None:
    sender.fill(3)

    def refuse_second(request: Request) -> Answer:
        errors = [{"type": "bad user", "input_array": "recipients", "index": 1}]
        body = json.dumps({"message": "success", "dispatch_id": "d", "errors": errors}).encode()
        return Answer(status=201, headers={}, body=body, processed=True)

    outcomes = sender.send(sender.answering(refuse_second))
    assert outcomes == Counter(sent=2, failed=1)
    assert [row["state"] for row in sender.outbox()] == ["sent", "failed", "sent"]
    assert [name for name, _, _ in sender.events()] == [
        "Message Sent",
        "Message Failed",
        "Message Sent",
    ]


def test_a_receiver_s_words_may_have_what_no_database_holds(sender: Any) -> None:
    sender.fill([1])
    body = b'{"message": "nul \\u0000 and half \\ud83d a sign"}'
    odd = sender.answering(
        lambda request: Answer(status=400, headers={}, body=body, processed=True)
    )
    assert sender.send(odd) == Counter(failed=1)
    assert "nul" in sender.outbox()[0]["reason"]
