"""What a person does not allow is not sent: not put in line, taken out of it, never tried again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from opportune import activation
from opportune.activation import ConsentNotPossible, Statement
from opportune.storage import Stores

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)
TakeIn = Callable[..., None]
RULES = {
    "sends": "marketing",
    "purposes": {
        "marketing": {"unknown": "no", "traits": {"email_opt_in": "email"}},
        "service": {"unknown": "yes"},
    },
}


@pytest.fixture(autouse=True)
def rules(stores: Stores) -> None:
    stores.state.rows(
        "insert into definition (kind, name, version, body, created_at)"
        " values ('settings', 'consent', 1, %(body)s::jsonb, now())",
        {"body": json.dumps(RULES)},
    )


def opt_in(user: str, value: object, minutes: int, **said: object) -> dict[str, object]:
    moment = NINE - timedelta(hours=4) + timedelta(minutes=minutes)
    return {
        "type": "identify",
        "messageId": f"{user}{minutes}",
        "userId": user,
        "timestamp": moment.isoformat(),
        "traits": {"email_opt_in": value},
        **said,
    }


def ask_for(stores: Stores, purpose: str = "marketing", channel: str = "email") -> None:
    """Let every row of the outbox need consent."""
    stores.state.rows(
        "update outbox set purpose = %(purpose)s, channel = %(channel)s",
        {"purpose": purpose, "channel": channel},
    )


def outcomes(stores: Stores) -> Counter[tuple[str, str | None]]:
    rows = stores.state.rows("select state, reason from outbox")
    return Counter((row["state"], row["reason"]) for row in rows)


def test_a_refusal_ends_what_waits_for_that_channel_in_the_transaction_that_takes_it_in(
    stores: Stores, sender: Any, take_in: TakeIn
) -> None:
    take_in(opt_in("c000001", True, 1, anonymousId="a1"), opt_in("c000002", True, 1))
    sender.fill([1, 2])
    ask_for(stores)
    sender.fill([1], name="other")
    stores.state.rows(
        "update outbox set purpose = 'marketing', channel = 'sms' where use_case = 'other'"
    )
    take_in(opt_in("c000001", True, 0), opt_in("c000002", True, 2))
    assert outcomes(stores) == {("pending", None): 3}
    take_in({**opt_in("", False, 3), "userId": None, "anonymousId": "a1"})
    rows = stores.state.rows("select user_id, use_case, state, reason from outbox order by key")
    assert [tuple(row.values()) for row in rows] == [
        # Nobody ever agreed to messages of this channel.
        ("c000001", "other", "failed", "consent_withdrawn"),
        ("c000001", "win_back", "failed", "consent_withdrawn"),
        ("c000002", "win_back", "pending", None),
    ]


def test_a_late_message_does_not_undo_a_newer_refusal(
    stores: Stores, sender: Any, take_in: TakeIn
) -> None:
    take_in(opt_in("c000001", False, 5))
    take_in(opt_in("c000001", True, 4))
    sender.fill(1)
    ask_for(stores)
    assert sender.send() == {}
    assert outcomes(stores) == {("failed", "consent_withdrawn"): 1}
    assert stores.state.rows("select attempts from outbox") == [{"attempts": 0}]


def test_what_was_in_a_senders_hands_is_not_tried_again(
    stores: Stores, sender: Any, take_in: TakeIn
) -> None:
    take_in(opt_in("c000001", True, 1))
    sender.fill(1)
    ask_for(stores)
    refuse = sender.slow(outcome="retry", retry_after_s=0.0)

    def refuse_meanwhile(request: Any) -> Any:
        take_in(opt_in("c000001", False, 2))
        return sender.channel.call(request)

    sender.send(replace(refuse, call=refuse_meanwhile))
    assert outcomes(stores) == {("failed", "consent_withdrawn"): 1}


def test_consent_lost_by_joining_identifiers_counts_when_it_is_sent(
    stores: Stores, sender: Any, take_in: TakeIn
) -> None:
    take_in(opt_in("c000001", True, 1), opt_in("c000002", True, 1))
    take_in({**opt_in("", False, 2), "userId": None, "anonymousId": "a1"})
    sender.fill(2)
    ask_for(stores)
    page = {"type": "page", "userId": "c000001", "anonymousId": "a1", "messageId": "login"}
    take_in({**page, "timestamp": NINE.isoformat()}, received_at=NINE)
    assert sender.send() == {"sent": 1}
    assert Counter(state for state, _ in outcomes(stores)) == {"failed": 1, "sent": 1}
    assert outcomes(stores)["failed", "consent_withdrawn"] == 1


def test_a_statement_acts_at_once_and_is_an_event_like_any_other(
    stores: Stores, sender: Any, take_in: TakeIn
) -> None:
    take_in(opt_in("c000001", True, 1, anonymousId="a1"))
    sender.fill(1)
    ask_for(stores)
    said = Statement(purpose="*", channel="*", granted=False, by="desk", evidence="call 4711")
    assert activation.state_consent(stores, "anonymous_id", "a1", said, now=NINE) == 1
    assert outcomes(stores) == {("failed", "consent_withdrawn"): 1}
    before = stores.state.rows("select * from consent order by purpose")
    take_in(received_at=NINE)
    assert stores.state.rows("select * from consent order by purpose") == before
    assert before[0]["evidence"]["evidence"] == "call 4711"
    events = stores.lake.read("events")["event"].to_pylist()
    assert events.count("Consent Changed") == 1


@pytest.mark.parametrize(
    ("purpose", "said"),
    [("markting", "No purpose 'markting'. Allowed: marketing, service, *.")],
)
def test_a_statement_on_no_purpose_is_refused_and_nothing_is_kept(
    stores: Stores, purpose: str, said: str
) -> None:
    statement = Statement(purpose=purpose, channel="*", granted=True, by="desk", evidence="form")
    with pytest.raises(ConsentNotPossible) as refusal:
        activation.state_consent(stores, "user_id", "u", statement, now=NINE)
    assert refusal.value.message == said
    assert stores.state.rows("select count(*) as n from consent") == [{"n": 0}]


@pytest.mark.parametrize("user", ["null", "0000", "x" * 501])
def test_nobody_states_anything_for_an_id_that_is_nobodys(stores: Stores, user: str) -> None:
    statement = Statement(purpose="*", channel="*", granted=True, by="desk", evidence="form")
    with pytest.raises(ConsentNotPossible):
        activation.state_consent(stores, "user_id", user, statement, now=NINE)
    assert stores.state.rows("select count(*) as n from consent") == [{"n": 0}]


def test_rows_that_need_no_consent_are_left_alone(
    stores: Stores, sender: Any, take_in: TakeIn
) -> None:
    sender.fill([1, 2])
    stores.state.rows("update outbox set purpose = 'service' where user_id = 'c000002'")
    take_in(opt_in("c000001", False, 1), opt_in("c000002", False, 1))
    assert outcomes(stores) == {("pending", None): 2}
    assert sender.send() == {"sent": 2}


@pytest.mark.parametrize("told", [True, False])
def test_what_a_receiver_holds_is_taken_back_when_it_is_not_allowed_any_more(
    stores: Stores, sender: Any, sandbox: Any, take_in: TakeIn, *, told: bool
) -> None:
    take_in(opt_in("c000001", True, 1), opt_in("c000002", True, 1))
    # The third never allowed anything.
    sender.fill(3, due_at=NINE + timedelta(hours=3))
    ask_for(stores)
    facts: dict[str, Any] = {"now": NINE, "pool": sender.pool}
    ahead = replace(sender.channel, schedules=True)
    assert activation.hand_over_ahead(stores.state, ahead, sender.log, **facts) == {"sent": 2}
    assert len(sandbox.ask("GET", "schedules")["schedules"]) == 2, "each alone"
    if told:
        take_in(opt_in("c000001", False, 2))
    else:
        # As when identifiers are cut: what is allowed changes, and nothing says so.
        stores.state.rows("delete from consent where said_at_us is not null")
    came_back = activation.follow_held(stores.state, ahead, sender.log, **facts)
    assert came_back == (1 if told else 2)
    held = {} if not told else {("scheduled", ""): 1}
    assert outcomes(stores) == {("failed", "consent_withdrawn"): came_back + 1, **held}
    assert len(sandbox.ask("GET", "schedules")["schedules"]) == 2 - came_back
