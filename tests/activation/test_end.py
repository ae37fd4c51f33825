"""What waits for its time is not sent to who converted or left the audience meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from opportune.activation.end import end_left
from opportune.decisions import parse_use_case
from opportune.storage import Stores

SIX = datetime(2026, 3, 1, 6, tzinfo=UTC)
NINE = SIX + timedelta(hours=3)
TakeIn = Callable[..., None]


def fill(stores: Stores, *users: str, ends_on: list[str] | None = None) -> None:
    """A pending row of each, queued at six and due at nine."""
    stores.state.rows(
        "insert into outbox (key, use_case, day, connector, profile_id, user_id, properties,"
        " due_at, ends_on, ends_from) select u, 'next', '2026-03-01', 'braze', 1, u, '{}',"
        " %(due)s, %(ends_on)s, %(six)s from unnest(%(users)s::text[]) as u",
        {"users": list(users), "due": NINE, "ends_on": ends_on, "six": SIX},
    )


def states(stores: Stores) -> dict[str, tuple[str, str | None]]:
    rows = stores.state.rows("select key, state, reason from outbox order by key")
    return {row["key"]: (row["state"], row["reason"]) for row in rows}


def did(user: str, event: str, at: datetime) -> dict[str, object]:
    return {
        "type": "track",
        "messageId": f"{user}{event}{at}",
        "userId": user,
        "event": event,
        "timestamp": at.isoformat(),
    }


WAITS = ("pending", None)


def test_who_converted_since_the_decision_is_not_sent_to(stores: Stores, take_in: TakeIn) -> None:
    seven = SIX + timedelta(hours=1)
    # Nothing waits: nothing is compared.
    take_in(did("early", "Order Completed", SIX - timedelta(hours=1)))
    fill(stores, "bought", "looked", "early", ends_on=["Order Completed", "Order Paid"])
    fill(stores, "other")
    take_in(
        did("bought", "Order Paid", seven),
        did("looked", "Page Viewed", seven),
        did("early", "Order Completed", SIX - timedelta(minutes=1)),
        did("other", "Order Completed", seven),
        received_at=seven,
    )
    assert states(stores) == {
        "bought": ("failed", "converted"),
        "early": WAITS,
        "looked": WAITS,
        "other": WAITS,
    }


def test_what_is_under_way_or_sent_stays_as_it_is(stores: Stores, take_in: TakeIn) -> None:
    fill(stores, "a", "b", "c", ends_on=["Order Completed"])
    stores.state.rows("update outbox set state = 'reserved' where key = 'a'")
    stores.state.rows("update outbox set state = 'sent' where key = 'b'")
    seven = SIX + timedelta(hours=1)
    take_in(*(did(each, "Order Completed", seven) for each in "abc"), received_at=seven)
    assert [state for state, _ in states(stores).values()] == ["reserved", "sent", "failed"]


def test_what_a_receiver_holds_or_may_hold_is_to_come_back(stores: Stores, take_in: TakeIn) -> None:
    fill(stores, "a", "b", "c", "d", ends_on=["Order Completed"])
    for key, state, held, why in (
        ("a", "scheduled", True, None),
        ("b", "unknown", True, ""),
        ("c", "unknown", False, None),
        ("d", "scheduled", True, "consent_withdrawn"),
    ):
        stores.state.rows(
            "update outbox set state = %(state)s, recall = %(why)s,"
            " held_until = case when %(held)s then due_at end where key = %(key)s",
            {"key": key, "state": state, "held": held, "why": why},
        )
    seven = SIX + timedelta(hours=1)
    take_in(*(did(each, "Order Completed", seven) for each in "abcd"), received_at=seven)
    rows = stores.state.rows("select key, state, recall, reason from outbox order by key")
    assert [tuple(row.values()) for row in rows] == [
        ("a", "scheduled", "converted", None),
        ("b", "unknown", "converted", None),
        ("c", "unknown", None, None),
        ("d", "scheduled", "consent_withdrawn", None),
    ]


def test_who_left_the_audience_is_not_sent_to(stores: Stores, take_in: TakeIn) -> None:
    users = ("inside", "left", "barred", "unknown", "later")
    take_in(*(did(each, "Page Viewed", SIX) for each in users if each != "unknown"))
    fill(stores, *users)
    later = "update outbox set due_at = due_at + interval '1 hour' where key = 'later'"
    stores.state.rows(later)
    for segment, user, left_at in (
        ("buyers", "inside", None),
        ("buyers", "left", NINE),
        ("buyers", "barred", None),
        ("complaints", "barred", None),
    ):
        stores.state.rows(
            "insert into segment_membership (segment, profile_id, entered_at, left_at)"
            " select %(segment)s, profile_id, %(six)s, %(left_at)s from identifier"
            " where kind = 'user_id' and value = %(user)s",
            {"segment": segment, "user": user, "six": SIX, "left_at": left_at},
        )
    with stores.state.transaction() as connection:
        ended = end_left(connection, "next", (["buyers"], ["complaints"]), now=NINE)
    gone = ("failed", "left_audience")
    assert ended == 3
    assert states(stores) == {
        "barred": gone,
        "inside": WAITS,
        "later": WAITS,
        "left": gone,
        "unknown": gone,
    }


@pytest.mark.parametrize(
    ("said", "found"),
    [(None, ()), ("left", ("left",)), ("converted, left", ("converted", "left"))],
)
def test_a_use_case_says_what_takes_a_send_back(said: str | None, found: tuple[str, ...]) -> None:
    problems: list[str] = []
    activation = {"connector": "braze"} | ({} if said is None else {"cancel_when": said})
    parsed = parse_use_case("next", {**BODY, "activation": activation}, problems)
    assert problems == []
    assert parsed is not None
    assert parsed.activation.cancel_when == found
    kept = (("buyers",), ("complaints",)) if "left" in found else None
    assert parsed.audience_when_sent == kept
    assert "cancel_when" not in parsed.activation.config


@pytest.mark.parametrize(("said", "found"), [(None, "ours"), ("ours", "ours"), ("braze", "braze")])
def test_a_use_case_says_whose_schedule_its_sends_wait_in(said: str | None, found: str) -> None:
    problems: list[str] = []
    activation = {"connector": "braze"} | ({} if said is None else {"schedule": said})
    parsed = parse_use_case("next", {**BODY, "activation": activation}, problems)
    assert parsed is not None
    assert (parsed.activation.schedule, problems) == (found, [])
    assert "schedule" not in parsed.activation.config


def test_another_schedule_is_refused() -> None:
    problems: list[str] = []
    activation = {"connector": "braze", "schedule": "brase"}
    assert parse_use_case("next", {**BODY, "activation": activation}, problems) is None
    assert problems == [
        "use_cases/next.toml: activation.schedule: 'brase' given. Did you mean 'braze'? "
        "Allowed: braze, ours."
    ]


def test_what_takes_nothing_back_is_refused() -> None:
    problems: list[str] = []
    activation = {"connector": "braze", "cancel_when": "lefft"}
    assert parse_use_case("next", {**BODY, "activation": activation}, problems) is None
    (problem,) = problems
    assert problem.startswith("use_cases/next.toml: activation.cancel_when: 'lefft' given.")


BODY = {
    "success_metric": "orders",
    "audience": {"segments": ["buyers"], "minus": ["complaints"]},
    "dimensions": [{"name": "offer", "options": [{"name": "tea"}, {"name": "cake"}]}],
}
