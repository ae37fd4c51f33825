"""Playing a world: the yardsticks bound what is captured, and rewards are learned when mature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from scipy.stats import t

from opportune.policies import (
    ActionDistribution,
    Batch,
    Costs,
    Eligibility,
    FactoredThompson,
    Policy,
    Uniform,
)
from opportune.simulate import Day, World, make_world, paired, play, spread, yardsticks


@dataclass(frozen=True)
class Knowing:
    """Plays what it is told to, day by day, and keeps what it is taught."""

    world: World
    days: tuple[Day, ...]
    best: bool = True
    at: list[int] = field(default_factory=list)
    taught: list[tuple[int, Batch]] = field(default_factory=list)
    name: str = "knowing"

    def distribution(
        self,
        features: np.ndarray,
        eligible: Eligibility,
        *,
        seed: int,
        costs: Costs | None = None,
    ) -> ActionDistribution:
        day = self.days[len(self.at)]
        self.at.append(seed)
        assert np.array_equal(features, day.features)
        assert costs is self.world.costs
        return ActionDistribution(
            space=self.world.space,
            support=self.world.best_actions(day)[:, None, :],
            weights=np.ones((len(eligible), 1)),
            uniform_share=0.0,
            eligible=eligible,
        )

    def update(self, evidence: Batch) -> Knowing:
        self.taught.append((len(self.at), evidence))
        return self

    def to_bytes(self) -> bytes:
        return b""

    @classmethod
    def from_bytes(cls, data: bytes) -> Policy:
        raise AssertionError("nobody keeps this one")


def oracle(name: str, days: int, customers: int) -> tuple[World, Knowing]:
    world = make_world(name, seed=1)
    return world, Knowing(world, tuple(world.day(index, customers) for index in range(days)))


@pytest.mark.parametrize("name", ["static60", "ineligible", "revenue", "costs", "new_option"])
def test_the_oracle_captures_everything(name: str) -> None:
    world, policy = oracle(name, 3, 400)
    found = play(world, policy, yardsticks(world, days=3, customers=400), customers=400)
    assert found.captured == pytest.approx(1.0, abs=1e-4)
    assert 0 < (found.captured_by_single or 0) < 1


@pytest.mark.parametrize("name", ["static60", "ineligible", "flip"])
def test_uniform_play_captures_nothing(name: str) -> None:
    world = make_world(name, seed=1)
    policy = Uniform.start(world.space, features=12, reward=world.reward)
    found = play(world, policy, yardsticks(world, days=16, customers=4_000), customers=4_000)
    # Over seeds the captured share of this many uniform decisions has a standard error of 0.003.
    assert found.captured == pytest.approx(0.0, abs=0.012)
    assert found.over_uniform == pytest.approx(0.0, abs=0.01)


@pytest.mark.parametrize(("name", "blind"), [("static60", 2), ("delays", 7)])
def test_a_day_is_learned_once_when_it_is_mature(name: str, blind: int) -> None:
    world, policy = oracle(name, blind + 2, 50)
    play(world, policy, yardsticks(world, days=blind + 2, customers=50), customers=50)
    assert [at for at, _ in policy.taught] == [blind, blind + 1]
    for (_, batch), day in zip(policy.taught, policy.days, strict=False):
        assert np.array_equal(batch.features, day.features)
        assert np.array_equal(batch.rewards, world.rewards(day, batch.actions))
        assert (batch.propensities == 1.0).all()
    assert len(set(policy.at)) == blind + 2


def test_where_nothing_matters_there_is_no_share() -> None:
    world, policy = oracle("aa", 2, 100)
    found = play(world, policy, yardsticks(world, days=2, customers=100), customers=100)
    assert (found.captured, found.captured_last, found.captured_by_single) == (None, None, None)
    assert found.over_uniform == pytest.approx(0.0, abs=1e-6)


def test_the_learner_beats_uniform_play_and_repeats_itself_to_the_last_digit() -> None:
    world = make_world("additive", seed=1)
    measures = yardsticks(world, days=8, customers=4_000)

    def run() -> np.ndarray:
        policy = FactoredThompson.start(world.space, features=12, reward="binary")
        return play(world, policy, measures, customers=4_000).value

    first = run()
    assert np.array_equal(first, run())
    share = (first - [each.uniform for each in measures])[5:].sum() / sum(
        each.oracle - each.uniform for each in measures[5:]
    )
    assert share > 0.25


def test_days_behind_the_best_combination_count_after_the_tenth() -> None:
    world, policy = oracle("static60", 3, 100)
    found = play(world, policy, yardsticks(world, days=3, customers=100), customers=100)
    single, value = np.ones(13), np.array([0.5] * 10 + [2.0, 0.5, 1.0])
    assert replace(found, single=single, value=value).days_behind_single == 1
    assert found.days_behind_single == 0


def test_rates_come_from_the_clock_that_is_handed_in() -> None:
    world, policy = oracle("static60", 3, 100)
    ticks = iter(range(100))
    measures = yardsticks(world, days=3, customers=100)
    found = play(world, policy, measures, customers=100, clock=lambda: float(next(ticks)))
    assert (found.decisions_per_s, found.updates_per_s) == (100.0, 100.0)
    blind = replace(found, update_s=np.zeros(3))
    assert blind.updates_per_s is None


def test_intervals_are_those_of_students_t() -> None:
    values = [0.1, 0.4, 0.3, 0.2, 0.5]
    found = spread(values)
    # t(0.975, 4) = 2.7764451052, sd = 0.1581138830
    assert found.mean == pytest.approx(0.3)
    assert found.half_width == pytest.approx(2.7764451052 * 0.1581138830 / np.sqrt(5), rel=1e-9)
    assert spread([0.2]).half_width is None
    shifted = paired("a", [value + 0.1 for value in values], "b", values)
    assert shifted.difference.mean == pytest.approx(0.1)
    assert shifted.difference.half_width == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 9, 16, 31, 100])
def test_intervals_have_the_width_that_scipy_gives_them(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    low, high = t.interval(0.95, count - 1, values.mean(), values.std(ddof=1) / np.sqrt(count))
    assert spread(values.tolist()).half_width == pytest.approx((high - low) / 2, rel=1e-9)


def test_the_settings_of_a_learner_are_a_mapping() -> None:
    settings: Mapping[str, object] = {"draws": 4}
    world = make_world("static60", seed=1)
    policy = FactoredThompson.start(world.space, features=12, reward="binary", settings=settings)
    assert policy.draws == 4
