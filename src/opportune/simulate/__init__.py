"""Made-up customers whose true answers are known: a market for the demo, worlds for learners.

A `Market` is a list of people with traits who open, click and order: the demo and the sandbox play
it. A `World` is arrays only: new customers every day, what each combination is truly worth to each
of them, and their luck; `play` lets a policy decide in it and measures the share of the achievable
uplift that it captures.

Invariants:

- Everything follows from a seed. Luck belongs to the customer and the day: every policy meets the
  same customers with the same luck.
- Yardsticks (oracle, uniform play, best single combination) are exact expectations over the
  customers of the day, not simulated outcomes.

Deliberately absent: the clock. Who wants rates hands one in.
"""

from opportune.simulate.customers import FEATURES
from opportune.simulate.false_alarms import BadTrial, FalseAlarms, Trial, false_alarms
from opportune.simulate.market import (
    MARKETS,
    MAX_DELAY_S,
    BadMarket,
    Engagement,
    Market,
    Orders,
    internet_provider,
)
from opportune.simulate.play import Played, beside, play, yardsticks
from opportune.simulate.score import Paired, Spread, paired, spread
from opportune.simulate.world import BadWorld, Day, World, Yardstick
from opportune.simulate.worlds import WORLDS, make_world

__all__ = [
    "BadTrial",
    "FalseAlarms",
    "Trial",
    "false_alarms",
    "FEATURES",
    "MARKETS",
    "MAX_DELAY_S",
    "WORLDS",
    "BadMarket",
    "BadWorld",
    "Day",
    "Engagement",
    "Market",
    "Orders",
    "Paired",
    "Played",
    "Spread",
    "World",
    "Yardstick",
    "beside",
    "internet_provider",
    "make_world",
    "paired",
    "play",
    "spread",
    "yardsticks",
]
