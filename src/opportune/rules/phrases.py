"""How names, values and numbers are written within a sentence."""

from __future__ import annotations

import json
import re

from opportune.rules.model import Value

__all__ = ["listed", "name_of", "number_of", "several", "text_of", "value_of"]


def name_of(name: str) -> str:
    """Write a field's name; in quotes where it could be read as more than a name."""
    return name if re.fullmatch(r"[\w.-]+", name) else text_of(name)


def text_of(text: str) -> str:
    """Write a text in quotes."""
    return json.dumps(text, ensure_ascii=False)


def value_of(value: Value) -> str:
    """Write a value so that texts, numbers and truth values stay apart."""
    if isinstance(value, str):
        return text_of(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_of(value)


def number_of(number: float) -> str:
    """Write a whole number without a decimal point."""
    return f"{number:.0f}" if number.is_integer() and abs(number) < 1e15 else repr(number)


def several(count: int, unit: str) -> str:
    """Write a count with its unit, such as "1 day" or "30 days".

    >>> several(1, "times"), several(2, "sessions")
    ('1 time', '2 sessions')
    """
    return f"{count} {unit.removesuffix('s') if count == 1 else unit}"


def listed(items: list[str]) -> str:
    """Write alternatives.

    >>> listed(["a", "b", "c"])
    'a, b or c'
    """
    *firsts, last = items
    return f"{', '.join(firsts)} or {last}" if firsts else last
