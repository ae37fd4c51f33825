"""What every part of reading a rule needs: where it is, what is allowed there, what went wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from opportune.errors import nearest
from opportune.rules.model import AllOf, Kind, Rule, Value

__all__ = [
    "MAX_AMOUNT",
    "STAND_IN",
    "Place",
    "Subject",
    "kind_of",
    "names",
    "number",
    "show",
    "table",
    "text",
    "value",
    "whole",
]

MAX_NAME = 200
MAX_NAMES = 50
MAX_TEXT = 1_000
# Sums are kept in whole millionths: these fit into 64 bits.
MAX_AMOUNT = 1e12

# What a rule is asked of: a profile, its traits alone, one session of it, or one event.
Subject = Literal["profile", "traits", "session", "event"]

# Stands where a mistake is, so that the rest can be read as well; it never leaves this room.
STAND_IN: Rule = AllOf(rules=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in the document we are; ``problems`` is shared by all places of one document."""

    where: str
    subject: Subject
    depth: int
    problems: list[str]

    def at(self, key: str) -> Place:
        """Return the place of what stands under ``key``."""
        return replace(self, where=f"{self.where}.{key}")

    def item(self, index: int) -> Place:
        """Return the place of one item of the list that stands here."""
        return replace(self, where=f"{self.where}[{index}]")

    def inner(self, subject: Subject | None = None) -> Place:
        """Return the place of a rule within the rule that stands here."""
        return replace(self, subject=subject or self.subject, depth=self.depth + 1)

    def wrong(self, problem: str) -> None:
        """Note a mistake."""
        self.problems.append(f"{self.where}: {problem}")

    def unknown(self, given: Mapping[object, object], allowed: Iterable[str]) -> None:
        """Note every key of the table that stands here and means nothing."""
        known = tuple(allowed)
        for key in given:
            if key not in known:
                self.wrong(f"unknown key {show(key)}. {nearest(str(key), known)}")


def table(given: object, place: Place, *, example: str) -> Mapping[object, object] | None:
    """Read a table; anything else is a mistake and None."""
    if isinstance(given, Mapping):
        return given
    place.wrong(f"{show(given)} given. Allowed: a table such as {example}.")
    return None


def text(given: object, place: Place, *, noun: str) -> str:
    """Read the name of a ``noun``, such as a trait."""
    if isinstance(given, str) and 0 < len(given) <= MAX_NAME and _encodes(given):
        return given
    article = "an" if noun[0] in "aeiou" else "a"
    place.wrong(
        f"{show(given)} is not {article} {noun}'s name."
        f" Allowed: a name of 1 to {MAX_NAME} characters."
    )
    return ""


def names(given: object, place: Place, *, noun: str) -> tuple[str, ...]:
    """Read one name of a ``noun``, or a list of them."""
    if not isinstance(given, list | tuple):
        return (text(given, place, noun=noun),)
    if not 0 < len(given) <= MAX_NAMES:
        place.wrong(f"{show(given)} given. Allowed: a name, or a list of 1 to {MAX_NAMES} names.")
        return ()
    read = (text(item, place.item(index), noun=noun) for index, item in enumerate(given))
    return tuple(dict.fromkeys(read))


def whole(given: object, place: Place, *, low: int, high: int) -> int:
    """Read a whole number from ``low`` to ``high``."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return _not_whole(given, place, low, high)
    # Between the bounds first: what is infinite has no whole part.
    if low <= given <= high and given == int(given):
        return int(given)
    return _not_whole(given, place, low, high)


def number(given: object, place: Place, *, limit: float = math.inf) -> float:
    """Read a number that is finite, exact as a double and not beyond ``limit`` either way."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        place.wrong(f"{show(given)} given. Allowed: a number.")
        return 0.0
    double = _double(given)
    if double != given or not math.isfinite(double):
        allowed = "Allowed: finite numbers; whole ones are exact up to 2^53. Or use a text."
        place.wrong(f"{show(given)} is not exact as a number. {allowed}")
        return 0.0
    if abs(double) > limit:
        place.wrong(f"{show(given)} given. Allowed: a number from {-limit:.0e} to {limit:.0e}.")
    # Adding zero turns -0.0 into 0.0: they compare equal, and should read equal.
    return double + 0.0


def value(given: object, place: Place) -> Value:
    """Read a value that compares: a text, a number (as a double), true or false."""
    if isinstance(given, bool):
        return given
    if isinstance(given, str):
        if len(given) > MAX_TEXT or not _encodes(given):
            allowed = f"Allowed: at most {MAX_TEXT} characters of valid Unicode."
            place.wrong(f"{show(given)} is not a usable text. {allowed}")
        return given
    if isinstance(given, int | float):
        return number(given, place)
    place.wrong(f"{show(given)} given. Allowed: a text, a number, true or false.")
    return False


def kind_of(given: Value) -> Kind:
    """Tell texts, numbers and truth values apart."""
    if isinstance(given, bool):
        return "boolean"
    return "text" if isinstance(given, str) else "number"


def show(given: object) -> str:
    """Say what was given, short enough for a message and safe to print."""
    if isinstance(given, Mapping):
        return "a table"
    if isinstance(given, list | tuple):
        return f"a list of {len(given)}"
    if isinstance(given, int) and given.bit_length() > 200:
        return f"a number of {given.bit_length()} bits"
    said = repr(given)
    return said if len(said) <= 60 else f"{said[:57]}..."


def _not_whole(given: object, place: Place, low: int, high: int) -> int:
    place.wrong(f"{show(given)} given. Allowed: a whole number from {low} to {high}.")
    return low


def _double(given: float) -> float:
    try:
        return float(given)
    except OverflowError:
        return math.inf


def _encodes(given: str) -> bool:
    """Whether the text can be written as UTF-8: half a surrogate pair cannot."""
    return not any("\ud800" <= letter <= "\udfff" for letter in given)
