"""The decision log says what uniform play would have earned: propensities are what they say."""

from __future__ import annotations

import numpy as np
import pytest

from opportune import stats
from opportune.policies import Batch, FactoredThompson, Policy, draw, seed, uniforms
from opportune.simulate import World, make_world

SEEDS = 100
# The first day is uniform play; then the learner plays.
CUSTOMERS = (4_000, 14_000, 14_000)
# What the learner no longer plays has weight 20, on some 40 rewarded rows of a log.
UNIFORM_SHARE = 0.05
LEAST_COVERED = 93


def estimated(world: World) -> tuple[stats.Estimate, float]:
    """Uniform play's value by importance weights from a learner's log, and the truth."""
    policy: Policy = FactoredThompson(world.space, 12, reward="binary", uniform_share=UNIFORM_SHARE)
    rewards, propensities, truth = [], [], 0.0
    for index, customers in enumerate(CUSTOMERS):
        day = world.day(index, customers)
        key = f"{world.seed}:{index}"
        play = policy.distribution(day.features, day.eligible, seed=seed(key))
        drawn = draw(play, uniforms(key, np.arange(customers)))
        rewards.append(world.rewards(day, drawn.actions))
        propensities.append(drawn.propensities)
        truth += world.yardstick(day).uniform * customers / sum(CUSTOMERS)
        if index + 1 < len(CUSTOMERS):
            policy = policy.update(
                Batch(
                    features=day.features,
                    actions=drawn.actions,
                    rewards=rewards[-1],
                    propensities=drawn.propensities,
                )
            )
    logged = np.concatenate(propensities)
    targets = np.full(len(logged), 1.0 / world.space.combinations)
    return stats.ips(np.concatenate(rewards), propensities=logged, targets=targets), truth


@pytest.mark.slow
def test_intervals_of_uniform_play_cover_the_truth() -> None:
    errors, covered = [], 0
    for number in range(1, SEEDS + 1):
        found, truth = estimated(make_world("static60", seed=number))
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
        errors.append((found.value - truth) / truth)
    assert covered >= LEAST_COVERED
    # Without bias the mean of so many errors is within three of its own standard errors.
    assert abs(np.mean(errors)) < 3.0 * np.std(errors) / np.sqrt(SEEDS)
