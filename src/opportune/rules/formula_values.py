"""Calculate a formula over columns. NaN is no value: what cannot be calculated is none."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from opportune.rules.formula import (
    COMPARISONS,
    Combined,
    Formula,
    Named,
    Negative,
    Number,
    Sign,
)

__all__ = ["evaluate"]

Floats = NDArray[np.float64]


def evaluate(formula: Formula, columns: Mapping[str, Floats], *, rows: int) -> Floats:
    """Return the value of each row, ``(rows,)``, of ``columns`` of ``(rows,)`` by name.

    Division by zero, the root or logarithm of what has none, and what is beyond any double give no
    value; so does everything calculated of no value, but `coalesce`, `min`, `max` and the functions
    over all rows, which look at those that there are.

    >>> from opportune.rules.formula_read import parse_formula
    >>> columns = {"revenue": np.array([10.0, 5.0]), "orders": np.array([4.0, 0.0])}
    >>> evaluate(parse_formula("revenue / orders"), columns, rows=2)
    array([2.5, nan])
    """
    with np.errstate(all="ignore"):
        return _value(formula, columns, rows)


def _value(formula: Formula, columns: Mapping[str, Floats], rows: int) -> Floats:
    match formula:
        case Number():
            return np.full(rows, formula.value)
        case Named():
            return _finite(columns[formula.name].astype(np.float64))
        case Negative():
            return -_value(formula.part, columns, rows)
        case Combined():
            left = _value(formula.left, columns, rows)
            right = _value(formula.right, columns, rows)
            found = _finite(np.asarray(SIGNS[formula.sign](left, right), dtype=np.float64))
            if formula.sign in COMPARISONS:
                found = np.where(np.isnan(left) | np.isnan(right), np.nan, found)
            return found
        case _:
            parts = [_value(part, columns, rows) for part in formula.parts]
            return _finite(CALLS[formula.function](*parts))


def _finite(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)


def _if(condition: Floats, holds: Floats, other: Floats) -> Floats:
    return np.where(np.isnan(condition), np.nan, np.where(condition != 0, holds, other))


def _coalesce(*parts: Floats) -> Floats:
    return reduce(lambda first, then: np.where(np.isnan(first), then, first), parts)


def _min(*parts: Floats) -> Floats:
    return reduce(np.fmin, parts)


def _max(*parts: Floats) -> Floats:
    return reduce(np.fmax, parts)


def _round(values: Floats, digits: Floats | None = None) -> Floats:
    scale = 1.0 if digits is None else 10.0**digits
    return np.asarray(np.floor(values * scale + 0.5) / scale)


def _power(base: Floats, by: Floats) -> Floats:
    # To the power of 0 everything would be 1, also what has no value.
    return np.where(np.isnan(base) | np.isnan(by), np.nan, np.power(base, by))


def _npv(amount: Floats, periods: Floats, rate: Floats) -> Floats:
    """The present value of an ordinary annuity: each amount comes at the end of its period."""
    worth = np.where(rate == 0, amount * periods, amount * (1 - (1 + rate) ** -periods) / rate)
    return np.where((periods >= 0) & (rate > -1), worth, np.nan)


def _sum(values: Floats) -> Floats:
    return np.full(len(values), np.nansum(values))


def _mean(values: Floats) -> Floats:
    there = int(np.count_nonzero(~np.isnan(values)))
    return _sum(values) / np.float64(there)


def _share(values: Floats) -> Floats:
    return values / _sum(values)


SIGNS: Mapping[Sign, Callable[[Floats, Floats], object]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
CALLS: Mapping[str, Callable[..., Floats]] = {
    "abs": np.abs,
    "coalesce": _coalesce,
    "exp": np.exp,
    "floor": np.floor,
    "if": _if,
    "log": np.log,
    "max": _max,
    "mean": _mean,
    "min": _min,
    "npv": _npv,
    "power": _power,
    "round": _round,
    "share": _share,
    "sqrt": np.sqrt,
    "sum": _sum,
    "total": _sum,
}
