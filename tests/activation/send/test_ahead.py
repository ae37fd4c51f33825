"""What its receiver holds until its time: everybody gets at most one message, whatever happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from opportune.activation import Answer, Recall, Request, follow_held, hand_over_ahead
from opportune.activation.claims import Claim
from opportune.activation.connectors.braze import Braze
from opportune.activation.held import _arrived, _given_back
from opportune.activation.settle import FORGOTTEN
from opportune.sandbox import CANVAS_ID

from .conftest import NINE

NOON = NINE + timedelta(hours=3)


class Killed(BaseException):
    """Ends everything, as kill -9 does."""


def held(sender: Any, channel: Any = None, *, now: Any = NINE, **said: Any) -> Counter[str]:
    """Have a batch held, as the worker does where a use case says so."""
    used = replace(channel or sender.channel, schedules=True, **said)
    return hand_over_ahead(sender.stores.state, used, sender.log, now=now, pool=sender.pool)


def follow(sender: Any, channel: Any = None, *, now: Any = NINE) -> int:
    sender.expire()
    used = channel or sender.channel
    return follow_held(sender.stores.state, used, sender.log, now=now, pool=sender.pool)


def recall(sender: Any, reason: str, key: str = "%") -> None:
    sender.stores.state.rows(
        "update outbox set recall = %(reason)s where key like %(key)s",
        {"reason": reason, "key": key},
    )


def faults_of_deletes(sandbox: Any, *names: str) -> None:
    path = "/campaigns/trigger/schedule/delete"
    sandbox.ask("POST", "faults", {"faults": list(names), "path": path})


def reasons(sender: Any) -> Counter[tuple[str, str | None]]:
    return Counter((row["state"], row["reason"]) for row in sender.outbox())


def claimed(said: dict[str, Any]) -> Claim:
    """A row in hand that its receiver holds until noon."""
    row = {"key": "k", "user_id": "c1", "properties": {}, "attempts": 1, "attempted_at": NINE}
    return Claim(**{**row, "leased_until": NINE, "due_at": NOON, "held_until": NOON, **said})


def until_noon(sender: Any, sandbox: Any) -> None:
    """The time comes here and there; then work goes on until nothing is open."""
    sandbox.tell_time(NOON)
    for _ in range(20):
        follow(sender, now=NOON)
        sender.abandon(takeover=True)
        sender.expire()
        sender.send(now=NOON)
        sender.ask(now=NOON)
        if sender.states().keys() <= {"sent", "failed"}:
            return
    raise AssertionError(sender.outbox())


def test_what_has_one_time_goes_together_and_counts_as_sent_when_it_has_come(
    sender: Any, sandbox: Any
) -> None:
    sender.fill(60, due_at=NOON)
    sender.fill([100], due_at=NOON + timedelta(hours=1))
    sender.fill([101], due_at=NINE + timedelta(minutes=15))
    calls: list[str] = []

    def counted(request: Request) -> Answer:
        calls.append(request.path)
        return sender.channel.call(request)

    assert held(sender, sender.answering(counted)) == Counter(sent=61)
    assert calls == ["/campaigns/trigger/schedule/create"] * 3, "too soon for 101: it waits here"
    assert sender.states() == {"pending": 1, "scheduled": 61}
    assert (held(sender), follow(sender), sender.events()) == (Counter(), 0, [])
    assert sandbox.sends()[0] == 0
    sandbox.tell_time(NOON)
    assert follow(sender, now=NOON - timedelta(seconds=1)) == 0
    assert (follow(sender, now=NOON), follow(sender, now=NOON)) == (60, 0)
    assert sender.states() == {"pending": 1, "scheduled": 1, "sent": 60}
    assert sandbox.sends() == (60, 60, 1)
    assert Counter(name for name, _, _ in sender.events()) == {"Message Sent": 60}
    assert {said["reason"] for _, _, said in sender.events()} == {None}


def test_a_canvas_holds_as_well_and_gives_back(sender: Any, sandbox: Any) -> None:
    canvas = replace(sender.channel, config={"canvas_id": CANVAS_ID})
    sender.fill(2, due_at=NOON)
    assert held(sender, canvas, alone=True) == Counter(sent=2)
    recall(sender, "converted", "%1")
    assert follow(sender, canvas) == 1
    sandbox.tell_time(NOON)
    assert follow(sender, canvas, now=NOON) == 1
    assert reasons(sender) == Counter([("failed", "converted"), ("sent", "")])
    assert sandbox.sends()[0] == 1


def test_a_use_case_that_schedules_itself_lets_nothing_be_held(sender: Any) -> None:
    sender.fill(1, due_at=NOON)
    facts = {"now": NINE, "pool": sender.pool}
    assert not hand_over_ahead(sender.stores.state, sender.channel, sender.log, **facts)
    assert not held(sender, sender.slow()), "its connector cannot"
    assert sender.states() == {"pending": 1}


def test_a_receiver_that_tells_no_limit_gets_no_more_calls_than_it_may(
    sender: Any, sandbox: Any
) -> None:
    own = {name: each for name, each in vars(Braze).items() if name[0] != "_" and name != "window"}
    few = replace(sender.channel, connector=type("Few", (), {**own, "calls_per_hour": 2})())
    sender.fill([1], due_at=NOON)
    assert held(sender, few) == Counter(sent=1)
    sender.fill([2], due_at=NOON)
    recall(sender, "converted", "%1")
    assert (held(sender, few), follow(sender, few)) == (Counter(), 0)
    assert sender.states() == {"pending": 1, "scheduled": 1}
    # Another connector by now, which holds nothing: what was held is followed all the same.
    assert follow(sender, sender.slow(), now=NOON) == 1
    assert sender.states() == {"pending": 1, "sent": 1}


@pytest.mark.parametrize(
    ("fault", "state", "held_there"),
    [
        ("429", "pending", False),
        ("timeout_before", "unknown", False),
        ("timeout_after", "unknown", True),
        ("502_after", "unknown", True),
        ("malformed_after", "unknown", True),
    ],
)
def test_whatever_happens_to_the_call_everybody_gets_one_message(
    sender: Any, sandbox: Any, fault: str, state: str, *, held_there: bool
) -> None:
    sender.fill(4, due_at=NOON)
    sandbox.faults(fault)
    held(sender)
    assert sender.states() == {state: 4}
    sender.expire()
    if state == "unknown":
        assert (held(sender), sender.send(), sender.ask()) == (Counter(),) * 3, "not before noon"
    until_noon(sender, sandbox)
    assert sender.states() == {"sent": 4}
    assert sandbox.sends() == (4, 4, 1)
    shown = "Braze shows that the message was received."
    assert {row["reason"] for row in sender.outbox()} == {shown if held_there else ""}


@pytest.mark.parametrize("received", [False, True])
def test_killed_around_the_call_nothing_is_held_twice(
    sender: Any, sandbox: Any, *, received: bool
) -> None:
    sender.fill(3, due_at=NOON)

    def die(request: Request) -> Answer:
        if received:
            sender.channel.call(request)
        raise Killed

    with pytest.raises(Killed):
        held(sender, sender.answering(die))
    assert sender.states() == {"reserved": 3}
    sender.abandon(takeover=True)
    sender.expire()
    assert (held(sender), sender.ask()) == (Counter(), Counter())
    until_noon(sender, sandbox)
    assert sandbox.sends() == (3, 3, 1)
    assert len(sender.events()) == 3


def test_another_send_of_the_person_meanwhile_leaves_it_to_engagement(
    sender: Any, sandbox: Any
) -> None:
    """Its receiver shows the newest receipt only, which is of another message."""
    sender.fill([1], due_at=NOON)
    sandbox.faults("timeout_before")
    assert held(sender) == Counter(unknown=1)
    sender.fill([1], day=NINE.date() + timedelta(days=1), due_at=NINE)
    assert sender.send() == Counter(sent=1), "what may be held for later does not keep others"
    sender.fill([1], day=NINE.date() + timedelta(days=2), due_at=NOON)
    sandbox.tell_time(NOON)
    assert sender.send(now=NOON) == Counter(), "near its time it does"
    sender.stores.state.rows(
        "update outbox set state = 'sent', attempted_at = %(noon)s where state = 'pending'",
        {"noon": NOON},
    )
    sender.expire()
    assert sender.ask(now=NOON) == Counter()
    sender.stores.state.rows("update outbox set choice = 'give_up' where state = 'unknown'")
    assert sender.ask(now=NOON) == Counter(failed=1)


def test_who_is_taken_back_alone_gets_nothing_and_the_others_do(sender: Any, sandbox: Any) -> None:
    sender.fill(4, due_at=NOON)
    sender.stores.state.rows("update outbox set ends_on = '{Bought}' where key like '%1'")
    assert held(sender) == Counter(sent=4)
    assert len(sandbox.ask("GET", "schedules")["schedules"]) == 2, "alone, and the other three"
    recall(sender, "converted", "%1")
    assert (follow(sender), follow(sender)) == (1, 0)
    assert sender.states() == {"failed": 1, "scheduled": 3}
    until_noon(sender, sandbox)
    assert reasons(sender) == Counter({("failed", "converted"): 1, ("sent", ""): 3})
    assert sandbox.sends() == (3, 3, 1)
    assert len(sender.events()) == 3


def test_whoever_was_held_with_one_who_is_taken_back_is_held_anew(
    sender: Any, sandbox: Any
) -> None:
    sender.fill(3, due_at=NOON)
    held(sender)
    recall(sender, "the person was forgotten", "%1")
    assert follow(sender) == 3
    assert sender.states() == {"failed": 1, "pending": 2}
    assert held(sender) == Counter(sent=2)
    until_noon(sender, sandbox)
    assert sandbox.sends() == (2, 2, 1)


@pytest.mark.parametrize(
    ("fault", "after", "ended"),
    [
        ("429", "scheduled", "scheduled"),
        ("timeout_before", "scheduled", "failed"),
        ("timeout_after", "scheduled", "unknown"),
        ("502_after", "scheduled", "unknown"),
    ],
)
def test_what_is_not_surely_given_back_is_not_called_so(
    sender: Any, sandbox: Any, fault: str, after: str, ended: str
) -> None:
    sender.fill(1, due_at=NOON)
    held(sender)
    recall(sender, "converted")
    faults_of_deletes(sandbox, fault)
    assert follow(sender) == 1
    (row,) = sender.outbox()
    assert row["state"] == after
    assert "taken back (converted)" in row["reason"] or "(converted) was not" in row["reason"]
    # No more calls than Braze takes.
    assert follow(sender) == (0 if fault == "429" else 1)
    assert sender.states() == {ended: 1}
    assert sender.ask() == Counter(), "what became of it shows at its time"
    until_noon(sender, sandbox)
    if fault == "429":
        assert reasons(sender) == {("sent", "It was too late to take it back (converted)."): 1}
    else:
        assert reasons(sender) == {("failed", "converted"): 1}
    assert sandbox.sends()[0] == (1 if fault == "429" else 0)


def test_what_braze_sent_already_is_not_called_taken_back(sender: Any, sandbox: Any) -> None:
    sender.fill(1, due_at=NOON)
    held(sender)
    recall(sender, "converted")
    sandbox.tell_time(NOON)
    assert follow(sender, now=NOON - timedelta(hours=1)) == 1
    ((state, reason),) = reasons(sender)
    assert state == "unknown"
    assert reason is not None
    assert reason.startswith("It could not be taken back (converted). Braze refused the call (400)")
    until_noon(sender, sandbox)
    assert reasons(sender) == {("sent", "Braze shows that the message was received."): 1}
    assert sandbox.sends() == (1, 1, 1)


def test_taken_back_close_to_its_time_it_may_have_gone(sender: Any, sandbox: Any) -> None:
    sender.fill(1, due_at=NOON)
    held(sender)
    recall(sender, "converted")
    assert follow(sender, now=NOON - timedelta(minutes=4)) == 1
    ((state, reason),) = reasons(sender)
    assert (state, reason) == (
        "unknown",
        "It was taken back (converted) so close to its time that it may have gone out.",
    )
    until_noon(sender, sandbox)
    assert reasons(sender) == {("failed", "converted"): 1}
    assert sandbox.sends()[0] == 0


@pytest.mark.parametrize("received", [False, True])
def test_killed_while_it_took_back_the_next_one_asks_again(
    sender: Any, sandbox: Any, *, received: bool
) -> None:
    sender.fill(1, due_at=NOON)
    held(sender)
    recall(sender, "converted")

    def die(request: Request) -> Answer:
        if received:
            sender.channel.call(request)
        raise Killed

    with pytest.raises(Killed):
        follow(sender, sender.answering(die))
    assert sender.states() == {"scheduled": 1}
    sender.abandon(takeover=True)
    assert follow(sender) == 1
    assert sender.states() == {"unknown" if received else "failed": 1}
    until_noon(sender, sandbox)
    assert reasons(sender) == {("failed", "converted"): 1}
    assert sandbox.sends()[0] == 0


def test_a_storm_of_faults_ends_with_one_message_each(sender: Any, sandbox: Any) -> None:
    sender.fill(120, due_at=NOON)
    sender.stores.state.rows("update outbox set ends_on = '{Bought}' where key like '%7'")
    storm = ["502_after", "none", "reset_after", "500", "429", "none", "timeout_after"]
    sandbox.faults(*storm, "none", "502_after", "429")
    faults_of_deletes(sandbox, "502_after", "429", "timeout_before", "none", "reset_after", "500")
    held(sender)
    recall(sender, "converted", "%7")
    for _ in range(3):
        follow(sender)
        sender.expire()
        held(sender)
    until_noon(sender, sandbox)
    ended = Counter(state for state, _ in reasons(sender).elements())
    assert sandbox.sends() == (ended["sent"], ended["sent"], 1)
    assert sum(ended.values()) == 120
    assert {reason for state, reason in reasons(sender) if state == "failed"} == {"converted"}


def test_who_left_is_looked_up_once_a_minute(
    sender: Any, sandbox: Any, take_in: Callable[..., None]
) -> None:
    users = [f"c00000{n}" for n in (1, 2, 3)]
    take_in(
        *(
            {
                "type": "track",
                "event": "Page Viewed",
                "messageId": user,
                "userId": user,
                "timestamp": NINE.isoformat(),
            }
            for user in users[:2]
        )
    )
    sender.fill(3, due_at=NOON)
    sender.stores.state.rows(
        "insert into segment_membership (segment, profile_id, entered_at, left_at)"
        " select 'buyers', profile_id, now(), case when value like '%%1' then now() end"
        " from identifier where kind = 'user_id' and value = any (%(users)s)",
        {"users": users},
    )
    channel = replace(sender.channel, audience=(["buyers"], []))
    held(sender, channel, alone=True)
    assert follow(sender, channel) == 2, "who left, and whom nobody knows"
    assert reasons(sender) == Counter({("failed", "left_audience"): 2, ("scheduled", ""): 1})
    sender.stores.state.rows("update segment_membership set left_at = now()")
    assert follow(sender, channel) == 0, "looked at a moment ago"
    sender.stores.state.rows("update bucket set tokens = 1")
    assert follow(sender, channel) == 1
    assert sandbox.ask("GET", "schedules")["schedules"] == []


@pytest.mark.parametrize(
    ("said", "outcome", "reason"),
    [
        ({}, "sent", ""),
        ({"evidence": "aborted"}, "failed", "Braze reports that it aborted the message."),
        ({"recall": ""}, "sent", "It was too late to take it back."),
        (
            {"recall": "converted", "recalled_at": NINE},
            "unknown",
            "Its time came while it was taken back (converted): it went out, or not.",
        ),
        (
            {"recall": "converted", "recalled_at": NINE, "evidence": "seen"},
            "sent",
            "It was too late to take it back (converted).",
        ),
        (
            {"recall": FORGOTTEN, "recalled_at": NINE},
            "failed",
            f"Its time came while it was taken back ({FORGOTTEN}): it went out, or not.",
        ),
    ],
)
def test_what_became_of_it_is_said_as_it_is_known(
    said: dict[str, Any], outcome: str, reason: str
) -> None:
    found = _arrived(claimed(said))
    assert (found.outcome, found.reason) == (outcome, reason)


@pytest.mark.parametrize(
    ("outcome", "why", "left", "state"),
    [
        ("taken_back", None, 60, "pending"),
        ("taken_back", "", 60, "pending"),
        ("taken_back", "converted", 60, "failed"),
        ("taken_back", "converted", 4, "unknown"),
        ("taken_back", FORGOTTEN, 4, "failed"),
        ("refused", None, 60, "unknown"),
        ("refused", FORGOTTEN, 60, "failed"),
        ("unknown", "converted", 60, "scheduled"),
        ("retry", "converted", 60, "scheduled"),
    ],
)
def test_what_came_back_is_what_surely_did(
    outcome: Any, why: str | None, left: int, state: str
) -> None:
    claim = claimed({"recall": why, "held_until": NINE + timedelta(minutes=left)})
    said = Recall(outcome=outcome, reason="told", retry_after_s=None)
    found = _given_back(claim, said, now=NINE, settle_s=7.0)
    assert found["state"] == state
    in_doubt = outcome in ("unknown", "refused") or left == 4
    assert found["recalled_at"] == (NINE if in_doubt else None)
    waited = _given_back(claim, replace(said, retry_after_s=90.0), now=NINE, settle_s=7.0)["wait_s"]
    done = outcome == "taken_back" and left == 60
    assert (found["wait_s"], waited) == (
        (0.0, 0.0) if done else (30.0 if outcome == "retry" else 7.0, 90.0)
    )
