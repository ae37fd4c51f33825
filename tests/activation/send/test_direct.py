"""Messages that the call carries go out exactly once, whatever becomes of the call."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from opportune.activation import Channel
from opportune.sandbox.catalogue import API_CAMPAIGN_ID

MESSAGES = """
recipient_subscription_state = "all"
[webhook]
url = "https://shop.example/hook"
request_method = "POST"
body = "{{api_trigger_properties.${offer}}} for {{${country}}}"
message_variation_id = "webhook-from-outside"
"""


@pytest.fixture
def direct(sender: Any) -> Channel:
    config = {"campaign_id": API_CAMPAIGN_ID, "messages": MESSAGES}
    used: Channel = replace(sender.channel, config=config)
    return used


@pytest.mark.parametrize(
    ("fault", "found"),
    [("timeout_after", "sent"), ("malformed_after", "sent"), ("reset_before", "retry")],
)
def test_whatever_happens_everybody_gets_one_message(
    sender: Any, sandbox: Any, direct: Channel, fault: str, found: str
) -> None:
    sender.fill(20)
    sandbox.faults(fault)
    assert sender.send(direct) == Counter(unknown=20)
    assert sender.ask(direct) == Counter({found: 20})
    sender.expire()
    sender.send(direct)
    assert sandbox.sends() == (20, 20, 1)


@pytest.mark.parametrize("fault", ["timeout_after", "reset_before", "502"])
def test_without_a_campaign_an_unanswered_call_is_never_repeated(
    sender: Any, sandbox: Any, direct: Channel, fault: str
) -> None:
    alone = replace(direct, config={"messages": MESSAGES})
    sender.fill(20)
    sandbox.faults(fault)
    assert sender.send(alone) == Counter(unknown=20)
    for _ in range(3):
        sender.expire()
        assert sender.ask(alone) == Counter(unknown=20)
        assert sender.send(alone) == Counter()
    assert sandbox.sends()[0] == (20 if fault.endswith("after") else 0)
