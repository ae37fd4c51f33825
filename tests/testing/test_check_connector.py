from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from opportune.activation.connectors.braze import CONNECTOR, Braze
from opportune.activation.model import Answer, Connector, Delivery, Request, Send
from opportune.events.model import Decoded
from opportune.storage import Frame
from opportune.testing import check_connector

CONFIG = {"campaign_id": "8f0f0b8e-6c53-4a0b-9a51-0b6a5e1f2d10", "base_url": "https://b.example"}


class Wrapped:
    """Braze's connector, for a test to break in one place."""

    name = "wrapped"
    batch_size = 50
    calls_per_hour = 1000

    def check_config(self, config: Mapping[str, str]) -> list[str]:
        return CONNECTOR.check_config(config)

    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        return CONNECTOR.requests(sends, config)

    def deliveries(self, request: Request, answer: Answer) -> list[Delivery]:
        return CONNECTOR.deliveries(request, answer)

    def enquiries(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        return CONNECTOR.enquiries(sends, config)

    def findings(
        self, request: Request, answer: Answer, *, since: datetime, config: Mapping[str, str]
    ) -> list[Delivery]:
        return CONNECTOR.findings(request, answer, since=since, config=config)

    def decode(self, frame: Frame) -> Decoded:
        return CONNECTOR.decode(frame)


class Nameless(Wrapped):
    name = ""


class NoBatch(Wrapped):
    batch_size = 0


class NoCalls(Wrapped):
    calls_per_hour = 0


class TooLarge(Wrapped):
    batch_size = 20


class Forgetful(Wrapped):
    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        return CONNECTOR.requests(sends[1:], config)


class Twice(Wrapped):
    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        return CONNECTOR.requests(sends, config) * 2


class Inventive(Wrapped):
    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        extra = Request(method="POST", path="/x", body=b"", keys=("new",))
        return [*CONNECTOR.requests(sends, config), extra]


class Rootless(Wrapped):
    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        return [replace(each, path="send") for each in CONNECTOR.requests(sends, config)]


class Changing(Wrapped):
    def __init__(self) -> None:
        self.calls = 0

    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        self.calls += 1
        body = str(self.calls).encode()
        return [replace(each, body=body) for each in CONNECTOR.requests(sends, config)]


class Idle(Wrapped):
    def requests(self, sends: Sequence[Send], config: Mapping[str, str]) -> list[Request]:
        idle = Request(method="POST", path="/x", body=b"", keys=())
        return CONNECTOR.requests(sends, config) if sends else [idle]


class Short(Wrapped):
    def deliveries(self, request: Request, answer: Answer) -> list[Delivery]:
        return CONNECTOR.deliveries(request, answer)[1:]


class Changed(Wrapped):
    """Gives ``outcome`` for the answers it is asked to break."""

    def __init__(self, status: int | None, **changes: object) -> None:
        self.status = status
        self.changes = changes

    def deliveries(self, request: Request, answer: Answer) -> list[Delivery]:
        found = CONNECTOR.deliveries(request, answer)
        if answer.status != self.status:
            return found
        return [replace(each, **self.changes) for each in found]  # type: ignore[arg-type]  # a test's own


class Gullible(Wrapped):
    def findings(
        self, request: Request, answer: Answer, *, since: datetime, config: Mapping[str, str]
    ) -> list[Delivery]:
        found = CONNECTOR.findings(request, answer, since=since, config=config)
        return [replace(each, outcome="retry") for each in found]


@pytest.mark.parametrize("connector", [Braze(), Wrapped()])
def test_a_connector_that_keeps_its_promises_passes(connector: Connector) -> None:
    check_connector(connector, config=CONFIG)


@pytest.mark.parametrize(
    ("connector", "words"),
    [
        (Nameless(), "name is empty: use cases choose a connector by its name."),
        (NoBatch(), "batch_size must be 1 or more."),
        (NoCalls(), "calls_per_hour must be 1 or more."),
        (TooLarge(), "requests makes a call with 43 keys: batch_size is 20."),
        (Forgetful(), "requests puts key-0 into 0 calls."),
        (Twice(), "requests puts key-0 into 2 calls."),
        (Inventive(), "requests invents keys that were in no send."),
        (Rootless(), "requests makes the path 'send': start with '/'."),
        (Changing(), "requests differs when asked again."),
        (Idle(), "requests makes a call for no sends."),
        (
            Short(),
            "deliveries must give one delivery per key, in the call's order, for no answer,"
            " surely not processed.",
        ),
        (
            Changed(None, outcome="failed"),
            "deliveries must say 'retry' for no answer, surely not processed.",
        ),
        (Changed(None, outcome="retry"), "deliveries must say 'unknown' for no answer."),
        (
            Changed(400, outcome="sent"),
            "deliveries says 'sent' for status 400 with body b''.",
        ),
        (
            Changed(429, outcome="failed"),
            "deliveries must say 'retry' for status 429 with body b''.",
        ),
        (Changed(400, outcome="lost"), "deliveries says 'lost': not an outcome."),
        (Changed(400, retry_after_s=-1.0), "deliveries asks to wait -1.0 seconds."),
        (
            Changed(400, reason=""),
            "deliveries says 'failed' for status 400 with body b'' without a reason.",
        ),
        (
            Gullible(),
            "findings must say 'unknown' for no answer, surely not processed: a failed enquiry"
            " settles nothing.",
        ),
    ],
)
def test_a_broken_promise_is_named(connector: Connector, words: str) -> None:
    with pytest.raises(AssertionError) as caught:
        check_connector(connector, config=CONFIG)
    assert str(caught.value) == words


def test_what_is_no_connector_is_named() -> None:
    with pytest.raises(AssertionError) as caught:
        check_connector(object(), config=CONFIG)  # type: ignore[arg-type]  # the mistake under test
    assert str(caught.value) == "It lacks a part of activation.model.Connector."
