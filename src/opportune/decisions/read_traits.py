"""The features of one profile, read from its traits as the snapshot of a day reads them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

import msgspec

from opportune.decisions.model import Feature, UseCase

__all__ = ["features_of"]

MISSING = math.nan
# What the engine's cast of a text to a double takes.
SPACE = r"[ \t\n\r\f\v]*"
DIGITS = "[0-9]+(?:_[0-9]+)*"
NUMBER = re.compile(
    rf"{SPACE}[+-]?(?:{DIGITS}(?:\.(?:{DIGITS})?)?|\.{DIGITS})(?:[eE][+-]?{DIGITS})?{SPACE}"
)
TRUTH = {"true": 1.0, "false": 0.0}


def features_of(use_case: UseCase, traits: Mapping[str, object]) -> list[float]:
    """Return the columns of ``use_case`` for these traits; NaN is "like everybody else".

    It has one meaning with `snapshot`, which reads all profiles at once.

    >>> from opportune.decisions.read_traits import number_of
    >>> [number_of(each) for each in (3, "42", True, "false", "plus", None)]
    [3.0, 42.0, 1.0, 0.0, nan, nan]
    """
    return [
        value
        for feature in use_case.features
        for value in _columns(feature, traits.get(feature.trait))
    ]


def number_of(given: object) -> float:
    """Return the number that a trait means as a feature; NaN if it means none."""
    if isinstance(given, str):
        if given in TRUTH:
            return TRUTH[given]
        return _finite(given) if NUMBER.fullmatch(given) else MISSING
    return _finite(given) if isinstance(given, int | float) else MISSING


def _columns(feature: Feature, given: object) -> Iterator[float]:
    if not feature.one_of:
        yield number_of(given)
        return
    text = _text(given)
    for value in feature.one_of:
        yield MISSING if text is None else float(text == value)


def _finite(given: str | float) -> float:
    """A number too large for a double tells as little as none."""
    try:
        number = float(given)
    except OverflowError:
        return MISSING
    return number if math.isfinite(number) else MISSING


def _text(given: object) -> str | None:
    """What a trait is when it is compared with texts."""
    if given is None or isinstance(given, str):
        return given
    return msgspec.json.encode(given).decode()
