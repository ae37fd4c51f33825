"""Choose for a whole day so that its budget is never exceeded and every probability is true.

Two things keep to a budget. A *shadow price* makes cost weigh more in the policy, so much that what
the day is expected to cost fits; it decides who is worth the money. And a *hard cap* makes sure:
profiles are decided in an order fixed by a hash, and as soon as the dearest action that the next
one may get no longer fits into what is left, dear options are ineligible for the rest of the day.

What a profile may get then depends on those before it and on chance that is not its own, so given
them its propensity is exact, as each row's estimate by importance weights needs: propensities that
are known functions of the past make the sum of such estimates a martingale (van der Laan, "The
construction and analysis of adaptive group sequential designs", 2008; Hadad, Hirshberg, Zhan, Wager
and Athey, "Confidence intervals for policy evaluation in adaptive experiments", PNAS 2021).

Amounts are whole millionths in here: sums are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions.groups import CHAMPION, UNSENT

__all__ = [
    "Chosen",
    "Plan",
    "choose",
    "explored",
    "millionths",
    "shadow_price",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MILLION = 1_000_000
# The shadow price is found on so many profiles; the cap is what keeps the promise.
SAMPLE = 4_096
# Profiles decided at once after an option became too dear; doubled each time that all fit.
FEWEST = 1_024
# Shadow prices that are looked at: 2 to the power of these, in steps that end below 1 percent.
LOW_POWER, HIGH_POWER, STEPS = -20.0, 20.0, 12
NEAR_ENOUGH = 0.99


Parts = Callable[[Integers, Integers], Iterator[tuple[Integers, policies.Eligibility]]]
"""Rows ``(m,)`` of a day and the masks ``(m, D)`` that they are left with -> what they may get, in
one or more parts, each with the places among the ``m`` that it is of."""


def whole(rows: Integers, options: Integers) -> Iterator[tuple[Integers, policies.Eligibility]]:
    """In one part, and every combination of eligible options is allowed."""
    yield np.arange(len(rows)), policies.Eligibility(options=options)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What a day is decided from.

    ``options``: ``(n, D)`` masks of eligible options; ``parts`` says which combinations of them
    are allowed. ``uniforms``: ``(n,)`` in [0, 1), which choose; ``order``: ``(n,)`` rows in the
    order in which they are decided; ``variants``: ``(n,)``, of which `UNSENT` spend nothing.
    ``players``: who plays for a variant in place of ``policy``.
    ``costs`` None: all options are free. ``left``: millionths that may still be spent; None:
    without limit.
    ``cost_weight``: how much of the reward's unit a unit of cost is worth before any shadow price.
    """

    policy: policies.Policy
    seed: int
    space: policies.ActionSpace
    features: Floats
    options: Integers
    uniforms: Floats
    order: Integers
    variants: NDArray[np.str_]
    players: Mapping[str, policies.Policy]
    costs: policies.Costs | None
    left: int | None
    cost_weight: float = 1.0
    exploration_min: float = 0.0
    parts: Parts = whole


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Chosen:
    """What was chosen for the profiles that got a decision.

    ``rows``: ``(m,)`` which of the day's they are, ascending; ``options``: ``(m, D)`` masks of what
    they could get. ``cost``, ``cost_rewarded``: ``(m,)`` of the actions; ``committed``: their sum
    over those who are sent something. ``shadow_price`` None: no budget. ``held_back``: profiles
    with no affordable action; ``restricted``: those that were decided when not everything was
    affordable any more.
    """

    rows: Integers
    drawn: policies.Draw
    options: Integers
    cost: Floats
    cost_rewarded: Floats
    committed: float
    shadow_price: float | None
    held_back: int
    restricted: int


def choose(plan: Plan) -> Chosen:
    """Choose for every profile of ``plan``, within what is left of the budget.

    The policy is asked once where everything is affordable, and about 14 times more for 4,096
    profiles to find the shadow price.
    """
    if plan.left is None or plan.costs is None:
        everybody = np.arange(len(plan.options))
        drawn = _draw(plan, everybody, plan.options, price=0.0)
        parts = [(everybody, plan.options, drawn)]
        return _chosen(plan, parts, price=None, restricted=0)
    price = _price(plan, plan.left)
    restricted = 0
    parts = []
    for rows, options, drawn, level in _capped(plan, plan.left, price):
        parts.append((rows, options, drawn))
        restricted += len(rows) if level else 0
    return _chosen(plan, parts, price=price, restricted=restricted)


