"""What a formula comes to: a number in which unit, of each row or of all; or that it cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from opportune.rules.formula import (
    COMPARISONS,
    FUNCTIONS,
    Called,
    Combined,
    Formula,
    InvalidFormula,
    Named,
    Negative,
    Number,
)

__all__ = ["Kind", "Unit", "check_formula", "unit_of", "unit_text"]

# Names with their powers, in order; () is a number without unit.
Unit: TypeAlias = tuple[tuple[str, int], ...]

# These give back what they are given; those that take several take one unit.
SAME = ("abs", "floor", "round", "mean", "sum", "total", "coalesce", "min", "max")
PLAIN = ("exp", "log")
MOST_POWER = 9
MOST_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a part is: a number in ``unit``, or whether something holds (``is_truth``).

    ``unit`` None is a plain number, which takes the unit of what it meets. ``is_over_rows``: a
    function looks at all rows; ``is_per_row``: it differs from row to row.
    """

    unit: Unit | None
    is_truth: bool = False
    is_over_rows: bool = False
    is_per_row: bool = False


def check_formula(
    formula: Formula, units: Mapping[str, Unit | None], *, over_rows: bool = True
) -> Kind:
    """Return what the formula comes to, ``units`` being those of the names it reads.

    Raises ``InvalidFormula`` where units do not fit, something that holds or does not is used as a
    number, a table function stands within another, or one stands where there is but one row
    (``over_rows`` false).

    >>> from opportune.rules.formula_read import parse_formula
    >>> units = {"revenue": unit_of("EUR"), "orders": unit_of("orders")}
    >>> unit_text(check_formula(parse_formula("revenue / orders"), units).unit)
    'EUR per orders'
    """
    found = _kind(formula, units)
    if found.is_truth:
        raise InvalidFormula(
            formula.at, "found a comparison. Allowed: a number; write if(condition, 1, 0)."
        )
    if found.is_over_rows and not over_rows:
        raise InvalidFormula(
            formula.at,
            f"a function over all rows ({', '.join(TABLES)}) has nothing to look at here.",
        )
    return found


TABLES = tuple(name for name, each in FUNCTIONS.items() if each.is_over_rows)


def unit_of(text: str) -> Unit:
    """Read a unit such as ``EUR`` or ``EUR per orders``.

    >>> unit_of("EUR per orders")
    (('EUR', 1), ('orders', -1))
    """
    above, *below = text.split(" per ")
    return _times(((above, 1),), tuple((name, -1) for name in below), 1)


def unit_text(unit: Unit | None) -> str:
    """Say a unit, "" for a number without one."""
    above = [_powered(name, power) for name, power in unit or () if power > 0]
    below = [f" per {_powered(name, -power)}" for name, power in unit or () if power < 0]
    return (" x ".join(above) or ("1" if below else "")) + "".join(below)


