"""The learner against a market whose true answers are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from opportune.policies import (
    ActionSpace,
    Batch,
    FactoredThompson,
    Policy,
    Uniform,
    draw,
    everything,
    uniforms,
)

DAYS = 10
CUSTOMERS = 3_000
SCALES = np.array([1.0, 250.0, 0.01, 3.0, 1e6])

Floats = NDArray[np.float64]
Actions = NDArray[np.int16]


class World:
    """Main effects, context effects, a table per pair of dimensions, a step and a product.

    Of five features in wildly different units three matter to the options, one only to the
    customer's own rate, one to nothing. The step is not where the model's steps are.
    """

    def __init__(self, space: ActionSpace, *, seed: int) -> None:
        numbers = np.random.default_rng(seed)
        self.space = space
        self.own = np.r_[numbers.normal(0, 0.3, 4), 0.0]
        self.main = [numbers.normal(0, 0.2, size) for size in space.sizes]
        self.context = [
            np.c_[numbers.normal(0, 0.2, (size, 3)), np.zeros((size, 2))] for size in space.sizes
        ]
        self.step = numbers.normal(0, 0.25, space.sizes[0])
        self.product = numbers.normal(0, 0.25, space.sizes[1])
        self.pairs = {
            (d, e): numbers.normal(0, 0.15, (space.sizes[d], space.sizes[e]))
            for d, e in ((0, 1), (0, 2), (1, 2))
        }

    def customers(self, day: int) -> Floats:
        numbers = np.random.default_rng([day, 77])
        return np.asarray((numbers.normal(0, 1, (CUSTOMERS, len(SCALES))) + 2) * SCALES)

    def probability(self, features: Floats, actions: Actions) -> Floats:
        x = features / SCALES - 2
        eta = -3.2 + x @ self.own + self.step[actions[:, 0]] * np.sign(x[:, 0] - 0.5)
        eta += self.product[actions[:, 1]] * x[:, 1] * x[:, 2]
        for d, (main, context) in enumerate(zip(self.main, self.context, strict=True)):
            eta += main[actions[:, d]] + (x * context[actions[:, d]]).sum(axis=1)
        for (d, e), table in self.pairs.items():
            eta += table[actions[:, d], actions[:, e]]
        return np.asarray(1 / (1 + np.exp(-eta)))

    def all_probabilities(self, features: Floats) -> Floats:
        every = [np.broadcast_to(action, (CUSTOMERS, 3)) for action in self.space.actions()]
        return np.stack([self.probability(features, actions) for actions in every], axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """Per day the true value of the play, of uniform and of best play; per row, IPS terms."""

    values: Floats
    uniform: Floats
    oracle: Floats
    uniform_terms: Floats

    def captured(self, *, last_days: int = DAYS) -> float:
        gained, possible = self.values - self.uniform, self.oracle - self.uniform
        return float(gained[-last_days:].sum() / possible[-last_days:].sum())


def play(policy: Policy, world: World) -> Played:
    values, terms = [], []
    for day in range(DAYS):
        features = world.customers(day)
        distribution = policy.distribution(features, everything(world.space, CUSTOMERS), seed=day)
        chosen = draw(distribution, uniforms(f"play:{day}", np.arange(CUSTOMERS)))
        truth, every = (
            world.probability(features, chosen.actions),
            world.all_probabilities(features),
        )
        luck = uniforms(f"luck:{day}", np.arange(CUSTOMERS))
        rewards = (luck < truth).astype(np.float64)
        values.append((truth.mean(), every.mean(), every.max(axis=1).mean()))
        terms.append(rewards / 60 / chosen.propensities - every.mean(axis=1))
        policy = policy.update(
            Batch(
                features=features,
                actions=chosen.actions,
                rewards=rewards,
                propensities=chosen.propensities,
            )
        )
    played, uniform, oracle = np.array(values).T
    return Played(
        values=played, uniform=uniform, oracle=oracle, uniform_terms=np.concatenate(terms)
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_the_learner_comes_near_the_oracle_and_its_propensities_are_true(
    space: ActionSpace, seed: int
) -> None:
    world = World(space, seed=seed)
    learned = play(FactoredThompson(space, len(SCALES), reward="binary"), world)
    assert learned.captured() > 0.6
    assert learned.captured(last_days=3) > 0.8
    terms = learned.uniform_terms
    assert abs(terms.mean()) < 4 * terms.std() / len(terms) ** 0.5


def test_uniform_play_captures_nothing(space: ActionSpace) -> None:
    assert abs(play(Uniform(space), World(space, seed=1)).captured()) < 0.02
