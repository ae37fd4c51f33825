"""What the options of a world do to a customer: drawn from a seed, not yet brought to scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from opportune.policies import ActionSpace, Dimension
from opportune.simulate.terms import Boxes, Nearest, Products, Term

__all__ = [
    "Effects",
    "additive_effects",
    "class_effects",
    "factored_effects",
    "flipped",
    "no_effects",
    "threshold_effects",
    "tree_effects",
]

FEATURES = 12
MEANINGFUL = 10  # the features behind the last two of these are noise
NUMERIC = 6
TREES = 12
CLASSES = 6

Floats = NDArray[np.float64]
Random = np.random.Generator

_LINEAR = Products(factors=((), *((feature,) for feature in range(FEATURES))))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Effects:
    """What options and pairs of options are worth, by the columns of ``terms``.

    The first 13 columns are the constant and the features. ``main``: ``(K_d,)`` a dimension.
    ``context``: ``(K_d, q)`` a dimension. ``pairs``: tables ``(K_d, K_e)`` by (d, e). ``moved``:
    a table of the first two dimensions, multiplied by the feature ``mover``. ``whole``: ``(C, q)``,
    what belongs to whole combinations.
    """

    terms: tuple[Term, ...]
    main: tuple[Floats, ...]
    context: tuple[Floats, ...]
    pairs: dict[tuple[int, int], Floats]
    moved: Floats | None = None
    mover: int = 0
    whole: Floats | None = None

    def weights(self, sizes: tuple[int, ...]) -> Floats:
        """Each combination's weights of all columns: ``(C, q)``."""
        actions = np.indices(sizes).reshape(len(sizes), -1)
        width = sum(term.width for term in self.terms)
        total = np.zeros((actions.shape[1], width))
        if self.whole is not None:
            total += self.whole
        for choice, main, context in zip(actions, self.main, self.context, strict=True):
            total += context[choice]
            total[:, 0] += main[choice]
        for (d, e), table in self.pairs.items():
            total[:, 0] += table[actions[d], actions[e]]
        if self.moved is not None:
            total[:, 1 + self.mover] += self.moved[actions[0], actions[1]]
        return total


def factored_effects(sizes: tuple[int, ...], random: Random) -> Effects:
    """The common recipe: mains, linear effects, products, steps, pairs, and a moved table."""
    options = sum(sizes)
    products = [tuple(_some(random, 2)) for _ in range(2 * options)]
    steps = [((int(_some(random, 1)[0]), random.uniform(-0.8, 0.8), True),) for _ in range(options)]
    terms = (_LINEAR, Products(factors=tuple(products)), Boxes(boxes=tuple(steps), shift=0.5))
    context, number = [], 0
    for size in sizes:
        rows = np.zeros((size, 1 + FEATURES + 3 * options))
        rows[:, : 1 + FEATURES] = _linear(size, random)
        for row in rows:
            first = 1 + FEATURES + 2 * number
            row[first : first + 2] = random.normal(0, 0.42, 2)
            row[1 + FEATURES + 2 * options + number] = random.normal(0, 0.6)
            number += 1
        context.append(rows)
    return Effects(
        terms=terms,
        main=_mains(sizes, random),
        context=tuple(context),
        pairs=_pairs(sizes, random),
        moved=random.normal(0, 0.35, sizes[:2]),
        mover=int(_some(random, 1)[0]),
    )


def flipped(effects: Effects, random: Random) -> Effects:
    """Contexts with the other sign, main effects dealt anew; pairs stay."""
    return replace(
        effects,
        main=tuple(random.permutation(main) for main in effects.main),
        context=tuple(-rows for rows in effects.context),
    )


def additive_effects(sizes: tuple[int, ...], random: Random) -> Effects:
    """Main and linear effects, no more: a simple model is exactly right."""
    return Effects(
        terms=(_LINEAR,),
        main=_mains(sizes, random),
        context=tuple(_linear(size, random) for size in sizes),
        pairs={},
    )


def no_effects(sizes: tuple[int, ...], random: Random) -> Effects:
    """Nothing that is chosen matters."""
    return Effects(
        terms=(_LINEAR,),
        main=tuple(np.zeros(size) for size in sizes),
        context=tuple(np.zeros((size, 1 + FEATURES)) for size in sizes),
        pairs={},
    )


