"""Who is in a segment, and since when."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from opportune import rules
from opportune.profiles import SNAPSHOT
from opportune.segments import Segment, refresh
from opportune.storage import Stores

T0 = datetime(2026, 3, 1, 6, tzinfo=UTC)
PLUS = Segment(
    name="plus", title="Plus", rule=rules.parse({"trait": "plan", "is": "plus"}, where="rule")
)
Interval = tuple[int, int, int | None]


def day(number: int) -> datetime:
    return T0 + timedelta(days=number)


def known(traits: Mapping[int, Mapping[str, object]]) -> pa.Table:
    rows = [
        {"profile_id": profile_id, "user_id": f"u{profile_id}", "traits": json.dumps(each)}
        for profile_id, each in traits.items()
    ]
    return pa.Table.from_pylist(rows, schema=SNAPSHOT)


def plans(**plan_of: str) -> pa.Table:
    return known({int(key[1:]): {"plan": plan} for key, plan in plan_of.items()})


def intervals(stores: Stores, segment: str = "plus") -> list[Interval]:
    """Return (profile, day entered, day left) of every membership."""
    rows = stores.state.rows(
        "select profile_id, entered_at, left_at from segment_membership"
        " where segment = %(segment)s order by profile_id, entered_at",
        {"segment": segment},
    )
    return [
        (
            row["profile_id"],
            (row["entered_at"] - T0).days,
            None if row["left_at"] is None else (row["left_at"] - T0).days,
        )
        for row in rows
    ]


def test_profiles_enter_stay_and_leave(stores: Stores) -> None:
    assert refresh(stores, PLUS, plans(p1="plus", p2="plus", p3="basic"), now=day(0)) == 2
    assert refresh(stores, PLUS, plans(p1="plus", p2="basic", p3="plus"), now=day(1)) == 2
    assert intervals(stores) == [(1, 0, None), (2, 0, 1), (3, 1, None)]


def test_coming_back_begins_a_new_interval_and_keeps_the_old_one(stores: Stores) -> None:
    for number, plan in enumerate(["plus", "basic", "plus", "plus", "basic"]):
        refresh(stores, PLUS, plans(p1=plan), now=day(number))
    assert intervals(stores) == [(1, 0, 1), (1, 2, 4)]


def test_the_same_refresh_twice_changes_nothing(stores: Stores) -> None:
    for number in (0, 0, 1):
        assert refresh(stores, PLUS, plans(p1="plus", p2="basic"), now=day(number)) == 1
    assert intervals(stores) == [(1, 0, None)]


def test_leaving_and_coming_back_at_the_same_moment_goes_on_as_before(stores: Stores) -> None:
    refresh(stores, PLUS, plans(p1="plus"), now=day(0))
    refresh(stores, PLUS, plans(p1="basic"), now=day(0))
    assert intervals(stores) == [(1, 0, 0)]
    refresh(stores, PLUS, plans(p1="plus"), now=day(0))
    assert intervals(stores) == [(1, 0, None)]


def test_nobody_leaves_before_having_entered_when_the_clock_goes_back(stores: Stores) -> None:
    refresh(stores, PLUS, plans(p1="plus"), now=day(5))
    refresh(stores, PLUS, plans(p1="basic"), now=day(3))
    assert intervals(stores) == [(1, 5, 5)]


def test_a_profile_that_is_gone_leaves(stores: Stores) -> None:
    refresh(stores, PLUS, plans(p1="plus"), now=day(0))
    assert refresh(stores, PLUS, known({}), now=day(1)) == 0
    assert intervals(stores) == [(1, 0, 1)]


def test_a_segment_changes_no_other_segment(stores: Stores) -> None:
    everybody = Segment(name="everybody", title="All", rule=rules.parse({"all": []}, where="rule"))
    refresh(stores, everybody, plans(p1="plus", p2="basic"), now=day(0))
    refresh(stores, PLUS, plans(p1="plus", p2="basic"), now=day(0))
    refresh(stores, PLUS, plans(p1="basic", p2="basic"), now=day(1))
    assert intervals(stores, "everybody") == [(1, 0, None), (2, 0, None)]
    assert intervals(stores) == [(1, 0, 1)]


def test_a_profile_that_stands_there_twice_is_one_member(stores: Stores) -> None:
    twice = pa.concat_tables([plans(p1="plus"), plans(p1="plus")])
    assert refresh(stores, PLUS, twice, now=day(0)) == 1
    assert intervals(stores) == [(1, 0, None)]


def test_traits_that_the_engine_cannot_read_are_none(stores: Stores) -> None:
    broken = plans(p1="plus", p2="plus").set_column(
        2, SNAPSHOT.field("traits"), pa.array(["{broken", '{"plan": "plus"}'])
    )
    assert refresh(stores, PLUS, broken, now=day(0)) == 1
    assert intervals(stores) == [(2, 0, None)]


@pytest.mark.parametrize("value", ["' or true --", "{rule}", "$rule_1", "%s"])
def test_what_a_rule_says_is_never_read_as_sql(stores: Stores, value: str) -> None:
    segment = Segment(
        name="odd", title="Odd", rule=rules.parse({"trait": value, "is": value}, where="rule")
    )
    assert refresh(stores, segment, known({1: {value: value}, 2: {value: "x"}}), now=day(0)) == 1
    assert intervals(stores, "odd") == [(1, 0, None)]


def test_two_refreshes_at_once_begin_a_membership_once(stores: Stores) -> None:
    members = known({number: {"plan": "plus"} for number in range(2_000)})

    def run(number: int) -> int:
        return refresh(stores, PLUS, members, now=day(number))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == [2_000] * 4
    assert [left for _, _, left in intervals(stores)] == [None] * 2_000
