"""Nobody is in two groups, and a changed share moves no more than it must."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from opportune import policies, profiles
from opportune.decisions import (
    Player,
    UseCase,
    decide,
    decide_beside,
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


def test_a_champion_that_is_a_policy_decides_for_its_group_with_its_own_chances(
    stores: Stores, people: Callable[..., None], use_case: Make
) -> None:
    people(range(300))
    case = use_case(**SHARES, champion_policy="epsilon_greedy", exploration_min=0.1)
    day, now = date(2026, 3, 1), datetime(2026, 3, 1, 6, tzinfo=UTC)
    snapshot(stores, case, day, profiles.snapshot(stores.state))
    sim = np.array([[2, 0], [0, 1]] * 40, dtype=np.int16)
    rewards = (sim[:, 0] == 2).astype(np.float64)
    champion = policies.EpsilonGreedy.start(
        case.space, features=case.feature_count, reward="binary", settings={"epsilon": 0.0}
    ).update(
        policies.Batch(
            features=np.zeros((80, case.feature_count)),
            actions=sim,
            rewards=rewards,
            propensities=np.full(80, 0.25),
        )
    )
    main = Player(policy=policies.Fixed(case.space, ("tv", "sms")), version="next/1/x")
    other = Player(policy=champion, version="next:champion/1/x")
    assert decide_beside(stores, case, day, player=main, champion=other, now=now)
    by_group: dict[str, set[tuple[Any, ...]]] = {}
    for row in stores.lake.read("decisions").to_pylist():
        said = (*row["action"], round(row["propensity"], 9), row["policy_version"])
        by_group.setdefault(row["variant"], set()).add(said)
    # Its best action, and a tenth of uniform play as in treatment.
    assert ("sim", "email", 0.925, "next:champion/1/x") in by_group["champion"]
    assert {each[2] for each in by_group["champion"]} == {0.925, 0.025}
    assert {each[3] for each in by_group["champion"]} == {"next:champion/1/x"}
    for group in ("treatment", "control", "random"):
        assert {each[3] for each in by_group[group]} == {"next/1/x"}
    assert ("tv", "sms", 0.925, "next/1/x") in by_group["treatment"]


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


def test_a_policy_as_the_champion_is_read_and_is_the_same_use_case_otherwise() -> None:
    policy = {"name": "epsilon_greedy", "epsilon": 0.2}
    said = {"champion_share": 0.2, "champion_policy": policy, "champion_learns": False}
    problems: list[str] = []
    found = parse_use_case("next", body(**said), problems)
    assert problems == []
    assert found is not None
    champion = found.as_champion
    assert champion is not None
    assert (champion.policy, champion.policy_settings) == ("epsilon_greedy", {"epsilon": 0.2})
    assert (champion.name, champion.learner, found.learner) == ("next", "next:champion", "next")
    assert (found.policy, found.champion_learns, found.champion) == (
        "factored_thompson",
        False,
        (),
    )
    plain = parse_use_case("next", body(), problems)
    assert plain is not None
    assert plain.as_champion is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"champion_share": 0.2}, "groups.champion: champion_share 0.2 given without the action"),
        ({"champion_policy": {"name": "uniform"}}, "champion_share 0 given with the action or the"),
        (
            {"champion_share": 0.2, "champion": {"offer": "a", "way": "b"},
             "champion_policy": {"name": "uniform"}},
            "groups.champion_policy: given beside the action of a champion",
        ),
        (
            {"champion_share": 0.2, "champion_policy": {"name": "fixed"}},
            "groups.champion_policy: 'fixed' given; name its action as champion",
        ),
        ({"champion_share": 0.2, "champion_policy": {}}, "champion_policy.name: missing"),
        ({"champion_learns": False}, "groups.champion_learns: given without champion_policy"),
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
