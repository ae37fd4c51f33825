"""Rewards that may still come: the policy sees early what it would see in the end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lessons import rewarded, rows_of, space_of
from opportune.policies import (
    BadArray,
    Batch,
    EpsilonGreedy,
    FactoredThompson,
    LearnsEarly,
    Policy,
    Trees,
    Wabbit,
    WrongReward,
    everything,
)

SPACE = space_of(3)
CHANCES = np.array([0.08, 0.2, 0.45])


def day(seed: int, share: float, *, count: int = 30_000) -> Batch:
    """Rows of an open day: of their rewards this share has come."""
    rows = rows_of(SPACE, count, seed=seed, features=1)
    chance = CHANCES[rows.actions[:, 0]]
    rows = rewarded(rows, np.log(chance / (1 - chance)), seed=seed + 50)
    came = np.random.default_rng(seed + 100).random(count) < share
    return replace(rows, rewards=rows.rewards * came, arrived=np.full(count, share))


def expected(policy: FactoredThompson) -> list[float]:
    return policy.expected(np.zeros((3, 1)), SPACE.actions()).tolist()


START = FactoredThompson(SPACE, 1, reward="binary")


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_open_rows_say_what_they_will_say_in_the_end(share: float) -> None:
    policy = START.update(replace(day(1, 1.0), arrived=None))
    for seed in (2, 3, 4):
        policy = policy.update(day(seed, share))
    assert expected(policy) == pytest.approx(CHANCES.tolist(), rel=0.1)


def test_without_the_correction_they_would_say_too_little() -> None:
    policy = START
    for seed in (2, 3, 4):
        policy = policy.update(replace(day(seed, 0.3), arrived=None))
    assert expected(policy) == pytest.approx((CHANCES * 0.3).tolist(), rel=0.1)


def test_rows_of_several_ages_may_be_told_at_once_and_all_arrived_is_mature() -> None:
    shares = (0.2, 0.6, 1.0)
    several = [day(seed, share, count=20_000) for seed, share in enumerate(shares, start=2)]
    together = Batch(
        features=np.concatenate([each.features for each in several]),
        actions=np.concatenate([each.actions for each in several]),
        rewards=np.concatenate([each.rewards for each in several]),
        propensities=np.concatenate([each.propensities for each in several]),
        arrived=np.repeat(shares, 20_000),
    )
    assert expected(START.provisional(together)) == pytest.approx(CHANCES.tolist(), rel=0.08)
    mature = replace(several[2], arrived=None)
    one, other = START.update(several[2]), START.update(mature)
    assert expected(one) == pytest.approx(expected(other), rel=1e-9)


def test_few_early_rewards_are_no_alarm_and_a_change_among_them_is_one() -> None:
    policy = START
    for seed in range(4):
        policy = policy.update(replace(day(seed, 1.0, count=10_000), arrived=None))
    open_day = day(9, 0.2, count=10_000)
    assert not policy.glance(open_day).alarm
    assert policy.glance(replace(open_day, arrived=None)).alarm
    turned = replace(open_day, actions=(2 - open_day.actions).astype(np.int16))
    assert policy.glance(turned).alarm
    # What decides after the change has forgotten, what is kept has not.
    known = policy.provisional(turned).knowledge
    assert known is not None
    assert known.alarms == 1


def test_amounts_are_of_what_has_come() -> None:
    policy = FactoredThompson(SPACE, 1, reward="amount")
    for rows in (day(2, 1.0), day(3, 0.4), day(4, 0.4)):
        sizes = np.exp(np.random.default_rng(1).normal(2.0, 0.5, len(rows.rewards)))
        policy = policy.provisional(replace(rows, rewards=rows.rewards * sizes))
    assert expected(policy) == pytest.approx((CHANCES * np.exp(2.125)).tolist(), rel=0.1)


def test_no_rows_change_nothing_and_shares_must_be_shares() -> None:
    assert isinstance(START, LearnsEarly)
    nothing = day(1, 0.5).take(np.zeros(30_000, dtype=bool))
    assert START.provisional(nothing) is START
    for wrong in (np.zeros(30_000), np.full(30_000, 1.1), np.full(3, 0.5)):
        with pytest.raises(BadArray, match="above 0 and at most 1"):
            replace(day(1, 0.5), arrived=wrong)


@pytest.mark.parametrize("kind", [EpsilonGreedy, Trees, Wabbit])
def test_a_policy_that_cannot_correct_refuses_rewards_that_may_still_come(kind: type) -> None:
    policy: Policy = kind.start(SPACE, features=1, reward="binary")
    assert not isinstance(policy, LearnsEarly)
    with pytest.raises(WrongReward, match="Of 40 rows some rewards may still come"):
        policy.update(day(1, 0.5, count=40))
    complete = day(1, 1.0, count=40)
    policy.update(complete)


def test_provisional_plays_as_an_update_would() -> None:
    learned = START.update(day(1, 1.0))
    waiting = day(2, 0.5)
    eligible = everything(SPACE, len(waiting.rewards))
    whole, quick = learned.update(waiting), learned.provisional(waiting)
    plays = [each.distribution(waiting.features, eligible, seed=3) for each in (whole, quick)]
    assert (plays[0].support == plays[1].support).all()
    assert expected(quick) == expected(whole)
    stored = quick.to_bytes()
    # Of four memories it has kept one, and plays by it wherever it is read again.
    assert quick.knowledge is not None
    size = len(quick.knowledge.point)
    assert len(whole.to_bytes()) - len(stored) >= 3 * 4 * size * (size + 1) // 2
    again = FactoredThompson.from_bytes(stored)
    assert expected(again) == pytest.approx(expected(whole), rel=1e-5)
