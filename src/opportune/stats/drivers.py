"""What each factor of a product adds to the difference of two products."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import permutations

from opportune.stats.errors import InvalidSample

__all__ = ["contributions"]

MOST_FACTORS = 6


def contributions(treatment: Mapping[str, float], control: Mapping[str, float]) -> dict[str, float]:
    """Share out the difference of two products among their factors, by name; it adds up to it.

    Each factor is changed from ``control`` to ``treatment`` in every order, and gets the mean of
    what its own change did: the Shapley value (Shapley, "A value for n-person games", 1953). Unlike
    one order alone, it does not depend on which factor is named first. The unit is the product's.

    Raises ``InvalidSample`` unless both have the same names, 1 to 6, with finite numbers.

    >>> found = contributions({"rate": 0.2, "value": 30.0}, {"rate": 0.1, "value": 20.0})
    >>> {name: round(each, 3) for name, each in found.items()}
    {'rate': 2.5, 'value': 1.5}
    """
    names = list(treatment)
    numbers = [*treatment.values(), *control.values()]
    if set(names) != set(control) or not 0 < len(names) <= MOST_FACTORS:
        raise InvalidSample(
            f"The factors are {names} and {list(control)}. Allowed: the same names, 1 to "
            f"{MOST_FACTORS} of them."
        )
    if not all(map(math.isfinite, numbers)):
        raise InvalidSample(f"The factors are {numbers}. Allowed: finite numbers.")
    added = dict.fromkeys(names, 0.0)
    orders = list(permutations(names))
    for order in orders:
        values = dict(control)
        for name in order:
            before = math.prod(values.values())
            values[name] = treatment[name]
            added[name] += (math.prod(values.values()) - before) / len(orders)
    return added
