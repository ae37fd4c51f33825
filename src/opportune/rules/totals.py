"""How numbers of many events are added up: exactly, so that no order of adding changes a sum."""

from __future__ import annotations

import math
from collections.abc import Mapping

from opportune.rules.fields import COMPARE, of_kind
from opportune.rules.model import Happened, Kind, Value
from opportune.rules.reading import MAX_AMOUNT

__all__ = ["KINDS", "aggregate_holds", "millionths"]

KINDS: tuple[Kind, ...] = ("text", "number", "boolean")


def aggregate_holds(rule: Happened, events: list[Mapping[str, object]]) -> bool:
    """Tell whether the aggregate over the properties of these events stands so to its limit."""
    compare = COMPARE[rule.operator]
    if rule.property is None:
        return bool(compare(float(len(events)), rule.value))
    if rule.aggregate == "distinct":
        return bool(compare(_distinct(rule.property, events), rule.value))
    numbers = [
        number
        for properties in events
        if isinstance(number := of_kind(properties.get(rule.property), "number"), float)
    ]
    if rule.aggregate in ("minimum", "maximum"):
        extreme = min if rule.aggregate == "minimum" else max
        return bool(numbers) and bool(compare(extreme(numbers), rule.value))
    amounts = [millionths(number) for number in numbers if abs(number) <= MAX_AMOUNT]
    limit = millionths(rule.value)
    if rule.aggregate == "sum":
        return bool(compare(sum(amounts), limit))
    # A mean stands to its limit as the sum of all distances to it stands to nothing.
    return bool(amounts) and bool(compare(sum(amount - limit for amount in amounts), 0))


def millionths(amount: float) -> int:
    """Round to whole millionths, halves up: these add up to the same in any order.

    >>> millionths(19.99), millionths(0.0000005)
    (19990000, 1)
    """
    return math.floor(amount * 1e6 + 0.5)


def _distinct(name: str, events: list[Mapping[str, object]]) -> float:
    found: set[tuple[Kind, Value]] = set()
    for properties in events:
        for kind in KINDS:
            value = of_kind(properties.get(name), kind)
            if value is not None:
                found.add((kind, value))
    return float(len(found))
