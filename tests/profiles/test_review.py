"""What no rule can decide waits for a person, with its evidence; nobody is joined silently."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from opportune import profiles
from opportune.profiles import DecisionDoesNotFit, Link, UnknownReview
from opportune.storage import Stores

Row = dict[str, object]
Identify = Callable[..., Row]
Resolve = Callable[[Sequence[Row]], None]
Everything = Callable[[], dict[str, Any]]

NOW = datetime(2026, 3, 1, tzinfo=UTC)
U1, U2, A1 = ("user_id", "u1"), ("user_id", "u2"), ("anonymous_id", "a1")


def us(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)


def settle(stores: Stores, decision: profiles.Decision) -> None:
    (item,) = profiles.review(stores.state)
    profiles.settle(stores.state, item.review_id, decision, by="ann", now=NOW)


def identifiers(stores: Stores, kind: str, value: str) -> tuple[tuple[str, str], ...]:
    return profiles.get(stores.state, kind, value).identifiers


@pytest.fixture
def shared(identify: Identify, resolve: Resolve) -> None:
    """Two known users on one device."""
    resolve([identify("u1", "a1", {"n": 1}, at_us=1_000_000)])
    resolve([identify("u2", "a1", {"n": 2}, at_us=2_000_000)])


@pytest.mark.usefixtures("shared")
def test_two_known_users_are_put_on_the_list_with_the_evidence(stores: Stores) -> None:
    (item,) = profiles.review(stores.state)
    assert (item.reason, item.owner, item.other) == ("two_known", U2, A1)
    assert item.owner_profile_id == profiles.get(stores.state, *U2).profile_id
    assert item.other_profile_id == profiles.get(stores.state, *U1).profile_id
    assert (item.occurred_at, item.message_id, item.source_id, item.rule) == (
        us(2_000_000),
        "m2000000",
        "shop",
        "seen_together",
    )
    assert identifiers(stores, *U2) == (U2,)


@pytest.mark.usefixtures("shared")
def test_the_identity_of_a_profile_shows_every_link(stores: Stores) -> None:
    found = profiles.identity(stores.state, *U1)
    assert [(each.kind, each.value, each.linked_at) for each in found.identifiers] == [
        ("anonymous_id", "a1", us(1_000_000)),
        ("user_id", "u1", us(1_000_000)),
    ]
    common = {"rule": "seen_together", "source_id": "shop", "other": A1}
    assert found.links == (
        Link(owner=U1, occurred_at=us(1_000_000), message_id="m1000000", set_aside=None, **common),
        Link(
            owner=U2,
            occurred_at=us(2_000_000),
            message_id="m2000000",
            set_aside="two_known",
            **common,
        ),
    )
    assert (found.cuts, found.changes) == ((), ())


@pytest.mark.usefixtures("shared")
def test_apart_takes_it_from_the_list_and_changes_nothing(
    stores: Stores, everything: Everything
) -> None:
    before = everything()
    settle(stores, "apart")
    assert profiles.review(stores.state) == []
    assert everything() == before


@pytest.mark.usefixtures("shared")
def test_move_gives_the_identifier_to_who_claims_it(stores: Stores) -> None:
    settle(stores, "move")
    assert identifiers(stores, *U1) == (U1,)
    assert identifiers(stores, *U2) == (A1, U2)
    assert profiles.review(stores.state) == []
    (cut,) = profiles.identity(stores.state, *U1).cuts
    (link,) = (each for each in profiles.identity(stores.state, *U2).links if each.owner == U2)
    assert (link.set_aside, link.decision, link.decided_by, link.decided_at) == (
        None,
        "move",
        "ann",
        NOW,
    )
    profiles.restore(stores.state, cut.cut_id, by="ann", now=NOW)
    assert identifiers(stores, *U1) == (A1, U1)
    assert [(item.reason, item.owner) for item in profiles.review(stores.state)] == [
        ("two_known", U2)
    ]


@pytest.mark.usefixtures("shared")
def test_same_joins_the_two_and_a_cut_parts_them_again(
    stores: Stores, everything: Everything
) -> None:
    before = everything()
    settle(stores, "same")
    assert identifiers(stores, *U2) == (A1, U1, U2)
    assert profiles.get(stores.state, *U1).traits == {"n": 2}
    assert [row["user_id"] for row in profiles.snapshot(stores.state).to_pylist()] == ["u1"]
    (change,) = profiles.identity(stores.state, *U1).changes
    assert (change.identifier, change.reason, change.changed_by, change.changed_at) == (
        U2,
        "review",
        "ann",
        NOW,
    )
    profiles.cut(stores.state, *U2, by="bob", reason="no, two people", now=NOW)
    assert everything() == before


@pytest.mark.usefixtures("shared")
def test_evidence_never_joins_what_a_person_did_not(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    settle(stores, "apart")
    email = {"email": "x@example.com"}
    resolve([identify("u1", "a1", email, at_us=3), identify("u2", "a1", email, at_us=4)])
    assert {row["user_id"] for row in profiles.snapshot(stores.state).to_pylist()} == {"u1", "u2"}
    (item,) = profiles.review(stores.state)
    assert (item.owner, item.other) == (U2, ("email", "x@example.com"))


def test_one_value_too_many_is_set_aside_and_not_lost(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", f"a{number}", at_us=number) for number in range(1, 7)])
    assert len(identifiers(stores, *U1)) == 6
    (item,) = profiles.review(stores.state)
    assert (item.reason, item.other) == ("limit", ("anonymous_id", "a6"))
    assert identifiers(stores, "anonymous_id", "a6") == (("anonymous_id", "a6"),)
    resolve([identify(None, "a6", {"n": 1}, at_us=9)])
    assert profiles.get(stores.state, "anonymous_id", "a6").traits == {"n": 1}
    settle(stores, "same")
    assert len(identifiers(stores, *U1)) == 7
    assert profiles.get(stores.state, *U1).traits == {"n": 1}


def test_a_decision_that_does_not_fit_is_refused_and_stays_open(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", f"a{number}", at_us=number) for number in range(1, 7)])
    with pytest.raises(DecisionDoesNotFit, match=r"Allowed: apart, same\.$"):
        settle(stores, "move")
    (item,) = profiles.review(stores.state)
    for unknown in ("0" * 32, "nonsense", ""):
        with pytest.raises(UnknownReview):
            profiles.settle(stores.state, unknown, "apart", by="ann", now=NOW)
    profiles.settle(stores.state, item.review_id, "apart", by="ann", now=NOW)
    with pytest.raises(UnknownReview):
        profiles.settle(stores.state, item.review_id, "apart", by="ann", now=NOW)


def test_the_list_is_as_long_as_asked_and_newest_first(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify(f"u{number}", "a1", at_us=number) for number in range(1, 6)])
    listed = profiles.review(stores.state, limit=3)
    assert [each.owner[1] for each in listed] == ["u5", "u4", "u3"]
    assert len(profiles.review(stores.state, limit=10_000)) == 4
    assert profiles.review(stores.state, limit=-1) == []


def test_older_evidence_does_not_undo_what_a_person_decided(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", f"a{number}", at_us=number * number) for number in range(1, 7)])
    settle(stores, "same")
    resolve([identify("u1", "a6", at_us=30)])
    assert len(identifiers(stores, *U1)) == 7
    rules = [link.rule for link in profiles.identity(stores.state, *U1).links]
    assert (rules.count("seen_together"), rules.count("decided")) == (6, 1)


def test_the_place_of_a_shared_identifier_is_decided_at_once_for_thousands(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    users = 3_000
    rows = [identify(f"u{number}", "a1", at_us=number + 1) for number in range(users)]
    resolve(rows[1_000:])
    resolve(rows[:1_000])
    assert identifiers(stores, "anonymous_id", "a1") == (A1, ("user_id", "u0"))
    links = "select set_aside, count(*)::int as n from identifier_link group by 1 order by 1"
    assert stores.state.rows(links) == [
        {"set_aside": "two_known", "n": users - 1},
        {"set_aside": None, "n": 1},
    ]
    moves = "select count(*)::int as n from profile_change"
    assert stores.state.rows(moves) == [{"n": 1}]
    resolve(rows)
    assert stores.state.rows(links)[1] == {"set_aside": None, "n": 1}
    assert stores.state.rows(moves) == [{"n": 1}]
