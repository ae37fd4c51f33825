"""One profile by an identifier, and all of them in columns."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pyarrow.compute as pc
import pytest

from opportune import profiles
from opportune.profiles import IDENTIFIERS, SNAPSHOT, Profile, UnknownProfile
from opportune.storage import Stores

Row = dict[str, object]
Identify = Callable[..., Row]
Resolve = Callable[[Sequence[Row]], None]


def test_a_profile_has_identifiers_traits_current_segments_and_times(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", "a2", {"n": 1}), identify("u1", "a1", at_us=2_000_001, type="page")])
    profile_id = profiles.snapshot(stores.state)["profile_id"][0].as_py()
    stores.state.rows(
        "insert into segment_membership (segment, profile_id, entered_at, left_at)"
        " values ('vip', %(id)s, now(), null), ('new', %(id)s, now(), null),"
        " ('old', %(id)s, now(), now())",
        {"id": profile_id},
    )
    assert profiles.get(stores.state, "anonymous_id", "a1") == Profile(
        profile_id=profile_id,
        identifiers=(("anonymous_id", "a1"), ("anonymous_id", "a2"), ("user_id", "u1")),
        traits={"n": 1},
        segments=("new", "vip"),
        first_seen_at=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC),
        last_seen_at=datetime(1970, 1, 1, 0, 0, 2, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("user_id", "secret"),
        ("email", "u1"),
        ("user_id", "u1\0"),
        ("user_id", "\ud800"),
        ("\0", ""),
    ],
)
def test_nobody_is_found_and_the_identifier_is_not_repeated(
    stores: Stores, identify: Identify, resolve: Resolve, kind: str, value: str
) -> None:
    resolve([identify("u1")])
    with pytest.raises(UnknownProfile) as refusal:
        profiles.get(stores.state, kind, value)
    assert refusal.value.code == "unknown_profile"
    assert refusal.value.message == (
        f"No profile has this {kind}. Check the kind (user_id or anonymous_id) and the spelling; "
        "an event that was just sent takes up to a second."
    )


def test_without_profiles_the_columns_are_there(stores: Stores) -> None:
    assert profiles.snapshot(stores.state).equals(SNAPSHOT.empty_table())
    assert profiles.identifiers(stores.state).equals(IDENTIFIERS.empty_table())


def test_the_snapshot_has_every_profile_with_a_user_id_once_in_order(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify(each, traits={"id": each}) for each in ("u2", "u1", "u3")])
    resolve([identify(None, "a1", {"id": "a1"})])
    stores.state.rows(
        "insert into identifier (kind, value, profile_id, linked_at)"
        " select 'user_id', 'u0', profile_id, now() from identifier where value = 'u1'"
    )
    found = profiles.snapshot(stores.state)
    assert (found.schema.names, found.schema.types) == (SNAPSHOT.names, SNAPSHOT.types)
    ids = found["profile_id"].to_pylist()
    assert ids == sorted(set(ids))
    told = zip(found["user_id"].to_pylist(), found["traits"].to_pylist(), strict=True)
    assert sorted((user, json.loads(text)["id"]) for user, text in told) == [
        ("u0", "u1"),
        ("u2", "u2"),
        ("u3", "u3"),
    ]


def test_identifiers_name_the_profile_that_an_event_means(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", "a1"), identify(None, "a2")])
    found = profiles.identifiers(stores.state)
    assert (found.schema.names, found.schema.types) == (IDENTIFIERS.names, IDENTIFIERS.types)
    assert found.select(["kind", "value"]).sort_by("value").to_pylist() == [
        {"kind": "anonymous_id", "value": "a1"},
        {"kind": "anonymous_id", "value": "a2"},
        {"kind": "user_id", "value": "u1"},
    ]
    a1, a2, u1 = found["profile_id"].to_pylist()
    assert a1 == u1 != a2


def test_a_profile_with_megabytes_of_traits_does_not_hide_the_others(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify(f"u{place}", traits={"n": place}) for place in range(200)])
    resolve([identify("u77", traits={f"k{n}": "x" * 9_999 for n in range(300)})])
    found = profiles.snapshot(stores.state)
    assert found.num_rows == 200
    assert pc.max(pc.utf8_length(found["traits"])).as_py() > 3_000_000
