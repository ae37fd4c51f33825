"""A whole profile, one session, one event: what is asked and excluded on each (CJA-2, CJA-5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from opportune.rules import SESSION_GAP_US, Facts

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
Answer = Callable[[dict[str, object], Facts], bool]
Past = Callable[..., Facts]

A, B = {"event": "A"}, {"event": "B"}


def test_a_session_ends_after_thirty_minutes_without_any_event(answer: Answer, past: Past) -> None:
    assert SESSION_GAP_US == 30 * 60 * 1_000_000
    both = {"session": {"all": [A, B]}}
    assert answer(both, past(("A", 90), ("B", 60)))
    assert not answer(both, past(("A", 91), ("B", 60)))
    # Any event keeps a session alive, and it is any session that will do.
    assert answer(both, past(("A", 91), ("C", 75), ("B", 60)))
    assert answer(both, past(("A", 500), ("A", 90), ("B", 60), ("B", 10)))


def test_one_event_one_session_and_the_whole_profile_are_different_containers(
    answer: Answer, past: Past
) -> None:
    """CJA-2: the same two conditions, asked of an event, of a session and of a profile."""
    red, large = {"property": "red", "is": True}, {"property": "large", "is": True}

    def on(level: str) -> dict[str, object]:
        apart = {"all": [{"event": "A", "where": red}, {"event": "A", "where": large}]}
        together: dict[str, object] = {"event": "A", "where": {"all": [red, large]}}
        return {"event": together, "session": {"session": apart}, "profile": apart}[level]

    apart = past(("A", 99, {"red": True}), ("A", 9, {"large": True}))
    close = past(("A", 19, {"red": True}), ("A", 9, {"large": True}))
    one = past(("A", 9, {"red": True, "large": True}))
    levels = ("event", "session", "profile")
    assert [answer(on(level), apart) for level in levels] == [False, False, True]
    assert [answer(on(level), close) for level in levels] == [False, True, True]
    assert [answer(on(level), one) for level in levels] == [True, True, True]


def test_excluding_an_event_a_session_and_a_profile_differ(answer: Answer, past: Past) -> None:
    """CJA-5: on each level, not B leaves other people over."""
    an_event = {"event": ["A", "B"], "where": {"not": {"property": "kind", "is": "b"}}}
    a_session = {"session": {"not": B}}
    a_profile = {"not": B}
    no_session = {"not": {"session": B}}

    def told(facts: Facts) -> list[bool]:
        return [answer(each, facts) for each in (an_event, a_session, a_profile, no_session)]

    b = ("B", 90, {"kind": "b"})
    assert told(past(b, ("A", 89))) == [True, False, False, False]
    assert told(past(b, ("A", 9))) == [True, True, False, False]
    assert told(past(b)) == [False, False, False, False]
    assert told(past(("A", 9))) == [True, True, True, True]
    # Who did nothing has no event and no session.
    assert told(Facts(now=NOW)) == [False, False, True, True]


def test_counts_within_a_session_are_of_that_session(answer: Answer, past: Past) -> None:
    facts = past(("A", 99, {"n": 1}), ("A", 98, {"n": 2}), ("A", 9, {"n": 4}))
    assert answer({"session": {"event": "A", "count": {"is": 2}}}, facts)
    assert not answer({"session": {"event": "A", "count": {"is": 3}}}, facts)
    assert answer({"session": {"event": "A", "sum": {"property": "n", "is": 3}}}, facts)
    assert answer({"session": {"event": "A", "within": {"hours": 1}}}, facts)
    assert answer({"session": {"event": "A", "count": {"is": 0}, "within": {"hours": 1}}}, facts)


def test_a_sequence_within_a_session_does_not_leave_it(answer: Answer, past: Past) -> None:
    then = {"sequence": [A, B]}
    assert answer(then, past(("A", 99), ("B", 9)))
    assert not answer({"session": then}, past(("A", 99), ("B", 9)))
    assert answer({"session": then}, past(("B", 99), ("A", 19), ("B", 9)))
    near = {"sequence": [A, {**B, "within": {"events": 1}}]}
    assert answer({"session": near}, past(("A", 99), ("A", 19), ("B", 9)))
    assert not answer({"session": near}, past(("A", 19), ("C", 15), ("B", 9)))
    absent = {"sequence": [A, {**B, "absent": True, "within": {"minutes": 60}}]}
    assert answer({"session": absent}, past(("A", 99), ("B", 60)))
    assert not answer(absent, past(("A", 99), ("B", 60)))


def test_several_sessions_are_asked_for_alone(answer: Answer, past: Past) -> None:
    both = {"all": [{"session": {"all": [A, B]}}, {"session": {"all": [A, {"not": B}]}}]}
    assert answer(both, past(("A", 99), ("B", 98), ("A", 9)))
    assert not answer(both, past(("A", 99), ("B", 98)))


def test_membership_is_what_it_is_now(answer: Answer) -> None:
    facts = Facts(now=NOW, segments=frozenset({"vip"}))
    assert answer({"segment": "vip"}, facts)
    assert not answer({"segment": "new"}, facts)
    assert answer({"all": [{"segment": "vip"}, {"not": {"segment": "new"}}]}, facts)


@pytest.mark.parametrize("has_done", [True, False])
def test_levels_nest_in_one_rule(answer: Answer, past: Past, has_done: bool) -> None:
    facts = Facts(
        now=NOW,
        traits={"age": 30},
        events=past(("A", 9)).events if has_done else (),
        segments=frozenset({"vip"}),
    )
    rule = {
        "all": [
            {"any": [{"trait": "age", "at_least": 40}, {"segment": "vip"}]},
            {"not": {"all": [{"trait": "age", "less_than": 18}, A]}},
            {"any": [{"session": A}, {"sequence": [A, B]}]},
        ]
    }
    assert answer(rule, facts) is has_done
