"""A sender killed at any point, and one that was taken over and comes late."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest

from opportune.activation import Answer, Request
from opportune.activation.claims import LEASE_S
from opportune.storage import Frame, LogUnavailable, SegmentLog

CUSTOMERS = 300


class Killed(BaseException):
    """Ends everything, as kill -9 does."""


@pytest.mark.parametrize("received", [False, True])
def test_killed_around_the_call_a_row_is_asked_about_before_it_is_sent_again(
    sender: Any, sandbox: Any, *, received: bool
) -> None:
    sender.fill(20)

    def die(request: Request) -> Answer:
        if received:
            sender.channel.call(request)
        raise Killed

    with pytest.raises(Killed):
        sender.send(sender.answering(die))
    assert sender.states() == {"reserved": 20}
    assert sender.send() == Counter()
    assert sender.abandon(settle_s=60.0, takeover=False) == 0
    assert sender.abandon(settle_s=60.0, takeover=True) == 20
    assert sender.send() == Counter()
    assert sender.ask() == Counter(), "asked before the receiver had time to settle"
    sender.expire()
    assert sender.send() == Counter()
    assert sender.ask() == Counter({"sent" if received else "retry": 20})
    sender.until_settled()
    assert sandbox.sends() == (20, 20, 1)
    assert len(sender.events()) == 20


def test_a_lease_that_ran_out_gives_the_row_up_without_a_takeover(sender: Any) -> None:
    sender.fill(2)
    with pytest.raises(Killed):
        sender.send(sender.answering(_kill))
    sender.expire()
    assert sender.abandon(settle_s=60.0, takeover=False) == 2
    row = sender.outbox()[0]
    assert (row["state"], row["wait_s"], row["attempts"]) == ("unknown", 60, 1)
    assert row["reason"] == "the sender stopped before the answer came"


def test_killed_while_it_asked_the_next_one_asks_as_soon_as_the_receiver_has_settled(
    sender: Any, sandbox: Any
) -> None:
    sender.fill(3)
    with pytest.raises(Killed):
        sender.send(sender.answering(_kill))
    sender.abandon(settle_s=60.0, takeover=True)
    sender.expire()
    with pytest.raises(Killed):
        sender.ask(sender.answering(_kill))
    assert sender.outbox()[0]["wait_s"] == LEASE_S
    assert sender.abandon(settle_s=60.0, takeover=False) == 0, "it may still be asking"
    assert sender.abandon(settle_s=60.0, takeover=True) == 3
    row = sender.outbox()[0]
    assert (row["state"], row["wait_s"], row["attempts"]) == ("unknown", 60, 1)
    assert row["reason"] == "the sender stopped before the answer came"
    sender.until_settled()
    assert sandbox.sends() == (3, 3, 1)


def test_who_takes_over_asks_no_sooner_than_a_receiver_wished(sender: Any, sandbox: Any) -> None:
    sender.fill(3)
    with pytest.raises(Killed):
        sender.send(sender.answering(_kill))
    sender.abandon(settle_s=LEASE_S * 2, takeover=True)
    assert sender.abandon(settle_s=60.0, takeover=True) == 0
    assert sender.outbox()[0]["wait_s"] == LEASE_S * 2


def _kill(request: Request) -> Answer:
    raise Killed


def test_killed_between_log_and_outbox_the_row_comes_back_under_the_same_id(
    sender: Any, sandbox: Any
) -> None:
    sender.fill(20)
    dying = replace(sender, log=Log(sender.log, Killed()))
    with pytest.raises(Killed):
        dying.send()
    assert sender.states() == {"reserved": 20}
    assert len(sender.events()) == 20
    sender.until_settled()
    assert sender.states() == {"sent": 20}
    assert sandbox.sends() == (20, 20, 1)
    # Twice in the log, once in the lake: the second one has the first one's id.
    counted = Counter(identity for _, identity, _ in sender.events())
    assert len(counted) == 20
    assert set(counted.values()) == {2}


def test_a_log_that_cannot_be_written_leaves_the_rows_to_be_asked_about(
    sender: Any, sandbox: Any
) -> None:
    sender.fill(20)
    broken = replace(sender, log=Log(None, LogUnavailable("disk full")))
    with pytest.raises(LogUnavailable):
        broken.send()
    assert sender.states() == {"reserved": 20}
    sender.abandon(takeover=True)
    with pytest.raises(LogUnavailable):
        broken.ask()
    assert sender.states() == {"unknown": 20}
    assert sender.events() == []
    sender.until_settled()
    assert sandbox.sends() == (20, 20, 1)
    assert len(sender.events()) == 20


def test_retries_need_no_log(sender: Any, sandbox: Any) -> None:
    sender.fill(20)
    sandbox.faults("429")
    broken = replace(sender, log=Log(None, LogUnavailable("disk full")))
    assert broken.send() == Counter(retry=20)
    assert sender.states() == {"pending": 20}


@dataclass(frozen=True)
class Log(SegmentLog):
    """A log that fails each append, after it was written where there is one to write to."""

    real: SegmentLog | None
    trouble: BaseException

    def append(self, frame: Frame) -> Future[None]:
        if self.real is not None:
            self.real.append(frame).result()
        failed: Future[None] = Future()
        failed.set_exception(self.trouble)
        return failed


# --- two that take turns -------------------------------------------------------------------------


def test_a_late_answer_to_one_that_was_taken_over_says_sent_and_that_counts(
    sender: Any, sandbox: Any
) -> None:
    """The other worker asked too early, and would send again."""
    sender.fill(5)

    def overtaken(request: Request) -> Answer:
        sender.abandon(takeover=True)
        assert sender.ask() == Counter(retry=5)
        assert sender.states() == {"pending": 5}
        return sender.channel.call(request)

    with ThreadPoolExecutor(1) as own:
        overtaking = replace(sender, pool=own, channel=sender.answering(overtaken))
        assert overtaking.send() == Counter(sent=5)
    assert sender.states() == {"sent": 5}
    assert sandbox.sends() == (5, 5, 1)
    assert len(sender.events()) == 5


@pytest.mark.parametrize("fault", ["429", "500"])
def test_a_late_refusal_to_one_that_was_taken_over_changes_nothing(
    sender: Any, sandbox: Any, fault: str
) -> None:
    """Or the row would be sent again while the other worker's call is under way."""
    sender.fill(5)
    seen: list[dict[str, int]] = []

    def overtaken(request: Request) -> Answer:
        sender.abandon(takeover=True)
        assert sender.ask() == Counter(retry=5)
        sender.expire()
        with pytest.raises(Killed):
            sender.send(sender.answering(_kill))
        seen.append(sender.states())
        sandbox.faults(fault)
        return sender.channel.call(request)

    with ThreadPoolExecutor(1) as own:
        replace(sender, pool=own).send(sender.answering(overtaken))
    assert seen == [{"reserved": 5}]
    assert sender.states() == {"reserved": 5}
    assert {row["attempts"] for row in sender.outbox()} == {2}


def test_a_row_that_is_settled_is_never_touched_again(sender: Any) -> None:
    sender.fill(2)

    def settled_meanwhile(request: Request) -> Answer:
        sender.stores.state.rows("update outbox set state = 'failed', reason = 'by hand'")
        return sender.channel.call(request)

    sender.send(sender.answering(settled_meanwhile))
    assert [(row["state"], row["reason"]) for row in sender.outbox()] == [
        ("failed", "by hand"),
        ("failed", "by hand"),
    ]
    assert sender.events() == []


def test_eight_senders_at_once_send_everything_once(sender: Any, sandbox: Any) -> None:
    sender.fill(CUSTOMERS)
    narrow = sender.slow(batch_size=5)

    def work() -> int:
        sent = 0
        with ThreadPoolExecutor(2) as own:
            while found := replace(sender, pool=own).send(narrow):
                sent += found["sent"]
        return sent

    with ThreadPoolExecutor(8) as threads:
        counts = [each.result() for each in [threads.submit(work) for _ in range(8)]]
    assert sum(counts) == CUSTOMERS
    assert sandbox.sends() == (CUSTOMERS, CUSTOMERS, 1)