def threshold_effects(sizes: tuple[int, ...], random: Random) -> Effects:
    """Main effects, and per option two boxes that three features must fall into."""
    options = sum(sizes)
    boxes = [_box(random, 3) for _ in range(2 * options)]
    context, first = [], 1 + FEATURES
    for size in sizes:
        rows = np.zeros((size, 1 + FEATURES + 2 * options))
        for row in rows:
            row[first : first + 2] = random.normal(0, 1.5, 2)
            first += 2
        context.append(rows)
    return Effects(
        terms=(_LINEAR, Boxes(boxes=tuple(boxes))),
        main=_mains(sizes, random),
        context=tuple(context),
        pairs={},
    )


def tree_effects(sizes: tuple[int, ...], random: Random) -> Effects:
    """A sum of trees: three splits by features, two by what is chosen, a value in each leaf."""
    actions = _actions(sizes)
    boxes: list[tuple[tuple[int, float, bool], ...]] = []
    whole = [np.zeros((len(actions), 1 + FEATURES))]
    for _ in range(TREES):
        boxes += _leaves(random, depth=3)
        dimensions = random.choice(len(sizes), 2, replace=len(sizes) < 2)
        sides = [random.permutation(sizes[d]) < (sizes[d] + 1) // 2 for d in dimensions]
        cell = sum(
            (side[actions[:, d]] << place)
            for place, (d, side) in enumerate(zip(dimensions, sides, strict=True))
        )
        whole.append(random.standard_normal((4, 8))[cell])
    nothing = no_effects(sizes, random)
    width = 1 + FEATURES + 8 * TREES
    return replace(
        nothing,
        terms=(_LINEAR, Boxes(boxes=tuple(boxes))),
        context=tuple(np.zeros((size, width)) for size in sizes),
        whole=np.concatenate(whole, axis=1),
    )


def class_effects(sizes: tuple[int, ...], random: Random) -> Effects:
    """Six kinds of customers, each with its own mains and pairs; no feature names the kind."""
    seen = tuple(_some(random, 4))
    centres = random.standard_normal((CLASSES, 4))
    actions = _actions(sizes).T
    kinds = []
    for _ in range(CLASSES):
        worth = np.zeros(actions.shape[1])
        for choice, main in zip(actions, _mains(sizes, random), strict=True):
            worth += main[choice]
        for (d, e), table in _pairs(sizes, random).items():
            worth += table[actions[d], actions[e]]
        kinds.append(worth)
    width = 1 + FEATURES + CLASSES
    return replace(
        no_effects(sizes, random),
        terms=(_LINEAR, Nearest(features=seen, centres=centres)),
        context=tuple(np.zeros((size, width)) for size in sizes),
        whole=np.column_stack([np.zeros((actions.shape[1], 1 + FEATURES)), *kinds]),
    )


def _mains(sizes: tuple[int, ...], random: Random) -> tuple[Floats, ...]:
    return tuple(random.normal(0, 0.55, size) for size in sizes)


def _linear(size: int, random: Random) -> Floats:
    """Four linear effects an option: ``(size, 13)``."""
    rows = np.zeros((size, 1 + FEATURES))
    for row in rows:
        row[1 + np.array(_some(random, 4))] = random.normal(0, 0.5, 4)
    return rows


def _pairs(sizes: tuple[int, ...], random: Random) -> dict[tuple[int, int], Floats]:
    """Tables for all pairs of dimensions, together as strong as those of three dimensions."""
    pairs = list(combinations(range(len(sizes)), 2))
    strength = 0.45 * np.sqrt(3 / max(1, len(pairs)))
    return {(d, e): random.normal(0, strength, (sizes[d], sizes[e])) for d, e in pairs}


def _some(random: Random, count: int) -> list[int]:
    """Different features that mean something."""
    return [int(each) for each in random.choice(MEANINGFUL, count, replace=False)]


def _box(random: Random, sides: int) -> tuple[tuple[int, float, bool], ...]:
    chosen = random.choice(NUMERIC, sides, replace=False)
    return tuple(
        (int(feature), random.uniform(-0.5, 0.5), bool(random.random() < 0.5)) for feature in chosen
    )


def _leaves(random: Random, *, depth: int) -> list[tuple[tuple[int, float, bool], ...]]:
    """The boxes of a tree's leaves: every node splits on a feature of its own."""
    leaves: list[tuple[tuple[int, float, bool], ...]] = [()]
    for _ in range(depth):
        grown = []
        for path in leaves:
            feature, threshold = int(random.integers(MEANINGFUL)), random.uniform(-0.7, 0.7)
            grown += [(*path, (feature, threshold, side)) for side in (False, True)]
        leaves = grown
    return leaves


def _actions(sizes: tuple[int, ...]) -> NDArray[np.int16]:
    named = [
        Dimension(name=str(d), options=tuple(map(str, range(size)))) for d, size in enumerate(sizes)
    ]
    return ActionSpace(dimensions=tuple(named)).actions()
