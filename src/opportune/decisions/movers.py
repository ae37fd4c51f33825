"""What moved the choices of a day: how much each trait added to, or took from, what was chosen."""

from __future__ import annotations

from datetime import date
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from opportune import policies
from opportune.decisions.budget import Chosen, Plan
from opportune.decisions.factors import by_trait
from opportune.decisions.model import UseCase
from opportune.storage import Stores, load_sql

__all__ = ["note_movers"]

# Means over so many profiles are good to a hundredth.
SAMPLE = 10_000

Floats = NDArray[np.float64]


def note_movers(stores: Stores, use_case: UseCase, day: date, plan: Plan, chosen: Chosen) -> None:
    """Note what moved the choices of ``day``: just before its decisions are written.

    Of a policy that does not explain itself nothing is noted, nor of groups that have
    another player.
    """
    policy = plan.policy
    places = np.flatnonzero(~np.isin(plan.variants[chosen.rows], list(plan.players)))
    if not isinstance(policy, policies.Explaining) or not len(places):
        return
    places = places[:: -(-len(places) // SAMPLE)]
    found = policy.contributions(
        plan.features[chosen.rows[places]],
        chosen.drawn.actions[places],
        policies.Eligibility(options=chosen.options[places]),
    )
    names = [dimension.name for dimension in use_case.dimensions]
    traits = np.abs(by_trait(use_case, found.features)).mean(axis=0)
    told = [
        *((name, "", each) for name, each in zip(names, _size(found.options), strict=True)),
        *(
            (name, feature.trait, float(each))
            for name, row in zip(names, traits, strict=True)
            for feature, each in zip(use_case.features, row, strict=True)
        ),
        *(
            (f"{one} with {other}", "", each)
            for (one, other), each in zip(combinations(names, 2), _size(found.pairs), strict=True)
        ),
    ]
    facts = {
        "use_case": use_case.name,
        "version": use_case.version,
        "day": day,
        "dimensions": [each[0] for each in told],
        "traits": [each[1] for each in told],
        "moved": [each[2] for each in told],
    }
    stores.state.rows(load_sql("opportune.decisions", "note_movers"), facts)


def _size(columns: Floats) -> list[float]:
    """The mean size of each column."""
    sizes: list[float] = np.abs(columns).mean(axis=0).tolist()
    return sizes
