"""Read a formula: its words, then what they make, with the place of every mistake."""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from opportune.errors import nearest
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
    Sign,
)

__all__ = ["parse_formula"]

MAX_TEXT = 2_000
MAX_DEPTH = 30
# A long sum is nested as deep as it has terms.
MAX_WORDS = 200
WORD = re.compile(
    r"(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*)|`(?P<quoted>[^`]+)`|(?P<sign><=|>=|==|!=|[-+*/(),<>])"
)
BEGINS = "a number, a name, a function, '-' or '('"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    """One word: what it is, what it says, and how many characters come before it."""

    kind: str
    text: str
    at: int


@dataclass(slots=True, kw_only=True)
class _Reading:
    """Where in the words we are."""

    words: list[_Word]
    place: int = 0
    depth: int = 0
    signs: tuple[tuple[Sign, ...], ...] = field(default=(COMPARISONS, ("+", "-"), ("*", "/")))

    @property
    def word(self) -> _Word:
        return self.words[self.place]

    def take(self) -> _Word:
        """Go on behind this word."""
        self.place += 1
        return self.words[self.place - 1]

    def is_sign(self, text: str) -> bool:
        """Say whether this word is that sign."""
        return self.word.kind == "sign" and self.word.text == text

    def expect(self, text: str, allowed: str) -> None:
        """Go on behind this sign, which must be there."""
        if not self.is_sign(text):
            raise _found(self.word, allowed)
        self.take()


def parse_formula(
    text: str, *, known: Collection[str] | None = None, noun: str = "name"
) -> Formula:
    """Read a formula such as ``if(orders > 0, revenue / orders, 0)``.

    Names with anything but letters, digits and ``_`` stand between backticks. Only ``known`` ones
    may be there, each a ``noun``; None: any. Nothing of it is run as code. Raises
    ``InvalidFormula`` with the place of the first mistake, what was found and what is allowed.

    >>> parse_formula("2 * (a + 1)").sign
    '*'
    >>> parse_formula("revenue / order", known=["revenue", "orders"], noun="metric")
    Traceback (most recent call last):
    opportune.rules.formula.InvalidFormula: at character 11: no metric 'order'. \
Did you mean 'orders'? Allowed: orders, revenue.
    """
    if len(text) > MAX_TEXT:
        raise InvalidFormula(MAX_TEXT, f"{len(text)} characters given, at most {MAX_TEXT} allowed.")
    reading = _Reading(words=_words(text))
    if len(reading.words) > MAX_WORDS:
        at = reading.words[MAX_WORDS].at
        raise InvalidFormula(at, f"too long. Allowed: {MAX_WORDS} words and signs. Split it.")
    formula = _level(reading, 0)
    if reading.word.kind != "end":
        raise _found(reading.word, "an operator (+ - * / < <= > >= == !=) or the end")
    for word, behind in zip(reading.words, reading.words[1:], strict=False):
        is_name = word.kind == "quoted" or (word.kind == "name" and behind.text != "(")
        if is_name and known is not None and word.text not in known:
            raise InvalidFormula(word.at, f"no {noun} '{word.text}'. {nearest(word.text, known)}")
    return formula


def _words(text: str) -> list[_Word]:
    words = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = WORD.match(text, at)
        if found is None:
            allowed = f"{BEGINS}, or an operator; other names stand between backticks"
            raise InvalidFormula(at, f"found {text[at]!r}. Allowed: {allowed}.")
        kind = str(found.lastgroup)
        words.append(_Word(kind=kind, text=found[kind], at=at))
        at = found.end()
    return [*words, _Word(kind="end", text="", at=len(text))]


def _found(word: _Word, allowed: str) -> InvalidFormula:
    said = "the end" if word.kind == "end" else f"'{word.text}'"
    return InvalidFormula(word.at, f"found {said}. Allowed: {allowed}.")


def _level(reading: _Reading, level: int) -> Formula:
    """Read what is bound by the signs of one level, and of those that bind more."""
    if level == len(reading.signs):
        return _negative(reading)
    left = _level(reading, level + 1)
    while True:
        word = reading.word
        sign = next((each for each in reading.signs[level] if reading.is_sign(each)), None)
        if sign is None:
            return left
        reading.take()
        left = Combined(sign=sign, left=left, right=_level(reading, level + 1), at=word.at)


def _negative(reading: _Reading) -> Formula:
    reading.depth += 1
    if reading.depth > MAX_DEPTH:
        raise InvalidFormula(reading.word.at, f"nested too deep. Allowed: {MAX_DEPTH} levels.")
    word = reading.word
    if reading.is_sign("-"):
        reading.take()
        formula: Formula = Negative(part=_negative(reading), at=word.at)
    else:
        formula = _single(reading)
    reading.depth -= 1
    return formula


def _single(reading: _Reading) -> Formula:
    if reading.is_sign("("):
        reading.take()
        inside = _level(reading, 0)
        reading.expect(")", "an operator or ')'")
        return inside
    word = reading.take()
    if word.kind == "number":
        value = float(word.text)
        if not math.isfinite(value):
            raise _found(word, "a number up to 1.7e308")
        return Number(value=value, at=word.at)
    if word.kind == "quoted":
        return Named(name=word.text, at=word.at)
    if word.kind != "name":
        raise _found(word, BEGINS)
    return _called(reading, word) if reading.is_sign("(") else Named(name=word.text, at=word.at)


def _called(reading: _Reading, word: _Word) -> Formula:
    function = FUNCTIONS.get(word.text)
    if function is None:
        raise InvalidFormula(word.at, f"no function '{word.text}'. {nearest(word.text, FUNCTIONS)}")
    reading.take()
    parts = [_level(reading, 0)]
    while reading.is_sign(","):
        reading.take()
        parts.append(_level(reading, 0))
    reading.expect(")", "an operator, ',' or ')'")
    if not function.least <= len(parts) <= function.most:
        raise InvalidFormula(
            word.at, f"'{word.text}' is given {len(parts)} values. It is used as {function.usage}."
        )
    return Called(function=word.text, parts=tuple(parts), at=word.at)
