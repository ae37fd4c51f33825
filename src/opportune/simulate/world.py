"""A world: new customers every day, and what each action is truly worth to each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opportune.errors import InvalidInput
from opportune.policies import ActionSpace, Costs, Eligibility, RewardKind, uniforms
from opportune.simulate.customers import customers
from opportune.simulate.terms import Term, columns

__all__ = ["BadWorld", "Day", "Restriction", "Scale", "Truth", "World", "Yardstick"]

CELLS = 1 << 19
"""Scores held at once (2 MB in single precision)."""

Floats = NDArray[np.float64]
Actions = NDArray[np.int16]


class BadWorld(InvalidInput):
    """A world needs a name that exists, a seed from 0 up, and customers and days from 1 up."""

    code = "bad_world"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """How raw features become those the truth is written in: standardised, cut at 4."""

    center: Floats
    spread: Floats

    def standardised(self, raw: Floats) -> Floats:
        """``clip((raw - center) / spread, -4, 4)``."""
        return np.asarray(np.clip((raw - self.center) / self.spread, -4.0, 4.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """From a day on: weights ``(C, q)`` of the terms' columns, a row a combination.

    ``chance``: logits of a reward. ``amount``: logs of its size, None where it is 1.
    """

    from_day: int
    chance: Floats
    amount: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """An option that some customers may not get on some days.

    ``share`` of the customers, drawn anew each day, until (not including) ``until_day``; None is
    for ever.
    """

    dimension: int
    option: int
    share: float
    until_day: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Day:
    """The customers of one day.

    ``features``: ``(n, 12)`` raw, what a policy sees. ``columns``: ``(n, q)``, what the truth is
    made of. ``luck``: ``(n,)`` in [0, 1), the same for whatever is played.
    """

    index: int
    features: Floats
    eligible: Eligibility
    columns: Floats
    luck: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Yardstick:
    """Exact expected value a customer on one day.

    ``oracle``: each their own best eligible combination. ``uniform``: uniform play over the
    eligible ones. ``single``: ``(C,)``, the same combination for everybody; who may not get it
    gets uniform play.
    """

    oracle: float
    uniform: float
    single: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class World:
    """Follows from (name, seed) alone. A day's customers are new, and know nothing of other days.

    ``customers``: how many come a day unless asked otherwise. ``blind_days``: rewards of day t are
    complete, and learned, just before day t + ``blind_days`` is decided. ``costs``: what options
    cost; a value is then reward minus cost. ``noise``: standard deviation of the log of an amount.
    ``delay_days``: mean days until a reward comes, 0 is at once; none comes after ``blind_days``.
    """

    name: str
    seed: int
    customers: int
    space: ActionSpace
    reward: RewardKind
    scale: Scale
    terms: tuple[Term, ...]
    truths: tuple[Truth, ...]
    restrictions: tuple[Restriction, ...] = ()
    costs: Costs | None = None
    blind_days: int = 2
    delay_days: float = 0.0
    noise: float = 0.0

    def day(self, index: int, count: int | None = None) -> Day:
        """The customers of day ``index`` (from 0); fewer customers are the first of more."""
        wanted = self.customers if count is None else count
        if index < 0 or wanted < 1:
            raise BadWorld(f"day {index} with {wanted} customers: give a day from 0 and 1 or more.")
        features = customers((self.seed, 1 + index), wanted)
        return Day(
            index=index,
            features=features,
            eligible=self._eligible(index, wanted),
            columns=columns(self.terms, self.scale.standardised(features)),
            luck=self._luck("reward", index, wanted),
        )

    def chance(self, day: Day, actions: Actions) -> Floats:
        """True chance ``(n,)`` that each customer is worth a reward under their action."""
        return _sigmoid(_chosen(day.columns, self._truth(day.index).chance, self._codes(actions)))

    def expected(self, day: Day, actions: Actions) -> Floats:
        """True expected value ``(n,)``: reward less costs."""
        codes = self._codes(actions)
        return self.chance(day, actions) * self._worth(day, codes) - self._sent()[codes]

    def rewards(self, day: Day, actions: Actions, *, age_days: float | None = None) -> Floats:
        """What the customers' luck makes of these actions, before costs: ``(n,)``.

        With ``age_days`` only what has come so many days after the decision; else all of it.
        """
        rewarded = day.luck < self.chance(day, actions)
        if age_days is not None and self.delay_days:
            rewarded &= self._arrival_days(day) <= age_days
        amount = self._truth(day.index).amount
        if amount is None:
            return rewarded.astype(np.float64)
        size = np.exp(
            _chosen(day.columns, amount, self._codes(actions)) + self.noise * self._z(day)
        )
        return np.asarray(rewarded * size)

    def arrived(self, age_days: float) -> float:
        """Of all rewards that ever come, the share that has come so many days after the decision.

        >>> from opportune.simulate import make_world
        >>> world = make_world("delays", seed=1)
        >>> [round(world.arrived(age), 2) for age in (1, 2, 7)]
        [0.41, 0.65, 1.0]
        """
        if not self.delay_days or age_days >= self.blind_days:
            return 1.0
        cut = np.expm1(-self.blind_days / self.delay_days)
        return float(np.expm1(-age_days / self.delay_days) / cut)

    def net(self, actions: Actions, rewards: Floats) -> Floats:
        """Rewards ``(n,)`` less what the actions cost."""
        codes = self._codes(actions)
        return np.asarray(rewards - self._sent()[codes] - self._rewarded()[codes] * (rewards != 0))

    def yardstick(self, day: Day) -> Yardstick:
        """What the day's customers are worth to the oracle, to uniform play, to each combination.

        All combinations of all customers are scored once, in blocks, in single precision.
        """
        rows, everything = len(day.luck), self.space.combinations
        totals, best, uniform = np.zeros(everything), 0.0, 0.0
        # Sums by a product with ones: in single precision these are the fastest there are.
        across = np.full(everything, 1.0 / everything, dtype=np.float32)
        for here, values in self._blocks(day):
            allowed = self._allowed(day.eligible.take(here))
            if allowed is None:
                typical, open_ = values @ across, values
            else:
                values[~allowed] = 0.0
                typical = (values @ across) * (everything / allowed.sum(axis=1)).astype(np.float32)
                open_ = np.where(allowed, values, -np.inf)
                values += np.where(allowed, 0, typical[:, None])
            best += float(open_.max(axis=1).sum(dtype=np.float64))
            uniform += float(typical.sum(dtype=np.float64))
            totals += np.ones(len(values), dtype=np.float32) @ values
        return Yardstick(oracle=best / rows, uniform=uniform / rows, single=totals / rows)

    def best_actions(self, day: Day) -> Actions:
        """The oracle's choice: each customer's best eligible combination, ``(n, D)``."""
        best = np.empty(len(day.luck), dtype=np.int64)
        for here, values in self._blocks(day):
            allowed = self._allowed(day.eligible.take(here))
            open_ = values if allowed is None else np.where(allowed, values, -np.inf)
            best[here] = open_.argmax(axis=1)
        return self.space.actions()[best]

    def _blocks(self, day: Day) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Slices of customers with the true values ``(rows, C)`` of every combination."""
        truth = self._truth(day.index)
        chance = truth.chance.T.astype(np.float32)
        amount = None if truth.amount is None else truth.amount.T.astype(np.float32)
        sent, rewarded = self._sent().astype(np.float32), self._rewarded().astype(np.float32)
        step = max(1, CELLS // self.space.combinations)
        for start in range(0, len(day.luck), step):
            here = slice(start, start + step)
            rows = day.columns[here].astype(np.float32)
            values = rows @ chance
            np.negative(values, out=values)
            np.exp(values, out=values)
            values += 1.0
            np.reciprocal(values, out=values)
            if amount is not None:
                values *= np.exp(rows @ amount + np.float32(self.noise**2 / 2)) - rewarded
            elif self.costs is not None:
                values *= 1.0 - rewarded
            if self.costs is not None:
                values -= sent
            yield here, values

    def _worth(self, day: Day, codes: NDArray[np.int64]) -> Floats:
        """What a reward is worth when it comes: its expected size less what it then costs."""
        amount = self._truth(day.index).amount
        if amount is None:
            return np.asarray(1.0 - self._rewarded()[codes])
        size = np.exp(_chosen(day.columns, amount, codes) + self.noise**2 / 2)
        return np.asarray(size - self._rewarded()[codes])

    def _truth(self, index: int) -> Truth:
        return [truth for truth in self.truths if truth.from_day <= index][-1]

    def _codes(self, actions: Actions) -> NDArray[np.int64]:
        return self.space.codes(actions)

    def _sent(self) -> Floats:
        return _cost(self.space, None if self.costs is None else self.costs.sent)

    def _rewarded(self) -> Floats:
        return _cost(self.space, None if self.costs is None else self.costs.rewarded)

    def _eligible(self, index: int, count: int) -> Eligibility:
        full = [(1 << size) - 1 for size in self.space.sizes]
        options = np.tile(np.array(full, dtype=np.int64), (count, 1))
        for number, each in enumerate(self.restrictions):
            if each.until_day is None or index < each.until_day:
                barred = self._luck(f"barred:{number}", index, count) < each.share
                options[barred, each.dimension] &= ~np.int64(1 << each.option)
        return Eligibility(options=options)

    def _allowed(self, eligible: Eligibility) -> NDArray[np.bool_] | None:
        """Which combinations are eligible ``(rows, C)``; None where all are."""
        if not self.restrictions:
            return None
        allowed = np.ones((len(eligible), self.space.combinations), dtype=np.bool_)
        for d, choice in enumerate(self.space.actions().T.astype(np.int64)):
            allowed &= ((eligible.options[:, d, None] >> choice) & 1).astype(np.bool_)
        return allowed

    def _arrival_days(self, day: Day) -> Floats:
        """Days after the decision at which a reward comes: exponential, cut at ``blind_days``."""
        cut = -np.expm1(-self.blind_days / self.delay_days)
        luck = self._luck("delay", day.index, len(day.luck))
        return np.asarray(-self.delay_days * np.log1p(-luck * cut))

    def _z(self, day: Day) -> Floats:
        """A standard normal number a customer (Box-Muller)."""
        luck = [self._luck(part, day.index, len(day.luck)) for part in ("radius", "turn")]
        return np.asarray(np.sqrt(-2.0 * np.log1p(-luck[0])) * np.cos(2.0 * np.pi * luck[1]))

    def _luck(self, stream: str, index: int, count: int) -> Floats:
        return uniforms(f"{self.name}:{self.seed}:{stream}:{index}", np.arange(count))


def _chosen(rows: Floats, weights: Floats, codes: NDArray[np.int64]) -> Floats:
    return np.asarray(np.einsum("nq,nq->n", rows, weights[codes]))


def _cost(space: ActionSpace, options: tuple[Floats, ...] | None) -> Floats:
    """What each combination costs ``(C,)``: the sum over its options."""
    total = np.zeros(space.combinations)
    for choice, costs in zip(space.actions().T, options or (), strict=False):
        total += costs[choice]
    return total


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))
