"""The worlds by name, each from a seed.

Most share one recipe (the figures are standard deviations, before the effect of actions is scaled
to 0.35 logits over customers and combinations): a customer's own propensity 0.6; per option a main
effect 0.55, four linear effects 0.5, two products 0.42 and a step 0.6; a table for each pair of
dimensions 0.45; and a table of the first two dimensions multiplied by a feature 0.35. No model of
the program contains all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from opportune.errors import nearest
from opportune.policies import ActionSpace, Costs, Dimension
from opportune.simulate.customers import customers
from opportune.simulate.effects import (
    Effects,
    additive_effects,
    class_effects,
    factored_effects,
    flipped,
    no_effects,
    threshold_effects,
    tree_effects,
)
from opportune.simulate.terms import columns
from opportune.simulate.world import BadWorld, Restriction, Scale, Truth, World

__all__ = ["WORLDS", "make_world"]

SMALL = (4, 5, 3)
MANY = (6, 6, 6, 6, 6)
ACTION_SD = 0.35  # logits, over random customers x combinations
AMOUNT_SD = 0.2  # log of an amount, the same
MEAN_AMOUNT = 3.5  # log of an amount
AMOUNT_NOISE = 0.5
SAMPLE = 20_000  # customers that scales and base rates are set on
SAMPLE_CELLS = 1 << 23
FLIP_DAY = 15
ARRIVAL_DAY = 10

Floats = np.ndarray
Random = np.random.Generator


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What makes a world: the rest follows from the seed."""

    about: str
    effects: Callable[[tuple[int, ...], Random], Effects] = factored_effects
    sizes: tuple[int, ...] = SMALL
    rate: float = 0.03
    customers: int = 20_000
    flips: bool = False
    arrives: bool = False
    barred_share: float = 0.0
    revenue: bool = False
    costs: bool = False
    blind_days: int = 2
    delay_days: float = 0.0


WORLDS: Mapping[str, Recipe] = {
    "static60": Recipe(about="4 x 5 x 3 = 60 combinations, 3 % base rate; nothing changes"),
    "many": Recipe(about="6 x 6 x 6 x 6 x 6 = 7,776 combinations", sizes=MANY),
    "flip": Recipe(
        about="on day 15 contexts change sign and main effects are dealt anew", flips=True
    ),
    "new_option": Recipe(about="the best option of a dimension comes on day 10", arrives=True),
    "low_rate": Recipe(about="0.4 % base rate", rate=0.004),
    "revenue": Recipe(about="the reward is a conversion's log-normal amount", revenue=True),
    "ineligible": Recipe(about="30 % of the customers may not get one option", barred_share=0.3),
    "small": Recipe(about="5,000 customers a day", customers=5_000),
    "tiny": Recipe(about="1,000 customers a day", customers=1_000),
    "additive": Recipe(about="main and linear effects only", effects=additive_effects),
    "aa": Recipe(about="no action matters", effects=no_effects),
    "trees": Recipe(about="a sum of decision trees", effects=tree_effects),
    "thresholds": Recipe(about="three features must agree", effects=threshold_effects),
    "latent_classes": Recipe(about="six kinds of customers, never named", effects=class_effects),
    "delays": Recipe(
        about="rewards come within 7 days, 2 on average", blind_days=7, delay_days=2.0
    ),
    "costs": Recipe(about="options cost something; the value is the profit", costs=True),
}
"""What there is to choose from, by name."""


