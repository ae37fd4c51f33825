"""Read a rule as a person wrote it, or say everything that is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import get_args

from opportune.errors import nearest
from opportune.rules.model import (
    AllOf,
    AnyOf,
    Compare,
    Exists,
    InvalidRule,
    Kind,
    Not,
    OneOf,
    Operator,
    Rule,
    Value,
)

__all__ = ["parse"]

MAX_DEPTH = 20
MAX_RULES = 500
MAX_VALUES = 1_000
MAX_NAME = 200
MAX_TEXT = 1_000
MAX_PROBLEMS = 20

COMPARISONS: tuple[Operator, ...] = get_args(Operator)
EQUALITIES = ("is", "is_not")
OPERATORS = (*COMPARISONS, "one_of", "exists")
FORMS = ("all", "any", "not", "trait")


def parse(document: Mapping[str, object], *, where: str) -> Rule:
    """Read one rule from TOML or JSON.

    Parameters
    ----------
    document:
        The table as loaded. Nothing of it is kept.
    where:
        The place to name in errors, such as ``"segments/adults.toml: rule"``.

    Raises ``InvalidRule`` with every mistake found (20 at most), each with its place, what was
    given and what is allowed.

    >>> parse({"trait": "age", "at_least": 18}, where="rule")
    Compare(trait='age', operator='at_least', kind='number', value=18.0)
    >>> parse({"all": [{"trit": "age", "at_least": 18}]}, where="rule")
    Traceback (most recent call last):
    opportune.rules.model.InvalidRule: rule.all[0]: 'trit' begins no rule. \
