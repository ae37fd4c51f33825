"""Who is meant by an event, and what is known of them afterwards."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import pyarrow as pa
import pytest

from opportune import events, profiles
from opportune.events import EVENTS
from opportune.storage import Frame, Stores

Row = dict[str, object]
Identify = Callable[..., Row]
Resolve = Callable[[Sequence[Row]], None]
Everything = Callable[[], dict[str, Any]]


def traits(stores: Stores, kind: str, value: str) -> object:
    return profiles.get(stores.state, kind, value).traits


def owners(stores: Stores) -> dict[str, int]:
    return {
        row["value"]: row["profile_id"] for row in profiles.identifiers(stores.state).to_pylist()
    }


def test_a_user_id_becomes_a_profile_with_its_traits(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", traits={"plan": "plus", "age": 41, "vip": True, "city": ""})])
    assert traits(stores, "user_id", "u1") == {"plan": "plus", "age": 41, "vip": True, "city": ""}


def test_an_anonymous_id_is_a_profile_of_its_own(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify(None, "a1", {"plan": "plus"}), identify(None, "a2")])
    assert traits(stores, "anonymous_id", "a1") == {"plan": "plus"}
    assert len(set(owners(stores).values())) == 2


def test_the_same_text_as_user_id_and_anonymous_id_is_two_profiles(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("x", traits={"n": 1}), identify(None, "x", {"n": 2})])
    assert traits(stores, "user_id", "x") == {"n": 1}
    assert traits(stores, "anonymous_id", "x") == {"n": 2}


def test_the_id_of_a_profile_is_the_same_in_every_rebuild(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1"), identify(None, "a1")])
    digests = {
        "u1": hashlib.sha256(b"user_id:u1").digest(),
        "a1": hashlib.sha256(b"anonymous_id:a1").digest(),
    }
    assert owners(stores) == {
        value: int.from_bytes(digest[:8], "big", signed=True) for value, digest in digests.items()
    }


def test_an_empty_batch_changes_nothing(resolve: Resolve, everything: Everything) -> None:
    resolve([])
    assert everything() == {"profiles": [], "identifiers": []}


def test_events_of_other_types_make_a_profile_without_traits(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", traits={"plan": "plus"}, type="track")])
    assert traits(stores, "user_id", "u1") == {}


@pytest.mark.parametrize("batches", [1, 2], ids=["in one batch", "in two batches"])
def test_a_login_claims_the_anonymous_id_and_moves_its_traits(
    stores: Stores, identify: Identify, resolve: Resolve, batches: int
) -> None:
    before = identify(None, "a1", {"plan": "plus", "seen": 1, "gone": 1}, at_us=1_000_000)
    unset = identify(None, "a1", {"gone": None, "city": None}, at_us=2_000_000)
    login = identify("u1", "a1", {"plan": "basic", "city": "Bern"}, at_us=1_500_000)
    if batches == 1:
        resolve([before, unset, login])
    else:
        resolve([before, unset])
        resolve([login])
    assert traits(stores, "user_id", "u1") == {"plan": "basic", "seen": 1}
    assert profiles.get(stores.state, "anonymous_id", "a1") == profiles.get(
        stores.state, "user_id", "u1"
    )


def test_a_newer_anonymous_trait_wins_over_an_older_known_one(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", traits={"plan": "basic"}, at_us=1)])
    resolve([identify(None, "a1", {"plan": "plus"}, at_us=2)])
    resolve([identify("u1", "a1", at_us=3, type="page")])
    assert traits(stores, "user_id", "u1") == {"plan": "plus"}


def test_one_login_with_several_anonymous_ids_takes_the_newest_trait(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve(
        [identify(None, "a1", {"n": 1, "m": 5}, at_us=9), identify(None, "a2", {"n": 2}, at_us=8)]
    )
    resolve([identify("u1", "a1", at_us=10), identify("u1", "a2", at_us=10)])
    assert traits(stores, "user_id", "u1") == {"n": 1, "m": 5}


def test_an_adopted_profile_is_gone_and_its_time_counts(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify(None, "a1", at_us=1_000_000)])
    resolve([identify("u1", "a1", at_us=5_000_000)])
    resolve([identify(None, "a1", at_us=9_000_000, type="page")])
    found = profiles.get(stores.state, "user_id", "u1")
    assert found.first_seen_at == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert found.last_seen_at == datetime(1970, 1, 1, 0, 0, 9, tzinfo=UTC)
    assert stores.state.rows("select count(*) as n from profile") == [{"n": 1}]


def test_an_anonymous_id_of_another_user_is_never_stolen(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", "a1", {"n": 1}, at_us=5)])
    resolve([identify("u2", "a1", {"n": 2}, at_us=9)])
    resolve([identify(None, "a1", {"late": True}, at_us=6)])
    assert owners(stores)["a1"] == owners(stores)["u1"]
    assert traits(stores, "user_id", "u1") == {"n": 1, "late": True}
    assert traits(stores, "user_id", "u2") == {"n": 2}


@pytest.mark.parametrize("batches", [1, 2], ids=["in one batch", "in two batches"])
def test_of_two_users_the_first_to_log_in_has_it_however_late_that_is_known(
    stores: Stores, identify: Identify, resolve: Resolve, batches: int
) -> None:
    rows = [identify("u1", "a1", at_us=5), identify("u2", "a1", at_us=1)]
    for batch in [rows] if batches == 1 else [rows[:1], rows[1:]]:
        resolve(batch)
    assert owners(stores)["a1"] == owners(stores)["u2"]


def test_two_known_profiles_are_never_joined(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", "a1", {"n": 1}), identify("u2", "a2", {"n": 2})])
    resolve([identify("u1", "a2", at_us=2_000_000), identify("u2", "a1", at_us=2_000_000)])
    assert owners(stores)["a1"] == owners(stores)["u1"]
    assert owners(stores)["a2"] == owners(stores)["u2"]
    assert owners(stores)["u1"] != owners(stores)["u2"]
    assert traits(stores, "user_id", "u2") == {"n": 2}


def test_the_newest_value_by_event_time_wins_whatever_came_first(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", traits={"n": 2}, at_us=2), identify("u1", traits={"n": 1}, at_us=1)])
    resolve([identify("u1", traits={"n": 0, "m": 0}, at_us=0)])
    assert traits(stores, "user_id", "u1") == {"n": 2, "m": 0}


@pytest.mark.parametrize("batches", [1, 2], ids=["in one batch", "in two batches"])
def test_of_two_values_at_the_same_time_the_one_that_came_later_wins(
    stores: Stores, identify: Identify, resolve: Resolve, batches: int
) -> None:
    rows = [identify("u1", traits={"n": True}), identify("u1", traits={"n": False})]
    if batches == 1:
        resolve(rows)
    else:
        resolve(rows[:1])
        resolve(rows[1:])
    assert traits(stores, "user_id", "u1") == {"n": False}


def test_null_removes_a_trait_and_an_empty_text_does_not(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", traits={"plan": "plus", "city": "Bern"}, at_us=1)])
    resolve([identify("u1", traits={"plan": None, "city": ""}, at_us=2)])
    assert traits(stores, "user_id", "u1") == {"city": ""}


def test_a_removal_is_remembered_against_an_older_value_that_comes_late(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", traits={"plan": None}, at_us=2)])
    resolve([identify("u1", traits={"plan": "plus"}, at_us=1)])
    assert traits(stores, "user_id", "u1") == {}


def test_the_same_batch_twice_changes_nothing(
    identify: Identify, resolve: Resolve, everything: Everything
) -> None:
    rows = [
        identify(None, "a1", {"n": 1, "m": None}, at_us=1),
        identify("u1", "a1", {"n": None, "k": [1, {"x": 2}]}, at_us=2),
        identify("u2", "a1", {"n": 5}, at_us=3),
        identify(None, "a2", {"n": 5}, at_us=3, type="page"),
    ]
    resolve(rows)
    once = everything()
    resolve(rows)
    assert everything() == once
    assert len(once["profiles"]) == 3


@pytest.mark.parametrize(
    "unusable",
    [
        r'{"n": "a\u0000b"}',
        r'{"n": "\ud800"}',
        r'{"n": "\udc00\ud800"}',
        '{"n": 1e999999}',
        '{"n": ' + "[" * 15_000 + "]" * 15_000 + "}",
        "[1, 2]",
        "null",
        '"text"',
        "not json",
        "",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_traits_that_cannot_be_stored_do_not_stop_the_batch(
    stores: Stores, identify: Identify, resolve: Resolve, unusable: str
) -> None:
    resolve(
        [
            identify("u1", traits={"plan": "plus"}, at_us=1),
            identify("u1", traits=unusable, at_us=2),
            identify("u2", traits={"plan": "basic"}, at_us=2),
        ]
    )
    plans = "select traits ->> 'plan' as plan from profile order by 1"
    assert stores.state.rows(plans) == [{"plan": "basic"}, {"plan": "plus"}]


IDS = [
    "quote'", 'double"quote', r"back\slash", r"\.", "line\nfeed", "return\r\n", "50%", "%s %(x)s",
    "tab\t", "a,b", ";--", "nil", "NIL", r"\N", " ", "\n\\.\n", "é—😀", "$1", "{}", "x" * 500,
    "😀" * 500,
]  # fmt: skip


def test_any_text_can_be_an_id(stores: Stores, identify: Identify, resolve: Resolve) -> None:
    rows = [identify(each, each, {"id": each}) for each in IDS]
    resolve(rows)
    for each in IDS:
        assert traits(stores, "user_id", each) == {"id": each}
    found = profiles.snapshot(stores.state)
    assert sorted(found["user_id"].to_pylist()) == sorted(IDS)
    assert {json.loads(row)["id"] for row in found["traits"].to_pylist()} == set(IDS)
    assert profiles.identifiers(stores.state).num_rows == 2 * len(IDS)


def test_ids_that_cannot_be_stored_never_come_this_far(stores: Stores, resolve: Resolve) -> None:
    texts = [r'"a\u0000b"', r'"a\ud800"', json.dumps("\N{GRINNING FACE}" * 501), '"u1"']
    body = ",".join(
        f'{{"type": "identify", "userId": {text}, "anonymousId": {text}}}' for text in texts
    )
    frame = Frame(
        received_at_us=1, source_id="shop", kind="batch", body=f'{{"batch": [{body}]}}'.encode()
    )
    decoded = events.decode_segment(frame)
    assert [(each.index, each.code) for each in decoded.rejects] == [(2, "id_too_long")]
    with stores.state.transaction() as connection:
        profiles.resolve(connection, events.event_table([(frame, decoded.events)]))
    assert set(owners(stores)) == {"a\ufffdb", "a\ufffd", "u1"}


def test_times_before_1970_and_of_a_far_future_are_kept(
    stores: Stores, identify: Identify, resolve: Resolve
) -> None:
    resolve([identify("u1", traits={"n": 1}, at_us=-62_135_596_800_000_000)])
    resolve([identify("u1", traits={"n": 2}, at_us=4_102_444_800_000_001)])
    found = profiles.get(stores.state, "user_id", "u1")
    assert found.traits == {"n": 2}
    assert found.first_seen_at == datetime(1, 1, 1, tzinfo=UTC)
    assert found.last_seen_at == datetime(2100, 1, 1, 0, 0, 0, 1, tzinfo=UTC)


def test_twenty_thousand_identifies_take_a_few_seconds(stores: Stores) -> None:
    count = 20_000
    places = pa.array(range(count), pa.int64())
    columns: dict[str, pa.Array] = {field.name: pa.nulls(count, field.type) for field in EVENTS} | {
        "message_id": pa.array([f"m{place}" for place in range(count)]),
        "source_id": pa.repeat("shop", count),
        "type": pa.repeat("identify", count),
        "user_id": pa.array([f"u{place}" for place in range(count)]),
        "anonymous_id": pa.array([f"a{place}" for place in range(count)]),
        "occurred_at_us": places,
        "occurred_at": places.cast(EVENTS.field("occurred_at").type),
        "received_at": places.cast(EVENTS.field("received_at").type),
        "received_at_us": places,
        "traits": pa.array(
            [json.dumps({"plan": "plus", "age": place, "vip": True}) for place in range(count)]
        ),
    }
    batch = pa.table(columns, schema=EVENTS)
    began = perf_counter()
    with stores.state.transaction() as connection:
        profiles.resolve(connection, batch)
    # About two seconds; the rest is for a busy machine.
    assert perf_counter() - began < 15
    assert profiles.snapshot(stores.state).num_rows == count
    assert traits(stores, "user_id", "u19999") == {"plan": "plus", "age": 19_999, "vip": True}
