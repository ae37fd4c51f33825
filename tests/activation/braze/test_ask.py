from __future__ import annotations

import pytest

from braze_sandbox import Sandbox
from opportune.activation import Answer, Request, braze
from opportune.activation.braze.pools import Pools, pool_of

GOOD = b'{"segments":[],"message":"success"}'
CREATE = Request(method="POST", path="/templates/email/create", body=b"{}", keys=())
LIST = Request(method="GET", path="/segments/list?page=0", body=b"", keys=())


def answer(
    status: int | None, body: bytes = GOOD, processed: bool | None = True, **headers: str
) -> Answer:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status=status, headers=named, body=body, processed=processed)


class Line:
    """Answers what it was given, one after the other, and counts."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _request: Request) -> Answer:
        self.asked += 1
        return self.answers[self.asked - 1]


LOST = answer(None, b"ReadTimeoutError", None)


def test_a_question_is_asked_again_until_there_is_an_answer(sandbox: Sandbox) -> None:
    call = Line(answer(500), LOST, answer(503, Retry_After="7"), answer(200))
    assert braze.segments(sandbox.workspace(call)) == []
    assert call.asked == 4
    assert 0.5 <= sandbox.slept[0] <= 1.0 <= sandbox.slept[1] <= 2.0
    assert sandbox.slept[2] == 7.0


def test_what_changes_something_is_asked_again_only_when_it_surely_did_not_arrive(
    sandbox: Sandbox,
) -> None:
    refused = answer(None, b"NewConnectionError", False)
    call = Line(refused, answer(429, X_RateLimit_Reset="3"), answer(201))
    assert sandbox.workspace(call).ask(CREATE, repeatable=False).status == 201
    assert call.asked == 3
    for doubtful in (LOST, answer(502)):
        call = Line(doubtful, answer(201))
        with pytest.raises(braze.BrazeUnavailable, match="may have had the call"):
            sandbox.workspace(call).ask(CREATE, repeatable=False)
        assert call.asked == 1


def test_tries_come_to_an_end(sandbox: Sandbox) -> None:
    call = Line(answer(500), answer(500), answer(200))
    with pytest.raises(braze.BrazeUnavailable, match="tried 2 times"):
        sandbox.workspace(call, tries=2).ask(LIST, repeatable=True)
    assert call.asked == 2


def test_nobody_waits_longer_than_patience(sandbox: Sandbox) -> None:
    call = Line(answer(429, X_RateLimit_Retry_After="900"), answer(200))
    with pytest.raises(braze.BrazeUnavailable, match="left alone for 900 s, longer than the 60 s"):
        sandbox.workspace(call).ask(LIST, repeatable=True)
    assert sandbox.slept == []


def test_a_pool_without_remaining_calls_is_left_alone_until_its_window_ends(
    sandbox: Sandbox,
) -> None:
    date = "Thu, 01 Jan 2026 00:00:00 GMT"
    epoch = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "1767225640", "Date": date}
    delta = {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "5"}
    workspace = sandbox.workspace(
        Line(answer(200, **epoch), answer(200, **delta), answer(201), answer(200))
    )
    workspace.ask(LIST, repeatable=True)
    assert sandbox.slept == []
    workspace.ask(LIST, repeatable=True)
    assert sandbox.slept == [40.0]
    other = Request(method="POST", path="/users/export/ids", body=b"{}", keys=())
    workspace.ask(other, repeatable=True)
    assert sandbox.slept == [40.0]
    workspace.ask(LIST, repeatable=True)
    assert sandbox.slept == [40.0, 5.0]


def test_an_unknown_key_is_told_without_it_and_its_empty_headers_are_no_limit(
    sandbox: Sandbox,
) -> None:
    sandbox.key = "not-a-key-of-braze"
    with pytest.raises(braze.BrazeForbidden, match="does not know the API key") as raised:
        braze.segments(sandbox.workspace())
    assert "not-a-key" not in raised.value.message
    assert sandbox.asked == ["/segments/list?page=0"]
    assert sandbox.slept == []


def test_a_missing_permission_is_named(sandbox: Sandbox) -> None:
    with pytest.raises(braze.BrazeForbidden, match=r"the permission segments\.list, and"):
        sandbox.workspace(Line(answer(403))).ask(LIST, repeatable=True)


def test_pools_are_those_of_the_documentation() -> None:
    paths = ("/users/merge", "/campaigns/data_series?length=1", "/canvas/data_series")
    assert [pool_of(path) for path in paths] == ["identities", "series", "default"]
    pools = Pools(lambda: 0.0)
    pools.note("/users/track", answer(429))
    pools.note("/users/track", answer(None))
    pools.note("/users/track", answer(200, X_RateLimit_Remaining="", X_RateLimit_Reset=""))
    assert pools.wait_s("/users/track") == 0.0