def make_world(name: str, *, seed: int) -> World:
    """The world of this name and seed; `BadWorld` if there is none.

    >>> world = make_world("static60", seed=1)
    >>> world.space.sizes, world.reward, world.day(0, 3).features.shape
    ((4, 5, 3), 'binary', (3, 12))
    """
    if name not in WORLDS:
        raise BadWorld(f"There is no world {name!r}. {nearest(name, list(WORLDS))}")
    if seed < 0:
        raise BadWorld(f"The seed {seed} was given; allowed are whole numbers from 0 up.")
    recipe = WORLDS[name]
    random = np.random.default_rng([seed, 77])
    sample = customers((seed, 0), min(SAMPLE, SAMPLE_CELLS // int(np.prod(recipe.sizes))))
    scale = Scale(center=sample.mean(axis=0), spread=sample.std(axis=0))
    effects = recipe.effects(recipe.sizes, random)
    if recipe.arrives:
        effects = replace(effects, main=_with_best_last(effects.main))
    if recipe.costs:
        effects = replace(effects, main=(np.sort(effects.main[0]), *effects.main[1:]))
    standardised = scale.standardised(sample)
    world = World(
        name=name,
        seed=seed,
        customers=recipe.customers,
        space=_space(recipe.sizes),
        reward="binary",
        scale=scale,
        terms=effects.terms,
        truths=_truths(recipe, effects, standardised, random),
        restrictions=_restrictions(recipe),
        costs=_costs(recipe.sizes, random) if recipe.costs else None,
        blind_days=recipe.blind_days,
        delay_days=recipe.delay_days,
    )
    return _with_amounts(world, standardised, random) if recipe.revenue else world


def _truths(recipe: Recipe, effects: Effects, sample: Floats, random: Random) -> tuple[Truth, ...]:
    """Scaled to the stated size, and shifted so that uniform play has the stated base rate."""
    seen = columns(effects.terms, sample)
    weights = effects.weights(recipe.sizes)
    worth = seen.astype(np.float32) @ weights.T.astype(np.float32)
    spread = float(worth.std(dtype=np.float64))
    scaling = ACTION_SD / spread if spread > 0 else 0.0
    own = np.zeros(weights.shape[1])
    own[1:13] = random.standard_normal(12)
    own *= 0.6 / float((seen @ own).std())
    logits = (seen @ own).astype(np.float32)[:, None] + np.float32(scaling) * worth
    own[0] += _intercept(logits, recipe.rate)
    truths = [Truth(from_day=0, chance=scaling * weights + own)]
    if recipe.flips:
        after = flipped(effects, random).weights(recipe.sizes)
        truths.append(Truth(from_day=FLIP_DAY, chance=scaling * after + own))
    return tuple(truths)


def _with_amounts(world: World, sample: Floats, random: Random) -> World:
    """Rewards have a size: its log is linear in the features, and the options move it a little."""
    sizes = world.space.sizes
    effects = additive_effects(sizes, random)
    weights = effects.weights(sizes)
    seen = columns(effects.terms, sample)
    own = np.zeros(weights.shape[1])
    own[1:13] = random.standard_normal(12)
    own *= 0.3 / float((seen @ own).std())
    own[0] = MEAN_AMOUNT
    small = AMOUNT_SD / float((seen @ weights.T).std()) * weights + own
    amount = np.zeros_like(world.truths[0].chance)
    amount[:, : small.shape[1]] = small
    truths = tuple(replace(truth, amount=amount) for truth in world.truths)
    return replace(world, reward="amount", truths=truths, noise=AMOUNT_NOISE)


def _intercept(logits: Floats, rate: float) -> float:
    """What makes the mean chance equal ``rate``: Newton's method on the log of the mean."""
    shift = float(np.log(rate / (1 - rate)) - logits.mean())
    for _ in range(6):
        chance = 1.0 / (1.0 + np.exp(-(logits + np.float32(shift))))
        mean = float(chance.mean(dtype=np.float64))
        slope = mean - float((chance * chance).mean(dtype=np.float64))
        shift -= float(np.log(mean / rate)) * mean / slope
    return shift


def _with_best_last(main: tuple[Floats, ...]) -> tuple[Floats, ...]:
    """The last option of the first dimension is better than the others, by 0.35 before scaling."""
    first = main[0].copy()
    first[-1] = first[:-1].max() + 0.35
    return (first, *main[1:])


def _restrictions(recipe: Recipe) -> tuple[Restriction, ...]:
    if recipe.arrives:
        last = recipe.sizes[0] - 1
        return (Restriction(dimension=0, option=last, share=1.0, until_day=ARRIVAL_DAY),)
    if recipe.barred_share:
        return (Restriction(dimension=0, option=0, share=recipe.barred_share),)
    return ()


def _costs(sizes: tuple[int, ...], random: Random) -> Costs:
    """In conversions: the first dimension is an incentive, due when it works; the second a channel.

    Dearer incentives work better on average: who needs less is to be found.
    """
    sent, rewarded = ([np.zeros(size) for size in sizes] for _ in range(2))
    rewarded[0] = np.linspace(0.0, 0.25, sizes[0])
    sent[1] = random.permutation(np.linspace(0.0, 0.004, sizes[1]))
    return Costs(sent=tuple(sent), rewarded=tuple(rewarded))


def _space(sizes: tuple[int, ...]) -> ActionSpace:
    return ActionSpace(
        dimensions=tuple(
            Dimension(name=f"dimension_{d}", options=tuple(f"option_{o}" for o in range(size)))
            for d, size in enumerate(sizes)
        )
    )
