"""A link is cut, and both sides get back exactly what is theirs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from opportune import profiles
from opportune.profiles import FirstIdentifier, UnknownCut, UnknownProfile
from opportune.storage import Stores

Row = dict[str, object]
Identify = Callable[..., Row]
Resolve = Callable[[Sequence[Row]], None]
Everything = Callable[[], dict[str, Any]]

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def us(at_us: int) -> datetime:
    return datetime.fromtimestamp(at_us / 1e6, UTC)


def cut(stores: Stores, kind: str, value: str) -> int:
    done = profiles.cut(stores.state, kind, value, by="ann", reason="a shared tablet", now=NOW)
    return done.cut_id


@pytest.fixture
def tablet(identify: Identify, resolve: Resolve) -> None:
    """A tablet was used, then somebody logged in with it, then it was used again."""
    resolve(
        [
            identify(None, "a1", {"plan": "plus", "seen": 1}, at_us=1_000_000),
            identify("u1", None, {"plan": "basic", "city": "Bern"}, at_us=2_000_000),
            identify("u1", "a1", {"vip": True}, at_us=3_000_000),
            identify(None, "a1", {"plan": "max"}, at_us=4_000_000),
        ]
    )


@pytest.mark.usefixtures("tablet")
def test_each_side_gets_its_traits_times_and_identifiers(stores: Stores) -> None:
    whole = profiles.get(stores.state, "user_id", "u1")
    assert whole.traits == {"plan": "max", "seen": 1, "city": "Bern", "vip": True}
    assert (whole.first_seen_at, whole.last_seen_at) == (us(1_000_000), us(4_000_000))
    cut(stores, "anonymous_id", "a1")
    known = profiles.get(stores.state, "user_id", "u1")
    assert known.identifiers == (("user_id", "u1"),)
    assert known.traits == {"plan": "basic", "city": "Bern", "vip": True}
    assert (known.first_seen_at, known.last_seen_at) == (us(2_000_000), us(3_000_000))
    device = profiles.get(stores.state, "anonymous_id", "a1")
    assert device.identifiers == (("anonymous_id", "a1"),)
    assert device.traits == {"plan": "max", "seen": 1}
    assert (device.first_seen_at, device.last_seen_at) == (us(1_000_000), us(4_000_000))


@pytest.mark.usefixtures("tablet")
def test_restoring_leaves_no_trace_but_the_history(stores: Stores, everything: Everything) -> None:
    before = everything()
    cut_id = cut(stores, "anonymous_id", "a1")
    restored = profiles.restore(stores.state, cut_id, by="bob", now=NOW)
    assert (restored.identifier, restored.anchor) == (("anonymous_id", "a1"), ("user_id", "u1"))
    assert (restored.cut_by, restored.reason) == ("ann", "a shared tablet")
    assert (restored.restored_by, restored.restored_at) == ("bob", NOW)
    assert everything() == before
    history = profiles.identity(stores.state, "user_id", "u1").changes
    assert [(each.reason, each.changed_by) for each in history] == [
        ("restore", "bob"),
        ("cut", "ann"),
    ]


@pytest.mark.usefixtures("tablet")
def test_nothing_that_is_seen_later_joins_them_again(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    cut(stores, "anonymous_id", "a1")
    email = {"email": "x@example.com"}
    resolve([identify("u1", "a1", at_us=5_000_000)])
    resolve([identify("u1", None, email, at_us=6_000_000)])
    resolve([identify(None, "a1", email, at_us=7_000_000)])
    assert profiles.get(stores.state, "anonymous_id", "a1").identifiers == (("anonymous_id", "a1"),)
    (waiting,) = profiles.review(stores.state)
    assert (waiting.reason, waiting.owner, waiting.other) == (
        "apart",
        ("email", "x@example.com"),
        ("anonymous_id", "a1"),
    )
    assert profiles.get(stores.state, "email", "x@example.com").identifiers == (
        ("email", "x@example.com"),
        ("user_id", "u1"),
    )


def test_what_hangs_on_an_identifier_goes_with_it(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    first, second = ({"email": "x@example.com"}, {"phone": "+49 170 12345"})
    resolve(
        [
            identify("u1", None, first, at_us=1),
            identify(None, "a1", {**first, **second}, at_us=2),
            identify("u1", "a2", at_us=3),
        ]
    )
    assert len(profiles.get(stores.state, "user_id", "u1").identifiers) == 5
    cut(stores, "email", "X@example.com")
    assert profiles.get(stores.state, "user_id", "u1").identifiers == (
        ("anonymous_id", "a2"),
        ("user_id", "u1"),
    )
    assert profiles.get(stores.state, "phone", "004917012345").identifiers == (
        ("anonymous_id", "a1"),
        ("email", "x@example.com"),
        ("phone", "+4917012345"),
    )


@pytest.mark.usefixtures("tablet")
def test_a_cut_identifier_may_belong_to_somebody_else(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u2", "a1", {"n": 2}, at_us=9_000_000)])
    assert profiles.get(stores.state, "user_id", "u2").identifiers == (("user_id", "u2"),)
    cut(stores, "anonymous_id", "a1")
    found = profiles.get(stores.state, "user_id", "u2")
    assert found.identifiers == (("anonymous_id", "a1"), ("user_id", "u2"))
    assert found.traits == {"plan": "max", "seen": 1, "n": 2}


@pytest.mark.usefixtures("tablet")
def test_what_cannot_be_cut_or_restored_is_refused_and_nothing_changes(
    stores: Stores, everything: Everything
) -> None:
    before = everything()
    with pytest.raises(FirstIdentifier):
        cut(stores, "user_id", "u1")
    with pytest.raises(UnknownProfile):
        cut(stores, "user_id", "nobody\0")
    with pytest.raises(UnknownCut):
        profiles.restore(stores.state, 7, by="ann", now=NOW)
    assert everything() == before
    cut_id = cut(stores, "anonymous_id", "a1")
    profiles.restore(stores.state, cut_id, by="ann", now=NOW)
    with pytest.raises(UnknownCut):
        profiles.restore(stores.state, cut_id, by="ann", now=NOW)
    assert everything() == before


def test_an_identifier_without_messages_of_its_own_is_known_from_the_link(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", "a1", {"n": 1}, at_us=2_000_000)])
    resolve([identify("u1", "a1", at_us=5_000_000)])
    cut(stores, "anonymous_id", "a1")
    found = profiles.get(stores.state, "anonymous_id", "a1")
    assert (found.traits, found.first_seen_at, found.last_seen_at) == (
        {},
        us(2_000_000),
        us(2_000_000),
    )
    resolve([identify(None, "a1", at_us=9_000_000)])
    found = profiles.get(stores.state, "anonymous_id", "a1")
    assert (found.first_seen_at, found.last_seen_at) == (us(9_000_000), us(9_000_000))


def test_a_profile_that_is_no_more_is_in_no_segment(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify(None, "a1", at_us=1_000_000)])
    stores.state.rows(
        "insert into segment_membership (segment, profile_id, entered_at)"
        " select 'new', profile_id, to_timestamp(1) from profile"
    )
    resolve([identify("u1", "a1", at_us=5_000_000)])
    rows = stores.state.rows("select entered_at, left_at from segment_membership")
    assert rows == [{"entered_at": us(1_000_000), "left_at": us(5_000_000)}]
