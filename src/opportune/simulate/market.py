"""A made-up market whose true answers are known: for the demo, the sandbox and the tests.

The truth is a logit of "orders today" per customer: an own propensity, and per message what its
options are worth to this customer (main effects, linear effects, products and steps of the traits,
tables of pairs of options, and one table of the first two dimensions moved by a trait). No model of
the program contains all of it. Personal traits play no part.

Everything follows from (seed, customers): a customer's luck on a day is a hash of (seed, day,
customer), so neither the order of calls nor a restart changes an outcome, and every action meets
the same luck.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from opportune.errors import InvalidInput
from opportune.policies import ActionSpace, Dimension

__all__ = ["MARKETS", "BadMarket", "Engagement", "Market", "Orders", "internet_provider"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Actions = NDArray[np.int16]

MAX_DELAY_S = 47 * 3600

CONTROL_RATE = 0.025  # orders a customer and day without any message
UNIFORM_LIFT = 1.2  # orders under uniform random messages, over the control rate
ACTION_SD = 0.44  # logits, over random customers x combinations
LINK_SHARE = 0.75  # of the orders after a message, how many come through its link

_OFFERS = ("speed_upgrade", "tv_bundle", "mobile_sim", "loyalty_discount", "newsletter")
_NOT_IN_TRUTH = ("user_id", "email", "plan", "router_age_months", "household_size")
_READING = {  # by channel: chance to open; to click, to unsubscribe once opened
    "email": (0.32, 0.08, 0.004),
    "push": (0.10, 1.0, 0.0),
    "sms": (1.0, 0.05, 0.0),
}
_BLOCK = 8192  # customers scored at once over all combinations


class BadMarket(InvalidInput):
    """A market needs at least one customer, and a seed that is not negative."""

    code = "bad_market"


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """One entry an order. ``position`` points into the arrays the question was asked with.

    ``after_s`` is seconds since the day began (UTC), at most the hour of sending plus 47 h;
    ``through_link`` says that the order came through the message's link.
    """

    position: Ints
    after_s: Ints
    revenue_cents: Ints
    through_link: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Engagement:
    """What happened to each message: flags and seconds since the day began, all (n,)."""

    sent_after_s: Ints
    opened: Flags
    opened_after_s: Ints
    clicked: Flags
    clicked_after_s: Ints
    unsubscribed: Flags
    machine_opened: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class _Truth:
    """Logits: ``base`` (n,), ``options`` one (n, K_d) a dimension, ``pairs`` keyed (d, e)."""

    base: Floats
    message: float
    options: tuple[Floats, ...]
    pairs: Mapping[tuple[int, int], Floats]
    moved: Floats  # (K_0, K_1), multiplied by the customer's ``mover`` (n,)
    mover: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """Customers, and what each would do about a message. Rows are positions in ``user_ids``."""

    seed: int
    space: ActionSpace
    user_ids: NDArray[np.str_]
    traits: pa.Table
    truth: _Truth
    best_actions: Actions  # (n, D): the oracle's choice
    best_probability: Floats  # (n,)
    uniform_probability: Floats  # (n,)
    combination_values: Floats  # (combinations,): the same action for everybody

    def probability(self, rows: Ints, actions: Actions | None) -> Floats:
        """True chance (n,) that each customer orders that day.

        ``actions`` is (n, D) option indices; None, or a row with a negative index, is no message.
        """
        base = self.truth.base[rows]
        if actions is None:
            return _sigmoid(base)
        known = _known(actions)
        chosen = np.where(known[:, None], actions, 0)
        return _sigmoid(base + np.where(known, _effect(self.truth, rows, chosen), 0.0))

    def orders(self, day_index: int, rows: Ints, actions: Actions, sent: Flags) -> Orders:
        """Orders of these customers (each at most once in ``rows``) for the messages of one day.

        ``actions`` (n, D) counts where ``sent`` (n,) is true and no index is negative; the others
        order at their own rate, at the same delays after an hour drawn for them.
        """
        acted = sent & _known(actions)
        effective = np.where(acted[:, None], actions, np.int16(-1))
        ordered = self._luck(0, day_index, rows) < self.probability(rows, effective)
        position = np.flatnonzero(ordered)
        buyers = rows[position]
        delay = _delay(self._luck(1, day_index, buyers), mean_s=6 * 3600)
        noise = self._normal(3, day_index, buyers)
        link = acted[position] & (self._luck(2, day_index, buyers) < LINK_SHARE)
        return Orders(
            position=position,
            after_s=self._sent_after_s(day_index, buyers, effective[position]) + delay,
            revenue_cents=np.rint(100 * np.exp(3.5 + 0.5 * noise)).astype(np.int64),
            through_link=link,
        )

    def engagement(
        self, day_index: int, rows: Ints, actions: Actions, orders: Orders
    ) -> Engagement:
        """Opens and clicks of messages sent that day to these customers.

        ``orders`` is the answer of :meth:`orders` for the same arrays: who ordered through the link
        opened and clicked before. Messages without a known action are read like the first channel.
        """
        rates = np.array([_READING[name] for name in self.space.dimensions[1].options])
        rate = rates[np.maximum(actions[:, 1], 0)]
        sent_after_s = self._sent_after_s(day_index, rows, actions)
        through = np.zeros(len(rows), dtype=np.bool_)
        through[orders.position] = orders.through_link
        bought_after_s = np.zeros(len(rows), dtype=np.int64)
        bought_after_s[orders.position] = orders.after_s
        opened = through | (self._luck(5, day_index, rows) < rate[:, 0])
        clicked = through | (opened & (self._luck(6, day_index, rows) < rate[:, 1]))
        read = _delay(self._luck(7, day_index, rows), mean_s=3 * 3600)
        to_order = bought_after_s - sent_after_s
        return Engagement(
            sent_after_s=sent_after_s,
            opened=opened,
            opened_after_s=sent_after_s + np.where(through, to_order // 2, read // 2),
            clicked=clicked,
            clicked_after_s=sent_after_s + np.where(through, to_order * 3 // 4, read),
            unsubscribed=opened & (self._luck(8, day_index, rows) < rate[:, 2]),
            machine_opened=(rate[:, 2] > 0) & (self._luck(9, day_index, rows) < 0.05),
        )

    def oracle(self) -> float:
        """Orders a customer and day when each gets their own best combination."""
        return float(self.best_probability.mean())

    def uniform_value(self) -> float:
        """Orders a customer and day under uniform random messages."""
        return float(self.uniform_probability.mean())

    def control_value(self) -> float:
        """Orders a customer and day without any message."""
        return float(_sigmoid(self.truth.base).mean())

    def best_single(self) -> float:
        """Orders a customer and day when everybody gets the same, best, combination."""
        return float(self.combination_values.max())

    def captured(self, rows: Ints, actions: Actions | None) -> float:
        """(value - uniform) / (oracle - uniform) of these decisions, with true chances.

        1 is the oracle, 0 uniform random play. Rows may repeat, for instance over days.
        """
        value = self.probability(rows, actions).mean()
        uniform = self.uniform_probability[rows].mean()
        return float((value - uniform) / (self.best_probability[rows].mean() - uniform))

    def _luck(self, stream: int, day_index: int, rows: Ints) -> Floats:
        """Uniform (n,) in [0, 1): splitmix64 of (seed, stream, day, customer)."""
        seed = _mix(np.array([self.seed], dtype=np.uint64))
        mixed = _mix(rows.astype(np.uint64) ^ _mix(seed ^ np.uint64(day_index << 8 | stream)))
        return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def _normal(self, stream: int, day_index: int, rows: Ints) -> Floats:
        """Box-Muller on two streams: ``stream`` and the next."""
        radius = np.sqrt(-2.0 * np.log1p(-self._luck(stream, day_index, rows)))
        turn = np.cos(2.0 * np.pi * self._luck(stream + 1, day_index, rows))
        return np.asarray(radius * turn, dtype=np.float64)

    def _sent_after_s(self, day_index: int, rows: Ints, actions: Actions) -> Ints:
        """Second of the day at which the message goes out; an hour drawn where none is named."""
        hours = np.array([int(name) for name in self.space.dimensions[2].options], dtype=np.int64)
        drawn = (self._luck(10, day_index, rows) * len(hours)).astype(np.int64)
        return hours[np.where(actions[:, 2] >= 0, actions[:, 2], drawn)] * 3600


def internet_provider(*, customers: int, seed: int) -> Market:
    """An internet provider: 5 offers x 3 channels x 4 hours = 60 combinations a day.

    Without a message 2.5 % of the customers order a day; random messages bring 1.2 times that.

    >>> market = internet_provider(customers=1000, seed=1)
    >>> market.space.combinations, str(market.user_ids[0])
    (60, 'c000001')
    """
    if customers < 1 or seed < 0:
        raise BadMarket(f"{customers=}, {seed=}: give at least 1 customer and a seed from 0 up.")
    space = ActionSpace(
        dimensions=(
            Dimension(name="offer", options=_OFFERS),
            Dimension(name="channel", options=("email", "push", "sms")),
            Dimension(name="hour", options=("09", "13", "18", "20")),
        )
    )
    traits = _provider_traits(customers, np.random.default_rng([seed, 1]))
    named = [name for name in traits.column_names if name not in _NOT_IN_TRUTH]
    features = np.column_stack([_standardised(traits[name]) for name in named])
    truth = _draw_truth(space, features, np.random.default_rng([seed, 2]))
    return _known_market(space, traits, truth, seed)


MARKETS: Mapping[str, Callable[..., Market]] = {"internet-provider": internet_provider}


def _provider_traits(n: int, random: np.random.Generator) -> pa.Table:
    """One row a customer. Router age and household size are noise: the truth ignores them."""
    wealth, activity, trouble = random.standard_normal((3, n))
    tenure = np.clip(np.exp(3.3 + 0.8 * random.standard_normal(n)), 1, 240).astype(np.int64)
    spend = np.exp(3.7 + 0.3 * wealth + 0.2 * random.standard_normal(n)).round(2)
    usage = np.clip(320 + 90 * activity + 90 * random.standard_normal(n), 5, None).round(1)
    away = random.exponential(np.exp(2.6 - 0.4 * activity)).clip(0, 180).astype(np.int64)
    standing = wealth + 0.6 * random.standard_normal(n)
    plan = np.array(["basic", "plus", "premium"])[np.digitize(standing, [-0.4, 0.9])]
    user_ids = [f"c{number:0{max(6, len(str(n)))}d}" for number in range(1, n + 1)]
    return pa.table(
        {
            "user_id": user_ids,
            "email": [f"{user_id}@customers.example" for user_id in user_ids],
            "plan": plan,
            "tenure_months": tenure,
            "monthly_spend_eur": spend,
            "data_usage_gb": usage,
            "contract_months_left": random.integers(0, 25, n),
            "support_calls_90d": random.poisson(np.exp(-0.4 + 0.5 * trouble)),
            "days_since_visit": away,
            "fiber_available": random.random(n) < 0.6,
            "has_mobile": 0.8 * wealth + random.standard_normal(n) > 0.3,
            "has_tv": 0.5 * activity + random.standard_normal(n) > 0.4,
            "paperless": random.random(n) < 0.7,
            "router_age_months": random.integers(0, 73, n),
            "household_size": 1 + random.binomial(4, 0.35, n),
        }
    )


def _draw_truth(space: ActionSpace, features: Floats, random: np.random.Generator) -> _Truth:
    """Effects of the sizes that learning is measured on, scaled and shifted to the stated rates."""
    base = features @ random.standard_normal(features.shape[1])
    base *= 0.6 / max(float(base.std()), 1e-9)
    sizes = space.sizes
    raw = _Truth(
        base=base,
        message=0.0,
        options=tuple(
            np.column_stack([_option_effect(features, random) for _ in range(size)])
            for size in sizes
        ),
        pairs={
            (d, e): random.normal(0, 0.45 / np.sqrt(len(sizes) - 1), (sizes[d], sizes[e]))
            for d, e in combinations(range(len(sizes)), 2)
        },
        moved=random.normal(0, 0.35, sizes[:2]),
        mover=features[:, random.integers(features.shape[1])],
    )
    return _calibrated(space, raw)


def _option_effect(features: Floats, random: np.random.Generator) -> Floats:
    """Logits (n,) of one option for each customer: main, 4 linear, 2 products, 1 step."""
    width = features.shape[1]
    linear = features[:, random.choice(width, 4, replace=False)] @ random.normal(0, 0.5, 4)
    left, right = random.integers(width, size=(2, 2))
    products = (features[:, left] * features[:, right]) @ random.normal(0, 0.42, 2)
    stepped = features[:, random.integers(width)]
    threshold = np.quantile(stepped, random.choice([0.25, 0.5, 0.75]))
    main, step = random.normal(0, [0.55, 0.6])
    return np.asarray(main + linear + products + step * (stepped > threshold), dtype=np.float64)


def _calibrated(space: ActionSpace, raw: _Truth) -> _Truth:
    """Scale what messages do to ``ACTION_SD``, then shift both rates to where they are promised."""
    sample = np.arange(min(len(raw.base), 20_000))
    effects = _all_effects(space, raw, sample)
    scale = ACTION_SD / float(effects.std())
    intercept = _shift(raw.base[sample], CONTROL_RATE)
    messaged = raw.base[sample, None] + intercept + scale * effects
    message = _shift(messaged, CONTROL_RATE * UNIFORM_LIFT)
    options = tuple(scale * option for option in raw.options)
    pairs = {key: scale * table for key, table in raw.pairs.items()}
    base, moved = raw.base + intercept, scale * raw.moved
    return replace(raw, base=base, message=message, options=options, pairs=pairs, moved=moved)


def _known_market(space: ActionSpace, traits: pa.Table, truth: _Truth, seed: int) -> Market:
    """Score every customer under every combination once, block by block, and keep the answers."""
    n = len(truth.base)
    best, best_chance = np.empty(n, dtype=np.int64), np.empty(n)
    uniform, totals = np.empty(n), np.zeros(space.combinations)
    for start in range(0, n, _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, n))
        chances = _sigmoid(truth.base[rows, None] + _all_effects(space, truth, rows))
        best[rows], best_chance[rows] = chances.argmax(axis=1), chances.max(axis=1)
        uniform[rows] = chances.mean(axis=1)
        totals += chances.sum(axis=0)
    return Market(
        seed=seed,
        space=space,
        user_ids=np.array(traits["user_id"].to_pylist()),
        traits=traits,
        truth=truth,
        best_actions=space.actions()[best],
        best_probability=best_chance,
        uniform_probability=uniform,
        combination_values=totals / n,
    )


def _all_effects(space: ActionSpace, truth: _Truth, rows: Ints) -> Floats:
    """Logits (n, combinations) of every combination, in the order of ``space.actions()``."""
    shape = (len(rows), len(space.sizes))
    everyone = (np.broadcast_to(action, shape) for action in space.actions())
    return np.column_stack([_effect(truth, rows, actions) for actions in everyone])


def _effect(truth: _Truth, rows: Ints, actions: Actions) -> Floats:
    """Logits (n,) that one chosen combination each adds to no message."""
    effect = truth.message + truth.mover[rows] * truth.moved[actions[:, 0], actions[:, 1]]
    for d, option in enumerate(truth.options):
        effect += option[rows, actions[:, d]]
    for (d, e), table in truth.pairs.items():
        effect += table[actions[:, d], actions[:, e]]
    return effect


def _shift(logits: Floats, rate: float) -> float:
    """The constant that makes the mean chance equal ``rate``, by Newton on the log of the mean."""
    shift = float(np.log(rate / (1 - rate)) - logits.mean())
    for _ in range(8):
        chance = _sigmoid(logits + shift)
        mean = float(chance.mean())
        shift -= float(np.log(mean / rate)) * mean / float((chance * (1 - chance)).mean())
    return shift


def _delay(luck: Floats, *, mean_s: int) -> Ints:
    """Seconds, exponential around ``mean_s`` and cut at 47 h."""
    cut = -np.expm1(-MAX_DELAY_S / mean_s)
    return np.asarray(-mean_s * np.log1p(-luck * cut), dtype=np.int64)


def _standardised(trait: pa.ChunkedArray) -> Floats:
    """Mean 0, sd 1, cut at 4."""
    column = np.asarray(trait).astype(np.float64)
    scaled = (column - column.mean()) / max(float(column.std()), 1e-9)
    return np.asarray(np.clip(scaled, -4.0, 4.0), dtype=np.float64)


def _known(actions: Actions) -> Flags:
    return np.asarray((actions >= 0).all(axis=1), dtype=np.bool_)


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float64)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014), on an array."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
