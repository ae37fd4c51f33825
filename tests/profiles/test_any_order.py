"""Whatever the order of arrival and however the log is cut into batches, the same is known."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opportune import profiles
from opportune.events import EVENTS
from opportune.storage import Connection, Stores, fetch

# Who logs in with which anonymous id; nobody does with a3.
OWNER = {"a0": "u0", "a1": "u0", "a2": "u1", "a3": None}
VALUES = st.sampled_from([None, "", "x", 0, 1.5, True, [1], {"k": None}])
TRAITS = st.dictionaries(st.sampled_from("pqr"), VALUES, max_size=3)
WHO = st.sampled_from(
    [("u0", None), ("u1", None), (None, "a0"), (None, "a1"), (None, "a2"), (None, "a3")]
    + [(owner, each) for each, owner in OWNER.items() if owner]
)
TYPES = st.sampled_from(["identify", "identify", "track"])
EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
Told = tuple[tuple[str | None, str | None], str, dict[str, Any]]


def row(told: Told, at_us: int) -> dict[str, object]:
    (user_id, anonymous_id), kind, traits = told
    times = ("occurred_at", "occurred_at_us", "received_at", "received_at_us")
    return {
        "message_id": "m",
        "source_id": "shop",
        "type": kind,
        "user_id": user_id,
        "anonymous_id": anonymous_id,
        "traits": json.dumps(traits),
        **dict.fromkeys(times, at_us),
    }


def known_after(stores: Stores, rows: list[dict[str, object]], cuts: set[int]) -> object:
    """Resolve ``rows`` cut into batches, look, and take everything back."""
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(rows)), len(rows)]
    with (
        stores.state.transaction() as connection,
        connection.transaction(force_rollback=True),
    ):
        for start, end in pairwise(places):
            profiles.resolve(connection, pa.Table.from_pylist(rows[start:end], schema=EVENTS))
        return look(connection)


def look(connection: Connection) -> dict[str, object]:
    return {
        "profiles": fetch(connection, "select * from profile order by profile_id"),
        "identifiers": fetch(
            connection, "select kind, value, profile_id from identifier order by kind, value"
        ),
    }


@EXAMPLES
@given(data=st.data(), told=st.lists(st.tuples(WHO, TYPES, TRAITS), min_size=1, max_size=12))
def test_any_order_and_any_batches_give_the_same(
    stores: Stores, data: st.DataObject, told: list[Told]
) -> None:
    rows = [row(each, at_us) for at_us, each in enumerate(told)]
    shuffled = data.draw(st.permutations(rows))
    cuts = data.draw(st.sets(st.integers(1, 12), max_size=4))
    assert known_after(stores, shuffled, cuts) == known_after(stores, rows, set())


@EXAMPLES
@given(told=st.lists(st.tuples(WHO, TYPES, TRAITS), min_size=1, max_size=12))
def test_it_is_what_the_newest_events_said(stores: Stores, told: list[Told]) -> None:
    claimed = {anonymous for (user, anonymous), _, _ in told if user and anonymous}
    expected: dict[str, dict[str, object]] = {}
    for (user, anonymous), kind, traits in told:
        who = user or (OWNER[str(anonymous)] if anonymous in claimed else anonymous)
        kept = expected.setdefault(str(who), {})
        kept.update(traits if kind == "identify" else {})
    known: Any = known_after(stores, [row(each, place) for place, each in enumerate(told)], set())
    traits_of = {each["profile_id"]: each["traits"] for each in known["profiles"]}
    found = {
        each["value"]: traits_of[each["profile_id"]]
        for each in known["identifiers"]
        if each["value"] not in claimed
    }
    assert found == {
        who: {name: value for name, value in kept.items() if value is not None}
        for who, kept in expected.items()
    }


@EXAMPLES
@given(
    told=st.lists(st.tuples(WHO.filter(lambda who: who[0] is not None), TYPES, TRAITS), min_size=2),
    cuts=st.sets(st.integers(1, 12), max_size=4),
)
def test_batches_do_not_matter_even_when_all_happened_at_the_same_time(
    stores: Stores, told: list[Told], cuts: set[int]
) -> None:
    rows = [row(each, 5) for each in told]
    assert known_after(stores, rows, cuts) == known_after(stores, rows, set())
