"""How the values of a person are found in any text, and what stands in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Subject", "Values", "canonical", "hex_id"]

# Shorter ones, and plain numbers, stand in other texts by chance: they count where they are a whole
# value, quoted or alone.
TELLING_CHARACTERS = 6
TELLING_DIGITS = 12
# What stands between the digits of a number as people write it.
BETWEEN_DIGITS = r"[ ()./-]{0,3}"
# Stands in no text: what means the same to Python, to RE2 and to PostgreSQL.
NOTHING = "\x01\x02\x01\x02"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An identifier of somebody who is forgotten, and what stands in its place.

    ``identifier_id`` and ``profile_id`` are hashes of identifiers, and go away like them.
    """

    request_id: str
    kind: str
    value: str
    new_value: str
    identifier_id: int
    new_id: int
    profile_id: int
    new_profile_id: int
    erases: bool


def canonical(kind: str, value: str) -> str:
    """Return the one way to write an identifier, as State does.

    >>> canonical("email", " Ana@Shop.Example "), canonical("phone", "0049 (30) 901-820")
    ('ana@shop.example', '+4930901820')
    """
    if kind == "email":
        return value.strip(" ").lower()
    if kind == "phone":
        return re.sub("^00", "+", re.sub("[^0-9+]", "", value))
    return value


def hex_id(number: int) -> str:
    """Write the id of a profile as ids of decisions have it: sixteen hex digits."""
    return f"{number & (2**64 - 1):016x}"


class Values:
    """All values of all who are forgotten in one pass, as patterns.

    ``exact`` are whole values; ``pattern`` finds them in any text, ``folded`` those that know no
    capitals. Both are understood alike by Python, by RE2 and by PostgreSQL.
    """

    def __init__(self, subjects: Iterable[Subject]) -> None:
        self.subjects = tuple(subjects)
        self.exact = {each.value: each for each in self.subjects}
        self.new_ids = {each.identifier_id: each.new_id for each in self.subjects}
        self.new_ids |= {each.profile_id: each.new_profile_id for each in self.subjects}
        self.texts = {each.value: each.new_value for each in self.subjects}
        self.texts |= {hex_id(old): hex_id(new) for old, new in self.new_ids.items()}

    @cached_property
    def pattern(self) -> str:
        """Finds values as they are."""
        return _any(
            form
            for value, kind in self._kinds().items()
            if kind not in ("email", "phone")
            for form in _forms(value)
        )

    @cached_property
    def folded(self) -> str:
        """Finds addresses, in small letters and capitals, and numbers however they are grouped."""
        forms = [
            re.escape(value) if kind == "email" else _grouped(value)
            for value, kind in self._kinds().items()
            if kind in ("email", "phone")
        ]
        return _any(forms)

    @cached_property
    def either(self) -> str:
        """Finds what `pattern` or `folded` finds, for Python and RE2."""
        return f"{self.pattern}|(?i:{self.folded})"

    def replaced(self, text: str | None) -> str | None:
        """Return ``text`` with all values replaced by what stands in their place."""
        if text is None:
            return None
        if text in self.texts:
            return self.texts[text]
        return self._expression.sub(self._new, text)

    @property
    def untelling(self) -> int:
        """How many values are searched for as whole values only."""
        return sum(not _is_telling(value) for value in self.exact)

    @cached_property
    def telling(self) -> str:
        """Finds in raw bytes every value that does not stand anywhere by chance."""
        plain = [re.escape(v) for v, kind in self._kinds().items() if _is_telling(v, kind)]
        return f"(?i:{_any(plain)})"

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(self.either)

    def _kinds(self) -> Mapping[str, str]:
        return {
            **{hex_id(number): "id" for number in self.new_ids},
            **{each.value: each.kind for each in self.subjects},
        }

    def _new(self, match: re.Match[str]) -> str:
        found = match[0]
        if found in self.texts:
            return self.texts[found]
        if found.strip('"') in self.texts:
            return f'"{self.texts[found.strip(chr(34))]}"'
        for kind in ("email", "phone"):
            if (known := canonical(kind, found)) in self.texts:
                return self.texts[known]
        return "forgotten"


def _is_telling(value: str, kind: str = "") -> bool:
    if kind in ("id", "email", "phone"):
        return True
    if value.isdigit():
        return len(value) >= TELLING_DIGITS
    return len(value) >= TELLING_CHARACTERS


def _forms(value: str) -> list[str]:
    """Return how a value is written in texts, plain and in JSON."""
    written = {json.dumps(value, ensure_ascii=ascii_)[1:-1] for ascii_ in (True, False)}
    if _is_telling(value):
        return [re.escape(each) for each in sorted(written | {value})]
    return [f'"{re.escape(each)}"' for each in sorted(written)]


def _grouped(value: str) -> str:
    digits = [each for each in value if each.isdigit()]
    return BETWEEN_DIGITS.join(digits) if len(digits) >= 5 else NOTHING


def _any(forms: Iterable[str]) -> str:
    return "|".join(forms) or NOTHING
