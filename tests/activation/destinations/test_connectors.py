"""What connectors of destinations promise, and how they fill calls."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opportune.activation import Answer, Request, Send
from opportune.activation.connectors.pack import pack
from opportune.activation.connectors.repeatable import read_answer
from opportune.activation.connectors.webhook import Webhook
from opportune.testing import check_connector

REQUEST = Request(method="POST", path="/", body=b"", keys=("a", "b"))


def send(key: str, *, profile_id: int = 1, message: str = "{}") -> Send:
    return Send(
        key=key,
        decision_id=key,
        user_id="u",
        properties={},
        profile_id=profile_id,
        message=message,
    )


def test_the_connector_of_webhooks_keeps_the_promises_of_one() -> None:
    check_connector(Webhook(), config={"path": "/hook"})


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(2, 60)), max_size=60),
    st.integers(1, 10),
    st.integers(20, 200),
)
def test_every_message_is_packed_once_within_the_limits_and_a_profile_s_together(
    drawn: list[tuple[int, int]], most: int, room: int
) -> None:
    sends = [
        send(f"k{place:03}", profile_id=profile_id, message="x" * size)
        for place, (profile_id, size) in enumerate(drawn)
    ]
    packs = pack(sends, most=most, room=room)
    assert sorted(key for each in packs for key in each.keys) == [each.key for each in sends]
    assert all(1 <= len(each.keys) == len(each.texts) <= most for each in packs)
    sizes = [sum(len(text) + 1 for text in each.texts) for each in packs]
    assert all(size <= room or len(each.keys) == 1 for size, each in zip(sizes, packs, strict=True))
    for profile_id in range(6):
        own = [each for each in sends if each.profile_id == profile_id]
        places = [
            (at, key)
            for at, each in enumerate(packs)
            for key in each.keys
            if key in {one.key for one in own}
        ]
        assert [key for _, key in places] == [each.key for each in own]
        fits = len(own) <= most and sum(len(each.message) + 1 for each in own) <= room
        assert not fits or len({at for at, _ in places}) <= 1


@pytest.mark.parametrize(
    ("status", "headers", "outcome", "wait_s"),
    [
        (200, {}, "sent", None),
        (204, {"Retry-After": "9"}, "sent", None),
        (302, {}, "retry", 300.0),
        (401, {}, "retry", 300.0),
        (404, {}, "retry", None),
        (408, {}, "retry", None),
        (410, {}, "failed", None),
        (413, {}, "failed", None),
        (429, {"retry-after": "7"}, "retry", 7.0),
        (429, {"retry-after": "99999"}, "retry", 3600.0),
        (500, {}, "retry", None),
        (503, {"Retry-After": "soon"}, "retry", None),
        (
            503,
            {
                "Date": "Sun, 01 Mar 2026 09:00:00 GMT",
                "Retry-After": "Sun, 01 Mar 2026 09:00:30 GMT",
            },
            "retry",
            30.0,
        ),
    ],
)
def test_an_answer_is_read_by_its_status(
    status: int, headers: Mapping[str, str], outcome: str, wait_s: float | None
) -> None:
    answer = Answer(status=status, headers=headers, body=b"", processed=True)
    read = read_answer(REQUEST, answer)
    assert [(each.key, each.outcome, each.retry_after_s) for each in read] == [
        ("a", outcome, wait_s),
        ("b", outcome, wait_s),
    ]


def test_a_refusal_says_its_code_and_nothing_that_may_be_somebody_s() -> None:
    def reason(body: bytes) -> str:
        return read_answer(REQUEST, Answer(status=422, headers={}, body=body, processed=True))[
            0
        ].reason

    assert reason(b'{"code": "too_old"}') == "The receiver refused it (422, too_old)."
    for body in (b'{"code": "anna@shop.example said"}', b'"anna"', b"anna", b"\xff", b"[1]"):
        assert reason(body) == "The receiver refused it (422)."


def test_a_message_id_that_cannot_stand_in_a_header_becomes_one_that_can() -> None:
    connector = Webhook()
    odd = [
        send("k", message='{"type":"track","event":"A","messageId":"ü\\n.1","timestamp":"t"}')
        for _ in range(2)
    ]
    one, two = connector.requests(odd, {"path": "/"})
    assert one.request_id == two.request_id
    assert one.request_id.startswith("msg_")
    assert one.request_id.isascii()