def _powered(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"


def _times(left: Unit, right: Unit, sign: int) -> Unit:
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + sign * power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


def _kind(formula: Formula, units: Mapping[str, Unit | None]) -> Kind:
    match formula:
        case Number():
            return Kind(unit=None)
        case Named():
            return Kind(unit=units[formula.name], is_per_row=True)
        case Negative():
            found = _kind(formula.part, units)
            _require_number(found, formula.part)
            return found
        case Combined():
            return _combined(formula, units)
        case _:
            return _called(formula, units)


def _combined(formula: Combined, units: Mapping[str, Unit | None]) -> Kind:
    parts = (formula.left, formula.right)
    kinds = [_kind(part, units) for part in parts]
    for kind, part in zip(kinds, parts, strict=True):
        _require_number(kind, part)
    if formula.sign in ("*", "/"):
        left, right = kinds[0].unit, kinds[1].unit
        is_plain = left is None and right is None
        sign = 1 if formula.sign == "*" else -1
        return _together(kinds, None if is_plain else _times(left or (), right or (), sign))
    unit = _one_unit(kinds, formula.at, f"'{formula.sign}'")
    return _together(kinds, unit, is_truth=formula.sign in COMPARISONS)


def _called(formula: Called, units: Mapping[str, Unit | None]) -> Kind:
    kinds = [_kind(part, units) for part in formula.parts]
    name, parts = formula.function, formula.parts
    if name == "if":
        if not kinds[0].is_truth:
            raise InvalidFormula(
                parts[0].at, "found a number. Allowed: a comparison such as orders > 0."
            )
        _require_numbers(kinds[1:], parts[1:])
        return _together(kinds, _one_unit(kinds[1:], formula.at, "'if'"))
    _require_numbers(kinds, parts)
    if FUNCTIONS[name].is_over_rows:
        if kinds[0].is_over_rows:
            raise InvalidFormula(formula.at, f"'{name}' of what is already over all rows.")
        unit = () if name == "share" else kinds[0].unit
        return Kind(unit=unit, is_over_rows=True, is_per_row=name == "share")
    return _together(kinds, _unit_of_call(formula, kinds))


def _unit_of_call(formula: Called, kinds: list[Kind]) -> Unit | None:
    name, parts = formula.function, formula.parts
    if name in PLAIN:
        _require_plain(kinds[0], parts[0], name)
        return kinds[0].unit
    if name == "round" and len(parts) == 2:
        digits = parts[1]
        if not isinstance(digits, Number) or digits.value not in range(MOST_DIGITS + 1):
            raise InvalidFormula(digits.at, f"'round' takes 0 to {MOST_DIGITS} digits.")
        return kinds[0].unit
    if name == "sqrt":
        return _root(kinds[0].unit, parts[0])
    if name == "power":
        _require_plain(kinds[1], parts[1], name)
        return _power(kinds[0].unit, parts[1])
    if name == "npv":
        _require_plain(kinds[2], parts[2], name)
        return kinds[0].unit
    return _one_unit(kinds, formula.at, f"'{name}'")


def _root(unit: Unit | None, part: Formula) -> Unit | None:
    if any(power % 2 for _, power in unit or ()):
        raise InvalidFormula(part.at, f"'{unit_text(unit)}' has no square root as a unit.")
    return unit and tuple((name, power // 2) for name, power in unit)


def _power(unit: Unit | None, exponent: Formula) -> Unit | None:
    if not unit:
        return unit
    if not isinstance(exponent, Number) or exponent.value not in range(1, MOST_POWER + 1):
        raise InvalidFormula(
            exponent.at,
            f"'{unit_text(unit)}' can only be raised to a whole number from 1 to {MOST_POWER}.",
        )
    return tuple((name, power * int(exponent.value)) for name, power in unit)


def _together(kinds: list[Kind], unit: Unit | None, *, is_truth: bool = False) -> Kind:
    return Kind(
        unit=unit,
        is_truth=is_truth,
        is_over_rows=any(each.is_over_rows for each in kinds),
        is_per_row=any(each.is_per_row for each in kinds),
    )


def _one_unit(kinds: list[Kind], at: int, what: str) -> Unit | None:
    """Return the unit that all share; plain numbers take it."""
    units = list(dict.fromkeys(each.unit for each in kinds if each.unit is not None))
    if len(units) > 1:
        said = " and ".join(f"'{unit_text(unit) or 'no unit'}'" for unit in units[:2])
        raise InvalidFormula(at, f"{what} of {said}. Allowed: values in one unit.")
    return units[0] if units else None


def _require_numbers(kinds: list[Kind], parts: tuple[Formula, ...]) -> None:
    for kind, part in zip(kinds, parts, strict=True):
        _require_number(kind, part)


def _require_number(kind: Kind, part: Formula) -> None:
    if kind.is_truth:
        raise InvalidFormula(
            part.at, "found a comparison. Allowed: a number; write if(condition, 1, 0)."
        )


def _require_plain(kind: Kind, part: Formula, name: str) -> None:
    if kind.unit:
        raise InvalidFormula(
            part.at, f"'{name}' takes a number without unit, and not '{unit_text(kind.unit)}'."
        )
