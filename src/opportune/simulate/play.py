"""Let a policy decide and learn in a world, day by day, as it would with real customers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opportune.policies import Batch, LearnsEarly, Policy, draw, seed, uniforms
from opportune.simulate.world import BadWorld, Day, World, Yardstick

__all__ = ["Played", "Told", "beside", "play", "yardsticks"]

LAST_DAYS = 5
SETTLED_DAYS = 10

Floats = NDArray[np.float64]
Told = Callable[[int], None]
"""Called with the number of days that are over."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """A policy's days in a world. Arrays ``(days,)``: expected values a customer, and seconds.

    ``single``: what that one combination brings on each day which is best over all of them.
    ``value`` knows no luck: it is the true expectation of what was chosen.
    """

    world: str
    policy: str
    seed: int
    customers: int
    value: Floats
    oracle: Floats
    uniform: Floats
    single: Floats
    decide_s: Floats
    update_s: Floats

    @property
    def captured(self) -> float | None:
        """(value - uniform) / (oracle - uniform) over all days; None where nothing matters."""
        return _share(self.value, self.uniform, self.oracle)

    @property
    def captured_last(self) -> float | None:
        """The same over the last five days."""
        last = slice(-LAST_DAYS, None)
        return _share(self.value[last], self.uniform[last], self.oracle[last])

    @property
    def captured_by_single(self) -> float | None:
        """What the best single combination for everybody captures over all days."""
        return _share(self.single, self.uniform, self.oracle)

    @property
    def days_behind_single(self) -> int:
        """Days after the tenth on which that combination would have brought more."""
        return int((self.value < self.single)[SETTLED_DAYS:].sum())

    @property
    def over_uniform(self) -> float:
        """Value over that of uniform play, less 1."""
        return float(self.value.sum() / self.uniform.sum() - 1.0)

    @property
    def decisions_per_s(self) -> float:
        """Of the median day, so that what is compiled on the first day does not count."""
        return self.customers / max(float(np.median(self.decide_s)), 1e-9)

    @property
    def updates_per_s(self) -> float | None:
        """Of the median day that was learned from; None if there was none."""
        learned = self.update_s[self.update_s > 0]
        return self.customers / max(float(np.median(learned)), 1e-9) if len(learned) else None


def yardsticks(
    world: World, *, days: int, customers: int | None = None, told: Told | None = None
) -> list[Yardstick]:
    """The exact yardsticks of each day. They do not depend on what is played: share them."""
    if days < 1:
        raise BadWorld(f"{days} days were given; allowed is 1 or more.")
    found = []
    for index in range(days):
        found.append(world.yardstick(world.day(index, customers)))
        if told is not None:
            told(index + 1)
    return found


def play(
    world: World,
    policy: Policy,
    measures: Sequence[Yardstick],
    *,
    customers: int | None = None,
    clock: Callable[[], float] = float,
    told: Told | None = None,
) -> Played:
    """Decide and learn for as many days as there are yardsticks.

    Rewards of day t are learned just before day t + ``world.blind_days`` is decided: until then the
    policy is blind to them. Where rewards come one after the other, a policy that `LearnsEarly`
    decides with those that are there. ``clock`` gives seconds for the rates; left out, they mean
    nothing.
    """
    name, waiting = policy.name, list[tuple[Day, Batch]]()
    value, decide_s, update_s = [], np.zeros(len(measures)), np.zeros(len(measures))
    for index in range(len(measures)):
        if index >= world.blind_days:
            began = clock()
            policy = policy.update(_rewarded(world, *waiting.pop(0)))
            update_s[index] = clock() - began
        day = world.day(index, customers)
        began = clock()
        playing = _with_what_came(world, policy, waiting, index)
        update_s[index] += clock() - began
        began = clock()
        batch = _decided(world, day, playing)
        decide_s[index] = clock() - began
        waiting.append((day, batch))
        value.append(float(world.expected(day, batch.actions).mean()))
        if told is not None:
            told(index + 1)
    return beside(
        world,
        name,
        measures,
        customers=world.customers if customers is None else customers,
        value=np.array(value),
        seconds=(decide_s, update_s),
    )


def beside(
    world: World,
    policy: str,
    measures: Sequence[Yardstick],
    *,
    customers: int,
    value: Floats,
    seconds: tuple[Floats, Floats],
) -> Played:
    """Put what was played beside the yardsticks."""
    singles = np.array([each.single for each in measures])
    return Played(
        world=world.name,
        policy=policy,
        seed=world.seed,
        customers=customers,
        value=value,
        oracle=np.array([each.oracle for each in measures]),
        uniform=np.array([each.uniform for each in measures]),
        single=singles[:, singles.sum(axis=0).argmax()],
        decide_s=seconds[0],
        update_s=seconds[1],
    )


def _decided(world: World, day: Day, policy: Policy) -> Batch:
    key = f"{world.name}:{world.seed}:{day.index}"
    play_of_day = policy.distribution(
        day.features, day.eligible, seed=seed(f"draws:{key}"), costs=world.costs
    )
    chosen = draw(play_of_day, uniforms(f"choice:{key}", np.arange(len(day.luck))))
    return Batch(
        features=day.features,
        actions=chosen.actions,
        rewards=np.zeros(len(day.luck)),
        propensities=chosen.propensities,
    )


def _rewarded(world: World, day: Day, batch: Batch) -> Batch:
    return replace(batch, rewards=world.rewards(day, batch.actions))


def _with_what_came(
    world: World, policy: Policy, waiting: Sequence[tuple[Day, Batch]], today: int
) -> Policy:
    """The policy that decides today; it has seen the rewards of open days that are there."""
    if not world.delay_days or not waiting or not isinstance(policy, LearnsEarly):
        return policy
    ages = [today - day.index for day, _ in waiting]
    rewards = [
        world.rewards(day, batch.actions, age_days=age)
        for (day, batch), age in zip(waiting, ages, strict=True)
    ]
    shares = [world.arrived(age) for age in ages]
    return policy.provisional(
        Batch(
            features=np.concatenate([batch.features for _, batch in waiting]),
            actions=np.concatenate([batch.actions for _, batch in waiting]),
            rewards=np.concatenate(rewards),
            propensities=np.concatenate([batch.propensities for _, batch in waiting]),
            arrived=np.repeat(shares, [len(each) for each in rewards]),
        )
    )


def _share(value: Floats, uniform: Floats, oracle: Floats) -> float | None:
    possible = float((oracle - uniform).sum())
    # Single precision leaves crumbs where nothing matters.
    if possible <= 1e-5 * abs(float(uniform.sum())):
        return None
    return float((value - uniform).sum()) / possible
