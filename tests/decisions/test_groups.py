"""Nobody is in two groups, and a changed share moves no more than it must."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from opportune import policies, profiles
from opportune.decisions import (
    UseCase,
    decide,
    expected_shares,
    parse_holdout,
    parse_use_case,
    snapshot,
    variants,
)
from opportune.storage import Stores

IDS = np.arange(20_000)
SHARES = {"control_share": 0.1, "random_share": 0.05, "champion_share": 0.2}
CHAMPION = ("tv", "sms")
Make = Callable[..., UseCase]


def counts(use_case: UseCase) -> dict[str, int]:
    groups, sizes = np.unique(variants(use_case, IDS), return_counts=True)
    return dict(zip(groups.tolist(), sizes.tolist(), strict=True))


def test_every_group_has_its_share(use_case: Make) -> None:
    case = use_case(**SHARES, champion=CHAMPION, holdout_share=0.1)
    shares = expected_shares(case)
    assert shares == pytest.approx(
        {"treatment": 0.585, "control": 0.09, "random": 0.045, "champion": 0.18, "holdout": 0.1}
    )
    found = counts(case)
    assert set(found) == set(shares)
    for group, share in shares.items():
        assert abs(found[group] - 20_000 * share) < 5 * (20_000 * share * (1 - share)) ** 0.5


def test_shares_that_are_zero_are_no_groups(use_case: Make) -> None:
    assert expected_shares(use_case(control_share=0.0)) == {"treatment": 1.0}
    assert set(variants(use_case(control_share=0.0), IDS).tolist()) == {"treatment"}


@pytest.mark.parametrize(
    ("changed", "moves"),
    [
        ({"control_share": 0.15}, {("treatment", "control")}),
        ({"random_share": 0.1}, {("treatment", "random")}),
        ({"champion_share": 0.1}, {("champion", "treatment")}),
        ({"champion_share": 0.25}, {("treatment", "champion")}),
    ],
)
def test_a_changed_share_moves_only_who_must_move(
    use_case: Make, changed: dict[str, float], moves: set[tuple[str, str]]
) -> None:
    before = variants(use_case(**SHARES, champion=CHAMPION), IDS)
    after = variants(use_case(**{**SHARES, **changed}, champion=CHAMPION), IDS)
    moved = before != after
    assert set(zip(before[moved].tolist(), after[moved].tolist(), strict=True)) == moves
    assert abs(moved.mean() - 0.05) < 0.05 + 0.01
    assert moved.sum() > 0


def test_a_champion_that_control_leaves_no_room_in_the_middle_is_beside_it(use_case: Make) -> None:
    case = use_case(control_share=0.7, champion_share=0.2, champion=CHAMPION, random_share=0.05)
    found = counts(case)
    assert set(found) == {"control", "champion", "random", "treatment"}
    assert abs(found["champion"] - 4_000) < 300
    assert abs(found["control"] - 14_000) < 300


def test_the_holdout_is_the_same_people_in_every_use_case(use_case: Make) -> None:
    one = variants(use_case(holdout_share=0.1), IDS) == "holdout"
    other = variants(use_case(name="other", holdout_share=0.1, control_share=0.5), IDS)
    assert (one == (other == "holdout")).all()
    wider = variants(use_case(holdout_share=0.2), IDS) == "holdout"
    assert not (one & ~wider).any()


def test_each_group_is_decided_for_by_its_own_player(
    stores: Stores, people: Callable[..., None], use_case: Make
) -> None:
    people(range(400))
    case = use_case(**SHARES, champion=CHAMPION, holdout_share=0.1, exploration_min=0.1)
    day, now = date(2026, 3, 1), datetime(2026, 3, 1, 6, tzinfo=UTC)
    snapshot(stores, case, day, profiles.snapshot(stores.state))
    policy = policies.Fixed(case.space, ("sim", "email"))
    assert decide(stores, case, day, policy=policy, policy_version="1", now=now)
    rows: list[dict[str, Any]] = stores.lake.read("decisions").to_pylist()
    by_group: dict[str, set[tuple[Any, ...]]] = {}
    for row in rows:
        by_group.setdefault(row["variant"], set()).add((*row["action"], row["propensity"]))
    # Two offers, as nobody may get fiber, by two channels: a tenth of uniform play.
    assert by_group["champion"] == {("tv", "sms", 1.0)}
    assert {each[2] for each in by_group["random"]} == {0.25}
    for group in ("treatment", "control", "holdout"):
        most = max(each[2] for each in by_group[group])
        assert ("sim", "email", most) in by_group[group]
        assert most == pytest.approx(0.925)
    assert len(rows) == 400


def body(**groups: object) -> dict[str, object]:
    options = [{"name": "a"}, {"name": "b"}]
    return {
        "success_metric": "orders",
        "audience": {"segments": ["all"]},
        "groups": groups,
        "activation": {"connector": "braze"},
        "dimensions": [{"name": "offer", "options": options}, {"name": "way", "options": options}],
    }


def test_groups_are_read(use_case: Make) -> None:
    said = {"champion_share": 0.2, "champion": {"way": "b", "offer": "a"}, "aa": True}
    problems: list[str] = []
    found = parse_use_case("next", body(**said), problems)
    assert problems == []
    assert found is not None
    assert (found.champion_share, found.champion, found.aa) == (0.2, ("a", "b"), True)
    assert (found.control_share, found.random_share) == (0.1, 0.0)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"champion_share": 0.2}, "groups.champion: champion_share 0.2 given without the action"),
        ({"champion": {"offer": "a", "way": "b"}}, "champion_share 0 given with the action"),
        ({"champion_share": 0.2, "champion": {"offer": "a"}}, "way"),
        ({"champion_share": 0.2, "champion": {"offer": "a", "way": "bb"}}, "no option 'bb'"),
        ({"champion_share": 0.2, "champion": {"offer": "a", "way": "b", "z": "c"}}, "z: unknown"),
        (
            {"control_share": 0.6, "random_share": 0.2, "champion_share": 0.2,
             "champion": {"offer": "a", "way": "b"}},
            "control_share 0.6, random_share 0.2 and champion_share 0.2 given, must be below 1",
        ),
    ],
)  # fmt: skip
def test_groups_that_cannot_be_are_refused(said: dict[str, object], problem: str) -> None:
    problems: list[str] = []
    assert parse_use_case("next", body(**said), problems) is None
    assert any(problem in each for each in problems), problems


def test_a_holdout_has_a_share_up_to_half() -> None:
    problems: list[str] = []
    assert parse_holdout({}, problems, where="opportune.toml: holdout") == 0.0
    assert problems == []
    parse_holdout({"share": 0.6, "shre": 1}, problems, where="opportune.toml: holdout")
    assert len(problems) == 2
