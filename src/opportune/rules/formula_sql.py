"""A formula over the properties of an event as an expression, with `evaluate`'s meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opportune.rules.binding import Binding
from opportune.rules.formula import (
    Combined,
    Formula,
    InvalidFormula,
    Named,
    Negative,
    Number,
    Sign,
)

__all__ = ["formula_expression"]

# Some parts are written more than once, and parts of parts with them.
MAX_SQL = 20_000


def formula_expression(formula: Formula, columns: Mapping[str, str], values: Binding) -> str:
    """Write the formula over ``columns`` of doubles by name; null is no value.

    Raises ``InvalidFormula`` for one whose parts are nested too often to be asked of an engine.
    """
    return _written(formula, columns, values)


def _written(formula: Formula, columns: Mapping[str, str], values: Binding) -> str:
    match formula:
        case Number():
            return f"cast({values.bind(formula.value)} as double)"
        case Named():
            return columns[formula.name]
        case Negative():
            return f"(-{_written(formula.part, columns, values)})"
        case Combined():
            left = _written(formula.left, columns, values)
            right = _written(formula.right, columns, values)
            if formula.sign == "/":
                right = f"nullif({right}, 0.0)"
            return f"({left} {SIGNS.get(formula.sign, formula.sign)} {right})"
        case _:
            parts = [_written(part, columns, values) for part in formula.parts]
            if sum(map(len, parts)) > MAX_SQL:
                raise InvalidFormula(formula.at, "too much is nested for one question. Simplify.")
            return CALLS[formula.function](*parts)


def _listed(name: str) -> Callable[..., str]:
    return lambda *parts: f"{name}({', '.join(parts)})"


def _if(condition: str, holds: str, other: str) -> str:
    return f"(case {condition} when true then {holds} when false then {other} end)"


def _round(value: str, digits: str = "0.0") -> str:
    scale = f"pow(10.0, {digits})"
    return f"(floor({value} * {scale} + 0.5) / {scale})"


def _log(value: str) -> str:
    return f"ln(case when {value} > 0 then {value} end)"


def _sqrt(value: str) -> str:
    return f"sqrt(case when {value} >= 0 then {value} end)"


def _power(base: str, by: str) -> str:
    has_value = f"{base} > 0 or ({base} = 0 and {by} >= 0) or ({base} < 0 and floor({by}) = {by})"
    return f"pow(case when {has_value} then {base} end, {by})"


def _npv(amount: str, periods: str, rate: str) -> str:
    worth = f"{amount} * (1 - pow(1 + {rate}, -{periods})) / {rate}"
    return (
        f"(case when {periods} >= 0 and {rate} = 0 then {amount} * {periods}"
        f" when {periods} >= 0 and {rate} > -1 then {worth} end)"
    )


SIGNS: Mapping[Sign, str] = {"==": "=", "!=": "<>"}
CALLS: Mapping[str, Callable[..., str]] = {
    "abs": _listed("abs"),
    "coalesce": _listed("coalesce"),
    "exp": _listed("exp"),
    "floor": _listed("floor"),
    "if": _if,
    "log": _log,
    "max": _listed("greatest"),
    "min": _listed("least"),
    "npv": _npv,
    "power": _power,
    "round": _round,
    "sqrt": _sqrt,
}