def shadow_price(expected: Callable[[float], float], left: float) -> float:
    """The least price, within 1 percent, at which ``expected(price)`` is at most ``left``.

    ``expected`` must not rise with the price. 0 where the budget does not bind, or where no price
    changes anything; the highest price looked at where even that is too little. Then only the cap
    helps.

    >>> round(shadow_price(lambda price: 100 / (1 + price), 25.0), 1)
    3.0
    >>> shadow_price(lambda price: 20.0, 25.0)
    0.0
    """
    without = expected(0.0)
    if without <= left:
        return 0.0
    low, high = LOW_POWER, HIGH_POWER
    at_most = expected(2.0**high)
    if at_most > left:
        return float(2.0**high) if at_most < without else 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        found = expected(2.0**middle)
        if found > left:
            low = middle
            continue
        high = middle
        if found >= NEAR_ENOUGH * left:
            break
    return float(2.0**high)


def millionths(amount: float) -> int:
    """An amount as it is counted.

    >>> millionths(0.1) + millionths(0.2) == millionths(0.3)
    True
    """
    return round(amount * MILLION)


def _price(plan: Plan, left: int) -> float:
    """The shadow price of the day, found on the first profiles of its order: a random sample."""
    spending = plan.order[_sent(plan, plan.order)]
    sample = np.sort(spending[:SAMPLE])
    if not len(sample):
        return 0.0
    prices, share = _prices(plan), len(spending) / len(sample)
    by_chance = np.empty(len(sample))
    for here, eligible in plan.parts(sample, plan.options[sample]):
        by_chance[here] = eligible.mean(plan.space, prices)

    def expected(price: float) -> float:
        played = _played(plan, sample, plan.options[sample], price=price)
        costs = (_expected_cost(each, prices, by_chance[here]) for here, each in played)
        return share * sum(float(each.sum()) for each in costs)

    return shadow_price(expected, float(left))


def _capped(
    plan: Plan, left: int, price: float
) -> Iterator[tuple[Integers, Integers, policies.Draw, int]]:
    """Decide in order; which options are affordable falls from level to level."""
    prices = _prices(plan)
    levels = sorted({int(each) for array in prices for each in array} | {0}, reverse=True)
    place, level, size = 0, 0, len(plan.order)
    while place < len(plan.order):
        block = plan.order[place : place + size]
        options = plan.options[block] & _affordable(prices, levels[level])
        worst = _worst(options, prices) * _sent(plan, block)
        if worst[0] > left:
            level, size = level + 1, FEWEST
            continue
        able = _able(plan, block, options) if level else np.arange(len(block))
        drawn = _draw(plan, block[able], options[able], price=price)
        spent = np.zeros(len(block), dtype=np.int64)
        spent[able] = _cost_of(drawn.actions, prices)
        spent[~_sent(plan, block)] = 0
        # What everybody before has spent, and the dearest that may come: does it fit?
        fits = np.cumsum(spent) - spent + worst <= left
        end = len(block) if fits.all() else int(fits.argmin())
        kept = able[able < end]
        yield block[kept], options[kept], _first(drawn, len(kept)), level
        left -= int(spent[:end].sum())
        place += end
        size = size * 2 if end == len(block) else FEWEST
        level += end < len(block)


def _able(plan: Plan, rows: Integers, options: Integers) -> Integers:
    """Who of the rows is left with any action."""
    able = np.zeros(len(rows), dtype=bool)
    for here, eligible in plan.parts(rows, options):
        able[here] = eligible.counts(plan.space) > 0
    return np.flatnonzero(able)


def _draw(plan: Plan, rows: Integers, options: Integers, *, price: float) -> policies.Draw:
    width = len(plan.space.dimensions)
    whole = policies.Draw(
        actions=np.zeros((len(rows), width), dtype=np.int16),
        propensities=np.zeros(len(rows)),
        dimension_propensities=np.zeros((len(rows), width)),
        explored=np.zeros(len(rows), dtype=bool),
    )
    for here, distribution in _played(plan, rows, options, price=price):
        drawn = policies.draw(distribution, plan.uniforms[rows[here]])
        whole.actions[here] = drawn.actions
        whole.propensities[here] = drawn.propensities
        whole.dimension_propensities[here] = drawn.dimension_propensities
        whole.explored[here] = drawn.explored
    return whole


def _played(
    plan: Plan, rows: Integers, options: Integers, *, price: float
) -> Iterator[tuple[Integers, policies.ActionDistribution]]:
    """The policy's play, and that of the groups with a player of their own: who, and how likely."""
    costs, groups = _weighed(plan, price), plan.variants[rows]
    others = [(policy, group) for group, policy in plan.players.items()]
    for policy, group in [(plan.policy, ""), *others]:
        chosen = groups == group if group else ~np.isin(groups, list(plan.players))
        mine = np.flatnonzero(chosen)
        if not len(mine):
            continue
        for places, eligible in plan.parts(rows[mine], options[mine]):
            here = mine[places]
            features = plan.features[rows[here]]
            distribution = policy.distribution(features, eligible, seed=plan.seed, costs=costs)
            is_action = group == CHAMPION and isinstance(policy, policies.Fixed)
            yield here, explored(distribution, 0.0 if is_action else plan.exploration_min)


