"""The nouns of the formula language: numbers calculated of named ones, row by row or over all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from opportune.errors import InvalidInput

__all__ = [
    "COMPARISONS",
    "FUNCTIONS",
    "Called",
    "Combined",
    "Formula",
    "Function",
    "InvalidFormula",
    "Named",
    "Negative",
    "Number",
    "Sign",
    "formula_text",
    "names_in",
    "nodes",
    "replaced",
    "without_tables",
]

Comparison = Literal["<", "<=", ">", ">=", "==", "!="]
Sign: TypeAlias = Literal["+", "-", "*", "/"] | Comparison
COMPARISONS: tuple[Comparison, ...] = get_args(Comparison)


class InvalidFormula(InvalidInput):
    """A formula cannot be read; ``at`` counts the characters before the mistake."""

    code = "invalid_formula"

    def __init__(self, at: int, message: str) -> None:
        super().__init__(f"at character {at + 1}: {message}")
        self.at = at


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number as it stands there, finite and not below 0."""

    value: float
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """The value that has a name: a property of the event, or another metric."""

    name: str
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Negative:
    """The same below zero."""

    part: Formula
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """Two parts, calculated with or compared."""

    sign: Sign
    left: Formula
    right: Formula
    at: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Called:
    """A function of `FUNCTIONS` and what it is given."""

    function: str
    parts: tuple[Formula, ...]
    at: int = field(default=0, compare=False)


Formula: TypeAlias = Number | Named | Negative | Combined | Called


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """What a function takes, from ``least`` to ``most`` parts, and whether it looks at all rows."""

    usage: str
    meaning: str
    least: int
    most: int
    is_over_rows: bool = False


def _row(usage: str, meaning: str, least: int, most: int | None = None) -> Function:
    return Function(usage=usage, meaning=meaning, least=least, most=most or least)


def _table(usage: str, meaning: str) -> Function:
    return Function(usage=usage, meaning=meaning, least=1, most=1, is_over_rows=True)


MOST = 20
FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "abs": _row("abs(x)", "without its sign", 1),
        "coalesce": _row("coalesce(a, b, ...)", "the first that has a value", 2, MOST),
        "exp": _row("exp(x)", "e to the power of a number without unit", 1),
        "floor": _row("floor(x)", "the whole number at or below", 1),
        "if": _row("if(condition, a, b)", "a where the condition holds, b where it does not", 3),
        "log": _row("log(x)", "the natural logarithm of a number without unit, above 0", 1),
        "max": _row("max(a, b, ...)", "the largest of those that have a value", 2, MOST),
        "mean": _table("mean(x)", "the mean over all rows that have a value"),
        "min": _row("min(a, b, ...)", "the smallest of those that have a value", 2, MOST),
        "npv": _row(
            "npv(amount, periods, rate)",
            "what an amount at the end of each period is worth now, at a rate per period",
            3,
        ),
        "power": _row("power(x, y)", "x to the power of y", 2),
        "round": _row("round(x, digits)", "with so many digits, 0 to 6; halves go up", 1, 2),
        "share": _table("share(x)", "the part that a row has of the sum over all rows"),
        "sqrt": _row("sqrt(x)", "the square root of what is not below 0", 1),
        "sum": _table("sum(x)", "the sum over all rows"),
        "total": _table("total(x)", "another word for sum"),
    }
)


def nodes(formula: Formula) -> Iterator[Formula]:
    """Yield the formula and every part of it."""
    yield formula
    match formula:
        case Negative():
            yield from nodes(formula.part)
        case Combined():
            yield from nodes(formula.left)
            yield from nodes(formula.right)
        case Called():
            for part in formula.parts:
                yield from nodes(part)


def names_in(formula: Formula) -> tuple[str, ...]:
    """Return the names that the formula reads, each once, in order."""
    return tuple(dict.fromkeys(each.name for each in nodes(formula) if isinstance(each, Named)))


def replaced(formula: Formula, by: Mapping[str, Formula]) -> Formula:
    """Return the formula with the formulas of ``by`` in the place of these names."""
    match formula:
        case Named():
            return by.get(formula.name, formula)
        case Negative():
            return replace(formula, part=replaced(formula.part, by))
        case Combined():
            left, right = replaced(formula.left, by), replaced(formula.right, by)
            return replace(formula, left=left, right=right)
        case Called():
            return replace(formula, parts=tuple(replaced(part, by) for part in formula.parts))
        case _:
            return formula


def without_tables(formula: Formula) -> tuple[Formula, dict[str, Called]]:
    """Return the formula with a name for each function over all rows, and these by the names.

    >>> from opportune.rules.formula_read import parse_formula
    >>> outer, inner = without_tables(parse_formula("sum(revenue) / sum(orders)"))
    >>> formula_text(outer), [formula_text(each) for each in inner.values()]
    ('`all rows 1` / `all rows 2`', ['sum(revenue)', 'sum(orders)'])
    """
    tables = [each for each in nodes(formula) if isinstance(each, Called)]
    tables = [each for each in tables if FUNCTIONS[each.function].is_over_rows]
    named = {f"all rows {place}": each for place, each in enumerate(tables, start=1)}
    return _with_names(formula, {id(each): name for name, each in named.items()}), named


def _with_names(formula: Formula, names: Mapping[int, str]) -> Formula:
    if id(formula) in names:
        return Named(name=names[id(formula)])
    match formula:
        case Negative():
            return replace(formula, part=_with_names(formula.part, names))
        case Combined():
            left, right = (_with_names(each, names) for each in (formula.left, formula.right))
            return replace(formula, left=left, right=right)
        case Called():
            return replace(formula, parts=tuple(_with_names(each, names) for each in formula.parts))
        case _:
            return formula


def formula_text(formula: Formula) -> str:
    """Write the formula so that it reads back as the same.

    >>> formula_text(Combined(sign="-", left=Named(name="a b"), right=Number(value=2.0)))
    '`a b` - 2'
    """
    match formula:
        case Number():
            whole = formula.value.is_integer() and formula.value < 1e15
            return f"{formula.value:.0f}" if whole else repr(formula.value)
        case Named():
            is_word = formula.name.isidentifier() and formula.name not in FUNCTIONS
            return formula.name if is_word else f"`{formula.name}`"
        case Negative():
            return f"-{_inner(formula.part)}"
        case Combined():
            return f"{_inner(formula.left)} {formula.sign} {_inner(formula.right)}"
        case _:
            parts = ", ".join(formula_text(part) for part in formula.parts)
            return f"{formula.function}({parts})"


def _inner(formula: Formula) -> str:
    text = formula_text(formula)
    return f"({text})" if isinstance(formula, Negative | Combined) else text
