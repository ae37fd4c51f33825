"""Which of many comparisons to believe: the more one asks, the more chance answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from opportune.stats.errors import InvalidSample

__all__ = ["Discovery", "discoveries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """One comparison among many; ``found`` is whether ``adjusted`` is small enough."""

    p_value: float
    adjusted: float
    found: bool


def discoveries(
    p_values: Mapping[str, float], *, false_share: float = 0.05
) -> dict[str, Discovery]:
    """Judge comparisons together, by the name of their metric, in the order given.

    Of those found, at most ``false_share`` are found by chance, on average (Benjamini and Hochberg,
    "Controlling the false discovery rate", JRSS B 57, 1995), where the metrics are independent or
    move in the same direction (Benjamini and Yekutieli, 2001). ``adjusted`` is the smallest share
    at which the comparison would be found. Values of ``p_value`` at any look may be judged at any
    look.

    Raises ``InvalidSample`` where a p-value or the share is no probability.

    >>> judged = discoveries({"orders": 0.004, "revenue": 0.03, "visits": 0.4, "returns": 0.6})
    >>> [name for name, each in judged.items() if each.found]
    ['orders']
    >>> judged["revenue"].adjusted
    0.06
    """
    if not 0 < false_share < 1:
        raise InvalidSample(f"false_share is {false_share}. Allowed: above 0 and below 1.")
    for name, each in p_values.items():
        if not 0 <= each <= 1:
            raise InvalidSample(f"The p-value of {name!r} is {each}. Allowed: from 0 to 1.")
    count, smallest = len(p_values), 1.0
    adjusted: dict[str, float] = {}
    descending = sorted(p_values, key=p_values.__getitem__, reverse=True)
    for rank, name in zip(range(count, 0, -1), descending, strict=True):
        smallest = min(smallest, p_values[name] * count / rank)
        adjusted[name] = smallest
    return {
        name: Discovery(p_value=each, adjusted=adjusted[name], found=adjusted[name] <= false_share)
        for name, each in p_values.items()
    }