def _sent(plan: Plan, rows: Integers) -> NDArray[np.bool_]:
    return np.isin(plan.variants[rows], UNSENT, invert=True)


def explored(
    distribution: policies.ActionDistribution, least: float
) -> policies.ActionDistribution:
    """The same, with at least that share of uniform play."""
    share = distribution.uniform_share
    if share >= least:
        return distribution
    weights = distribution.weights * ((1.0 - least) / (1.0 - share))
    return replace(distribution, weights=weights, uniform_share=least)


def _weighed(plan: Plan, price: float) -> policies.Costs | None:
    weight = plan.cost_weight + price
    if plan.costs is None or weight == 0:
        return None
    return policies.Costs(
        sent=tuple(each * weight for each in plan.costs.sent),
        rewarded=tuple(each * weight for each in plan.costs.rewarded),
    )


def _prices(plan: Plan) -> tuple[Integers, ...]:
    """What each option costs at most, in millionths."""
    if plan.costs is None:
        return tuple(np.zeros(size, dtype=np.int64) for size in plan.space.sizes)
    return tuple(
        np.rint(np.asarray(sent + rewarded) * MILLION).astype(np.int64)
        for sent, rewarded in zip(plan.costs.sent, plan.costs.rewarded, strict=True)
    )


def _affordable(prices: tuple[Integers, ...], most: int) -> Integers:
    """The mask of each dimension's options that cost ``most`` or less."""
    return np.array([sum(1 << int(o) for o in np.flatnonzero(each <= most)) for each in prices])


def _worst(options: Integers, prices: tuple[Integers, ...]) -> Integers:
    """What the dearest action of these masks ``(n, D)`` costs: ``(n,)``."""
    total = np.zeros(len(options), dtype=np.int64)
    for d, each in enumerate(prices):
        bits = (options[:, d, None] >> np.arange(len(each))) & 1
        total += (bits * each).max(axis=1)
    return total


def _cost_of(actions: NDArray[np.int16], prices: tuple[NDArray[np.generic], ...]) -> Integers:
    return np.asarray(sum(each[actions[:, d]] for d, each in enumerate(prices)))


def _expected_cost(
    distribution: policies.ActionDistribution, prices: tuple[Integers, ...], by_chance: Floats
) -> Floats:
    """What each profile's play costs on average, and uniform play does: ``(n,)`` millionths."""
    total = distribution.uniform_share * by_chance
    for d, each in enumerate(prices):
        played = each[distribution.support[:, :, d]]
        total += (distribution.weights * played).sum(axis=1)
    return total


def _first(drawn: policies.Draw, count: int) -> policies.Draw:
    return _taken(drawn, slice(count))


def _taken(drawn: policies.Draw, rows: Integers | slice) -> policies.Draw:
    return policies.Draw(
        actions=drawn.actions[rows],
        propensities=drawn.propensities[rows],
        dimension_propensities=drawn.dimension_propensities[rows],
        explored=drawn.explored[rows],
    )


def _chosen(
    plan: Plan,
    parts: list[tuple[Integers, Integers, policies.Draw]],
    *,
    price: float | None,
    restricted: int,
) -> Chosen:
    """Put the parts together again, in the order of the rows."""
    width = len(plan.space.dimensions)
    rows = np.concatenate([np.empty(0, dtype=np.int64), *(part[0] for part in parts)])
    order = np.argsort(rows, kind="stable")
    options = np.concatenate([np.empty((0, width), dtype=np.int64), *(p[1] for p in parts)])
    drawn = policies.Draw(
        actions=np.concatenate(
            [np.empty((0, width), dtype=np.int16), *(p[2].actions for p in parts)]
        ),
        propensities=np.concatenate([np.empty(0), *(p[2].propensities for p in parts)]),
        dimension_propensities=np.concatenate(
            [np.empty((0, width)), *(p[2].dimension_propensities for p in parts)]
        ),
        explored=np.concatenate([np.empty(0, dtype=bool), *(p[2].explored for p in parts)]),
    )
    drawn = _taken(drawn, order)
    free = tuple(np.zeros(size) for size in plan.space.sizes)
    costs = plan.costs or policies.Costs(sent=free, rewarded=free)
    is_sent = _sent(plan, rows[order])
    committed = _cost_of(drawn.actions, _prices(plan)) * is_sent
    return Chosen(
        rows=rows[order],
        drawn=drawn,
        options=options[order],
        cost=_cost_of(drawn.actions, costs.sent).astype(np.float64),
        cost_rewarded=_cost_of(drawn.actions, costs.rewarded).astype(np.float64),
        committed=int(committed.sum()) / MILLION,
        shadow_price=price,
        held_back=len(plan.order) - len(rows),
        restricted=restricted,
    )