Did you mean 'trait'? Allowed: all, any, not, trait.
    """
    rule = _rule(document, where=where, depth=1)
    size = _size(rule)
    if size > MAX_RULES:
        raise _mistake(where, f"{size} rules in one. Allowed: {MAX_RULES}. Split it.")
    return rule


def _rule(given: object, *, where: str, depth: int) -> Rule:
    if depth > MAX_DEPTH:
        raise _mistake(where, f"nested too deep. Allowed: {MAX_DEPTH} levels. Flatten the rule.")
    if not isinstance(given, Mapping):
        shape = 'a table such as {trait = "plan", is = "basic"}'
        raise _mistake(where, f"{_show(given)} is not a rule. Allowed: {shape}.")
    form = next((form for form in FORMS if form in given), None)
    if form is None:
        first = str(next(iter(given), ""))
        raise _mistake(where, f"{_show(first)} begins no rule. {nearest(first, FORMS)}")
    if form == "trait":
        return _leaf(given, where=where)
    if len(given) > 1:
        others = _show(", ".join(sorted(str(key) for key in given if key != form)))
        raise _mistake(where, f"'{form}' must be alone in its table, but there is also {others}.")
    inside, place = given[form], f"{where}.{form}"
    if form == "not":
        return Not(rule=_rule(inside, where=place, depth=depth + 1))
    rules = _rules(inside, where=place, depth=depth + 1)
    if form == "all":
        return AllOf(rules=rules)
    if not rules:
        raise _mistake(place, "an empty list would hold for nobody. Allowed: 1 rule or more.")
    return AnyOf(rules=rules)


def _rules(given: object, *, where: str, depth: int) -> tuple[Rule, ...]:
    if not isinstance(given, list | tuple) or len(given) > MAX_RULES:
        raise _mistake(
            where, f"{_show(given)} given. Allowed: a list of at most {MAX_RULES} rules."
        )
    rules: list[Rule] = []
    problems: list[str] = []
    for index, item in enumerate(given):
        try:
            rules.append(_rule(item, where=f"{where}[{index}]", depth=depth))
        except InvalidRule as refused:
            problems.extend(refused.problems)
    if problems:
        raise InvalidRule(problems[:MAX_PROBLEMS])
    return tuple(rules)


def _leaf(given: Mapping[object, object], *, where: str) -> Rule:
    trait = given["trait"]
    if not isinstance(trait, str) or not 0 < len(trait) <= MAX_NAME or not _encodes(trait):
        allowed = f"Allowed: a name of 1 to {MAX_NAME} characters."
        raise _mistake(f"{where}.trait", f"{_show(trait)} is not a trait's name. {allowed}")
    keys = [str(key) for key in given if key != "trait"]
    unknown = next((key for key in keys if key not in OPERATORS), None)
    if unknown is not None:
        raise _mistake(where, f"unknown operator {_show(unknown)}. {nearest(unknown, OPERATORS)}")
    if len(keys) != 1:
        found = ", ".join(sorted(keys)) or "none"
        allowed = nearest("", OPERATORS)
        raise _mistake(where, f"a trait takes exactly one operator; given: {found}. {allowed}")
    return _condition(trait, keys[0], given[keys[0]], where=f"{where}.{keys[0]}")


def _condition(trait: str, operator: str, given: object, *, where: str) -> Rule:
    if operator == "exists":
        if not isinstance(given, bool):
            raise _mistake(where, f"{_show(given)} given. Allowed: true or false.")
        return Exists(trait=trait) if given else Not(rule=Exists(trait=trait))
    if operator == "one_of":
        return _one_of(trait, given, where=where)
    value = _value(given, where=where)
    kind = _kind(value)
    for comparison in COMPARISONS:
        if comparison == operator and (comparison in EQUALITIES or kind == "number"):
            return Compare(trait=trait, operator=comparison, kind=kind, value=value)
    raise _mistake(where, f"{_show(given)} cannot be ordered. Allowed: a number.")


def _one_of(trait: str, given: object, *, where: str) -> Rule:
    if not isinstance(given, list | tuple) or not 0 < len(given) <= MAX_VALUES:
        raise _mistake(where, f"{_show(given)} given. Allowed: a list of 1 to {MAX_VALUES} values.")
    values = tuple(_value(item, where=f"{where}[{index}]") for index, item in enumerate(given))
    kinds = sorted({_kind(value) for value in values})
    if len(kinds) > 1:
        raise _mistake(where, f"{' and '.join(kinds)} values mixed. Allowed: values of one kind.")
    return OneOf(trait=trait, kind=_kind(values[0]), values=values)


def _value(given: object, *, where: str) -> Value:
    """A value that compares; a number becomes a double here, and must stay what it was."""
    if isinstance(given, bool):
        return given
    if isinstance(given, str):
        if len(given) > MAX_TEXT or not _encodes(given):
            allowed = f"Allowed: at most {MAX_TEXT} characters of valid Unicode."
            raise _mistake(where, f"{_show(given)} is not a usable text. {allowed}")
        return given
    if isinstance(given, int | float):
        double = _double(given)
        if double != given or not math.isfinite(double):
            allowed = "Allowed: finite numbers; whole ones are exact up to 2^53. Or use a text."
            raise _mistake(where, f"{_show(given)} is not exact as a number. {allowed}")
        # Adding zero turns -0.0 into 0.0: they compare equal, and should read equal.
        return double + 0.0
    raise _mistake(where, f"{_show(given)} given. Allowed: a text, a number, true or false.")


def _double(given: float) -> float:
    try:
        return float(given)
    except OverflowError:
        return math.inf


def _kind(value: Value) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def _encodes(text: str) -> bool:
    """Whether the text can be written as UTF-8: half a surrogate pair cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _size(rule: Rule) -> int:
    match rule:
        case AllOf() | AnyOf():
            return 1 + sum(_size(each) for each in rule.rules)
        case Not():
            return 1 + _size(rule.rule)
        case _:
            return 1


def _mistake(where: str, text: str) -> InvalidRule:
    return InvalidRule([f"{where}: {text}"])


def _show(given: object) -> str:
    """What was given, short enough for a message and safe to print."""
    if isinstance(given, Mapping):
        return "a table"
    if isinstance(given, list | tuple):
        return f"a list of {len(given)}"
    if isinstance(given, int) and given.bit_length() > 200:
        return f"a number of {given.bit_length()} bits"
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
