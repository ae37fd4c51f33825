"""What is known of each profile of the audience when a day is decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from math import inf, nan
from typing import Any

import numpy as np
import pytest

from opportune import profiles, rules
from opportune.decisions import FEATURES, Dimension, Feature, Option, UseCase, snapshot
from opportune.storage import Stores

DAY = date(2026, 3, 1)
People = Callable[..., None]
Make = Callable[..., UseCase]


def take(stores: Stores, case: UseCase, day: date) -> bool:
    return snapshot(stores, case, day, profiles.snapshot(stores.state))


def rows(stores: Stores) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stores.lake.read("features").to_pylist()
    return sorted(found, key=lambda row: (row["day"], row["version"], row["profile_id"]))


def values(stores: Stores) -> list[list[float]]:
    return [row["values"] for row in rows(stores)]


def same(found: object, expected: object) -> None:
    np.testing.assert_array_equal(np.array(found, float), np.array(expected, float))


def test_a_row_says_who_when_and_by_which_version(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([-(2**63), 7, 2**63 - 1], {"n": 1, "plan": "plus", "fiber": True})
    assert take(stores, use_case(version=4), DAY)
    assert stores.lake.read("features").schema.names == FEATURES.names
    assert rows(stores) == [
        {
            "use_case": "next",
            "version": 4,
            "day": DAY,
            "profile_id": profile_id,
            "user_id": f"u{profile_id}",
            "values": [1.0, 0.0, 1.0],
            "eligible": [0b111, 0b11],
            "forbidden": 0,
            "recent": None,
            "zone": None,
            "reason": None,
        }
        for profile_id in (-(2**63), 7, 2**63 - 1)
    ]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3.0),
        (-2.5, -2.5),
        (0, 0.0),
        (2**60, 2.0**60),
        (1e300, 1e300),
        (True, 1.0),
        (False, 0.0),
        ("42", 42.0),
        ("-1.5e3", -1500.0),
        ("true", 1.0),
        ("false", 0.0),
        ("", nan),
        ("yes", nan),
        ("t", nan),
        ("plus", nan),
        ("nan", nan),
        ("inf", nan),
        ("1e999", nan),
        (10**400, nan),
        ([1], nan),
        ({"n": 1}, nan),
        (None, nan),
    ],
    ids=lambda each: str(each)[:20] if each != inf else "inf",
)
def test_a_trait_as_a_number(
    stores: Stores, people: People, use_case: Make, value: object, number: float
) -> None:
    people([1], {"n": value})
    take(stores, use_case(features=(Feature(trait="n", one_of=()),)), DAY)
    same(values(stores), [[number]])


@pytest.mark.parametrize(
    ("traits", "columns"),
    [
        ({"plan": "basic"}, [1, 0]),
        ({"plan": "plus"}, [0, 1]),
        ({"plan": "other"}, [0, 0]),
        ({"plan": ""}, [0, 0]),
        ({"plan": {"basic": 1}}, [0, 0]),
        ({"plan": None}, [nan, nan]),
        ({}, [nan, nan]),
    ],
    ids=str,
)
def test_a_trait_as_one_of(
    stores: Stores, people: People, use_case: Make, traits: dict[str, object], columns: list[float]
) -> None:
    people([1], traits)
    take(stores, use_case(features=(Feature(trait="plan", one_of=("basic", "plus")),)), DAY)
    same(values(stores), [columns])


@pytest.mark.parametrize("name", ["a/b", "a~b", "$.n", "*", "n' or 1", "%s", "n.m", '"', "é"])
def test_any_name_can_be_a_feature(
    stores: Stores, people: People, use_case: Make, name: str
) -> None:
    people([1, 2], [{name: 5, "x": name}, {"n": {"m": 1}}])
    features = (Feature(trait=name, one_of=()), Feature(trait="x", one_of=(name,)))
    take(stores, use_case(features=features), DAY)
    same(values(stores), [[5, 1], [nan, nan]])


def test_a_profile_that_the_engine_cannot_read_does_not_stop_the_others(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([1, 2], [{"n": 1, "deep": 10**4_000, "plan": "plus"}, {"n": 2, "plan": "plus"}])
    assert take(stores, use_case(), DAY)
    same(values(stores)[1], [2, 0, 1])


def test_features_stand_in_the_order_of_the_use_case(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([1], {"a": 1, "b": "y", "c": 3, "d": "q"})
    case = use_case(
        features=(
            Feature(trait="c", one_of=()),
            Feature(trait="b", one_of=("x", "y", "z")),
            Feature(trait="a", one_of=()),
            Feature(trait="d", one_of=("q",)),
        )
    )
    take(stores, case, DAY)
    same(values(stores), [[3, 0, 1, 0, 1, 1]])


def test_without_features_there_are_no_columns(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([1, 2])
    assert take(stores, use_case(features=()), DAY)
    assert values(stores) == [[], []]


def test_rules_say_which_options_are_eligible(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([1, 2, 3], [{"fiber": True}, {"fiber": False}, {}])
    take(stores, use_case(), DAY)
    assert [row["eligible"] for row in rows(stores)] == [
        [0b111, 0b11],
        [0b101, 0b11],
        [0b101, 0b11],
    ]


def test_the_sixty_third_option_has_its_own_bit(
    stores: Stores, people: People, use_case: Make
) -> None:
    rule = rules.parse({"trait": "n", "at_least": 1}, where="rule")
    options = tuple(Option(name=f"o{place}", eligible=rule) for place in range(63))
    people([1, 2], [{"n": 1}, {"n": 0}])
    dimension = Dimension(name="offer", meaning="choice", options=options)
    take(stores, use_case(dimensions=(dimension,)), DAY)
    assert [row["eligible"] for row in rows(stores)] == [[2**63 - 1], [0]]


def test_the_audience_is_in_any_segment_and_in_none_that_is_taken_away(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([1], segments=["a"])
    people([2], segments=["b"])
    people([3], segments=["a", "b"])
    people([4], segments=["a", "out"])
    people([5], segments=["out"])
    people([6], segments=["c"])
    people([7], segments=["a", "gone"])
    people([8], segments=["gone"])
    stores.state.rows("update segment_membership set left_at = entered_at where segment = 'gone'")
    take(stores, use_case(audience=("a", "b", "gone"), minus=("out", "gone")), DAY)
    assert [row["profile_id"] for row in rows(stores)] == [1, 2, 3, 7]


def test_who_left_and_came_back_appears_once(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([1])
    stores.state.rows("update segment_membership set left_at = entered_at")
    stores.state.rows(
        "insert into segment_membership (segment, profile_id, entered_at)"
        " values ('everybody', 1, '2026-03-02')"
    )
    take(stores, use_case(), DAY)
    assert [row["profile_id"] for row in rows(stores)] == [1]


def test_a_profile_with_two_user_ids_appears_once_and_without_one_never(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([1, 2])
    stores.state.rows(
        "insert into identifier (kind, value, profile_id, linked_at)"
        " values ('user_id', 'also', 1, now())"
    )
    stores.state.rows("update identifier set kind = 'anonymous_id' where value = 'u2'")
    take(stores, use_case(), DAY)
    assert [(row["profile_id"], row["user_id"]) for row in rows(stores)] == [(1, "also")]


def test_a_day_has_one_snapshot_and_it_does_not_move(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([1], {"n": 1})
    assert take(stores, use_case(), DAY)
    stores.state.rows("""update profile set traits = '{"n": 2}'""")
    assert not take(stores, use_case(), DAY)
    same(values(stores), [[1, nan, nan]])
    assert take(stores, use_case(), date(2026, 3, 2))
    assert take(stores, use_case(name="other"), DAY)
    assert len(rows(stores)) == 3


def test_a_new_version_takes_its_own_snapshot(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([1], {"n": 1})
    assert take(stores, use_case(), DAY)
    assert take(stores, use_case(version=2, features=()), DAY)
    assert [(row["version"], len(row["values"])) for row in rows(stores)] == [(1, 3), (2, 0)]


def test_an_empty_audience_is_a_snapshot_too(stores: Stores, use_case: Make) -> None:
    assert take(stores, use_case(), DAY)
    assert not take(stores, use_case(), DAY)
    assert rows(stores) == []


def test_who_is_eligible_is_asked_as_of_the_beginning_of_the_day(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(
        [1, 2, 3], [{"due": due} for due in ("2026-02-28", "2026-03-03", "2026-03-03T00:00:01Z")]
    )
    soon = rules.parse({"trait": "due", "in_next_days": 2}, where="rule")
    offers = (Option(name="none", eligible=None), Option(name="renew", eligible=soon))
    dimensions = (Dimension(name="offer", meaning="choice", options=offers),)
    take(stores, use_case(features=(), dimensions=dimensions), DAY)
    assert [row["eligible"] for row in rows(stores)] == [[0b01], [0b11], [0b01]]
