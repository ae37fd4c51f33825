"""How long a row waits for its next try, and which waits count as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from opportune.activation import Answer, Channel, Request


def told(sender: Any, outcome: str, retry_after_s: float | None = None) -> Channel:
    """A channel whose answers all say this, and whose receiver settles in five minutes."""
    return replace(
        sender.slow(outcome=outcome, retry_after_s=retry_after_s, batch_size=2),
        call=lambda request: Answer(status=None, headers={}, body=b"", processed=None),
        settle_s=300.0,
    )


def test_a_failed_try_waits_twice_as_long_as_the_one_before_up_to_an_hour(
    sender: Any,
) -> None:
    sender.fill([1])
    waits = []
    for _ in range(10):
        assert sender.send(told(sender, "retry")) == Counter(retry=1)
        waits.append(sender.outbox()[0]["wait_s"])
        sender.expire()
    bounds = [min(30.0 * 2**tries, 3600.0) for tries in range(10)]
    assert all(bound / 2 - 1 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True)), (
        waits
    )
    assert sender.outbox()[0]["attempts"] == 10


def test_what_was_called_together_waits_together_and_other_calls_do_not(sender: Any) -> None:
    sender.fill(8)
    sender.send(told(sender, "retry"))
    rows = sender.stores.state.rows("select leased_until from outbox order by key")
    ends = [row["leased_until"].timestamp() for row in rows]
    apart = [abs(a - b) for a, b in zip(ends[::2], ends[1::2], strict=True)]
    assert max(apart) < 0.1
    assert len({round(end, 1) for end in ends[::2]}) == 4


def test_the_wait_is_the_same_in_every_run(sender: Any) -> None:
    waits = []
    for _ in range(2):
        sender.stores.state.rows("delete from outbox")
        sender.fill([1])
        sender.send(told(sender, "retry"))
        waits.append(sender.outbox()[0]["wait_s"])
    assert abs(waits[0] - waits[1]) <= 1


@pytest.mark.parametrize(
    ("asked_s", "least", "most"), [(300.0, 299, 330), (7200.0, 3598, 3600), (0.0, -2, 0)]
)
def test_a_wait_that_was_asked_for_is_kept_and_is_no_failed_try(
    sender: Any, asked_s: float, least: int, most: int
) -> None:
    sender.fill([1])
    for _ in range(3):
        sender.send(told(sender, "retry", asked_s))
        (row,) = sender.outbox()
        assert least <= row["wait_s"] <= most
        assert (row["state"], row["attempts"]) == ("pending", 0)
        sender.expire()


@pytest.mark.parametrize(("key", "status"), [("wrong", 401), ("restricted", 403)])
def test_a_key_that_is_refused_uses_up_no_tries(
    sender: Any, sandbox: Any, key: str, status: int
) -> None:
    sender.fill([1])

    def refuse(request: Request) -> Answer:
        return Answer(status=status, headers={}, body=b"{}", processed=True)

    for _ in range(3):
        assert sender.send(sender.answering(refuse)) == Counter(retry=1)
        (row,) = sender.outbox()
        assert (row["state"], row["attempts"]) == ("pending", 0)
        assert 299 <= row["wait_s"] <= 330
        sender.expire()
    assert sender.send() == Counter(sent=1)
    assert sandbox.sends() == (1, 1, 1)


@pytest.mark.parametrize(("asked_s", "wait_s"), [(None, 300), (900.0, 900), (9999.0, 3600)])
def test_an_unanswered_send_is_not_asked_about_before_the_receiver_has_settled(
    sender: Any, asked_s: float | None, wait_s: int
) -> None:
    sender.fill([1])
    channel = told(sender, "unknown", asked_s)
    assert sender.send(channel) == Counter(unknown=1)
    assert sender.outbox()[0]["wait_s"] == pytest.approx(wait_s, abs=1)
    assert sender.ask(channel) == Counter()
    sender.expire()
    assert sender.ask(channel) == Counter(unknown=1)
    assert sender.outbox()[0]["wait_s"] == pytest.approx(wait_s, abs=1)
    assert sender.outbox()[0]["attempts"] == 1
