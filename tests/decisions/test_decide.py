"""A day is decided once, from what was kept, with probabilities that are true."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from opportune import policies, profiles, rules
from opportune.decisions import (
    DECISIONS,
    Dimension,
    NoOption,
    Option,
    UseCase,
    decide,
    held_back,
    matrix,
    snapshot,
    variants,
)
from opportune.storage import Stores

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 1, 6, 0, 0, 1, tzinfo=UTC)
People = Callable[..., None]
Make = Callable[..., UseCase]


def take(stores: Stores, case: UseCase, day: date) -> bool:
    return snapshot(stores, case, day, profiles.snapshot(stores.state))


def play(
    stores: Stores, use_case: UseCase, day: date = DAY, *, policy: policies.Policy | None = None
) -> bool:
    chosen = policy or policies.Uniform(use_case.space)
    return decide(
        stores, use_case, day, policy=chosen, policy_version=f"{use_case.name}/1/{day}", now=NOW
    )


def rows(stores: Stores) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stores.lake.read("decisions").to_pylist()
    return sorted(found, key=lambda row: row["decision_id"])


def taught(use_case: UseCase) -> policies.Policy:
    """A policy that plays several actions with different probabilities."""
    random = np.random.default_rng(1)
    count = 400
    sizes = use_case.space.sizes
    actions = np.stack([random.integers(0, size, count) for size in sizes], axis=1)
    batch = policies.Batch(
        features=random.normal(size=(count, use_case.feature_count)),
        actions=actions.astype(np.int16),
        rewards=(random.random(count) < 0.2 + 0.3 * (actions[:, 0] == 1)).astype(np.float64),
        propensities=np.full(count, 1 / np.prod(sizes)),
    )
    start = policies.FactoredThompson.start(
        use_case.space, features=use_case.feature_count, reward="binary"
    )
    return start.update(batch)


def test_a_decision_says_everything_before_anything_is_sent(
    stores: Stores, people: People, use_case: Make
) -> None:
    people([-2, 255], [{"fiber": True}, {}])
    take(stores, use_case(version=3), DAY)
    fixed = policies.Fixed(use_case().space, ("fiber", "sms"))
    assert play(stores, use_case(version=3), policy=fixed)
    assert stores.lake.read("decisions").schema.names == DECISIONS.names
    at_us = 1_772_344_800_000_001
    common = {
        "use_case": "next", "version": 3, "day": DAY, "propensity": 1.0,
        "dimension_propensities": [1.0, 1.0], "policy_version": "next/1/2026-03-01",
        "explored": False, "decided_at": NOW, "decided_at_us": at_us,
        "due_at": NOW, "zone": None,
        "cost": 0.0, "cost_rewarded": 0.0, "shadow_price": None, "expected": None,
    }  # fmt: skip
    groups = variants(use_case(), np.array([-2, 255])).tolist()
    assert rows(stores) == [
        common
        | {
            "decision_id": "next:20260301:00000000000000ff",
            "profile_id": 255,
            "user_id": "u255",
            "variant": groups[1],
            "action": ["tv", "sms"],
            "eligible": [0b101, 0b11],
        },
        common
        | {
            "decision_id": "next:20260301:fffffffffffffffe",
            "profile_id": -2,
            "user_id": "u-2",
            "variant": groups[0],
            "action": ["fiber", "sms"],
            "eligible": [0b111, 0b11],
        },
    ]


def test_ids_are_well_formed_and_name_the_profile(
    stores: Stores, people: People, use_case: Make
) -> None:
    ids = [-(2**63), -1, 0, 1, 2**63 - 1]
    people(ids)
    take(stores, use_case(), DAY)
    play(stores, use_case())
    found = {row["profile_id"]: row["decision_id"] for row in rows(stores)}
    assert found == {each: f"next:20260301:{each & (2**64 - 1):016x}" for each in ids}
    assert [
        each for each in found.values() if not re.fullmatch(r"next:\d{8}:[0-9a-f]{16}", each)
    ] == []


def test_a_day_is_decided_once(stores: Stores, people: People, use_case: Make) -> None:
    people(range(50), {"n": 1})
    take(stores, use_case(), DAY)
    assert play(stores, use_case())
    before = rows(stores)
    people(range(50, 60))
    take(stores, use_case(), DAY)
    assert not play(stores, use_case(), policy=policies.Fixed(use_case().space, ("tv", "sms")))
    assert not play(stores, use_case(version=2))
    assert rows(stores) == before
    assert len(before) == 50


def test_the_logged_probability_is_the_policys_own(
    stores: Stores, people: People, use_case: Make
) -> None:
    count = 300
    people(range(count), [{"n": place, "fiber": place % 2 == 0} for place in range(count)])
    case = use_case()
    policy = taught(case)
    take(stores, case, DAY)
    play(stores, case, policy=policy)
    known = {row["profile_id"]: row for row in stores.lake.read("features").to_pylist()}
    found = rows(stores)
    eligible = np.array([row["eligible"] for row in found])
    features = np.array([known[row["profile_id"]]["values"] for row in found], float)
    actions = np.array([case.space.indices(tuple(row["action"])) for row in found], np.int16)
    distribution = policy.distribution(
        features,
        policies.Eligibility(options=eligible),
        seed=policies.seed(f"next:{DAY}"),
    )
    logged = np.array([row["propensity"] for row in found])
    np.testing.assert_array_equal(logged, policies.probability(distribution, actions))
    np.testing.assert_array_equal(
        np.array([row["dimension_propensities"] for row in found]),
        policies.dimension_probability(distribution, actions),
    )
    assert len(set(logged.tolist())) > 3
    assert ((eligible >> actions) & 1).all()


def test_chance_depends_on_nothing_but_use_case_day_and_profile(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(40))
    case = use_case()
    take(stores, case, DAY)
    play(stores, case)
    drawn = policies.draw(
        policies.Uniform(case.space).distribution(
            np.zeros((40, 3)),
            policies.Eligibility(options=np.tile([0b101, 0b11], (40, 1))),
            seed=0,
        ),
        policies.uniforms("next:2026-03-01", np.arange(40)),
    )
    names = np.array(["tv", "fiber", "sim", "email", "sms"])
    expected = names[drawn.actions + np.array([0, 3])].tolist()
    by_profile = {row["profile_id"]: row["action"] for row in rows(stores)}
    assert [by_profile[each] for each in range(40)] == expected
    assert len({tuple(each) for each in expected}) == 4


def test_the_share_of_control_is_what_was_asked_for(use_case: Make) -> None:
    count, share = 20_000, 0.1
    control = int((variants(use_case(), np.arange(count)) == "control").sum())
    # Five standard deviations of a binomial; the ids are fixed, so this never flickers.
    assert abs(control - count * share) < 5 * (count * share * (1 - share)) ** 0.5
    other = variants(use_case(name="other"), np.arange(count)) == "control"
    both = int((other & (variants(use_case(), np.arange(count)) == "control")).sum())
    assert abs(both - count * share**2) < 5 * (count * share**2) ** 0.5


@pytest.mark.parametrize(("share", "control"), [(0.0, 0), (0.9, 881)])
def test_a_larger_share_keeps_everybody_who_was_in_control(
    use_case: Make, share: float, control: int
) -> None:
    ids = np.arange(1_000)
    wide = variants(use_case(control_share=share), ids) == "control"
    assert abs(int(wide.sum()) - control) < 40
    narrow = variants(use_case(control_share=min(share, 0.1)), ids) == "control"
    assert not (narrow & ~wide).any()


def test_control_is_stable_over_days_and_versions_and_decided_like_the_others(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(200))
    case = use_case(control_share=0.5)
    for number in (1, 2, 3):
        day = date(2026, 3, number)
        changed = use_case(control_share=0.5, version=number)
        take(stores, changed, day)
        play(stores, changed, day)
    found = rows(stores)
    groups = {row["profile_id"]: row["variant"] for row in found}
    assert len(found) == 600
    assert {(row["profile_id"], row["variant"]) for row in found} == set(groups.items())
    told = variants(case, np.arange(200)).tolist()
    assert [groups[each] for each in range(200)] == told
    for variant in ("control", "treatment"):
        played = {tuple(row["action"]) for row in found if row["variant"] == variant}
        assert len(played) == 4
        assert {row["propensity"] for row in found if row["variant"] == variant} == {0.25}


def test_the_other_day_is_another_draw(stores: Stores, people: People, use_case: Make) -> None:
    people(range(200))
    for day in (DAY, date(2026, 3, 2)):
        take(stores, use_case(), day)
        play(stores, use_case(), day)
    actions = {(row["day"], row["profile_id"]): row["action"] for row in rows(stores)}
    same = sum(actions[DAY, each] == actions[date(2026, 3, 2), each] for each in range(200))
    assert 20 < same < 90


@pytest.mark.parametrize("vips", [7, 0])
def test_who_has_no_eligible_option_is_counted_and_everybody_is_an_error(
    stores: Stores, people: People, use_case: Make, vips: int
) -> None:
    people(range(10), [{"vip": place < vips} for place in range(10)])
    rule = rules.parse({"trait": "vip", "is": True}, where="rule")
    only = Dimension(name="gift", meaning="choice", options=(Option(name="x", eligible=rule),))
    case = use_case(dimensions=(*use_case().dimensions, only))
    take(stores, case, DAY)
    assert held_back(stores, case, DAY) == {"no_option": 10 - vips}
    if vips:
        assert play(stores, case)
        assert [row["profile_id"] for row in rows(stores)] == list(range(vips))
        return
    with pytest.raises(NoOption) as refusal:
        play(stores, case)
    assert refusal.value.message == (
        "Use case 'next': nobody of the audience may get any action (10: no option of a dimension "
        "is meant for them, or valid on the day). Add an option without a rule, or change the "
        "audience; nothing was decided."
    )
    assert rows(stores) == []


def test_after_a_kill_the_decision_comes_from_the_features_that_were_kept(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(20), {"fiber": False})
    take(stores, use_case(), DAY)
    stores.state.rows("""update profile set traits = '{"fiber": true}'""")
    take(stores, use_case(), DAY)
    play(stores, use_case(), policy=policies.Fixed(use_case().space, ("fiber", "sms")))
    assert {(tuple(row["action"]), tuple(row["eligible"])) for row in rows(stores)} == {
        (("tv", "sms"), (0b101, 0b11))
    }


def test_after_a_kill_a_new_version_decides_from_its_own_snapshot(
    stores: Stores, people: People, use_case: Make
) -> None:
    people(range(20), {"n": 1})
    take(stores, use_case(), DAY)
    changed = use_case(version=2, features=(), dimensions=use_case().dimensions[:1])
    take(stores, changed, DAY)
    assert play(stores, changed)
    assert {(row["version"], len(row["action"])) for row in rows(stores)} == {(2, 1)}
    assert len(rows(stores)) == 20


@pytest.mark.parametrize("name", ["uniform", "fixed", "factored"])
def test_an_empty_audience_is_decided_too(stores: Stores, use_case: Make, name: str) -> None:
    case = use_case()
    every: dict[str, policies.Policy] = {
        "uniform": policies.Uniform(case.space),
        "fixed": policies.Fixed(case.space, ("tv", "sms")),
        "factored": taught(case),
    }
    policy = every[name]
    take(stores, case, DAY)
    assert play(stores, case, policy=policy)
    assert not play(stores, case, policy=policy)
    assert rows(stores) == []


def test_a_column_of_lists_becomes_a_matrix() -> None:
    column = pa.chunked_array([[[1.0, 2.0]], [[3.0, float("nan")], [5.0, 6.0]]])
    np.testing.assert_array_equal(matrix(column, 2), [[1, 2], [3, np.nan], [5, 6]])
    assert matrix(pa.chunked_array([[[], []]], pa.list_(pa.float64())), 0).shape == (2, 0)
    assert matrix(pa.chunked_array([], pa.list_(pa.float64())), 3).shape == (0, 3)
