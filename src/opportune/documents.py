"""Read a definition (a TOML table) key by key, and list every mistake in it, not only the first."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeGuard, TypeVar

from opportune.errors import InvalidInput, nearest

__all__ = ["Document", "InvalidDefinition", "read_toml"]

MISSING = object()

T = TypeVar("T")


class InvalidDefinition(InvalidInput):
    """One or more definitions cannot be used; ``problems`` has a line for each mistake."""

    code = "invalid_definition"

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Document:
    """One table of a definition. Reading a wrong value notes a problem and returns a stand-in.

    Call `close` when every known key was read: whatever is left is unknown and becomes a problem.
    """

    def __init__(self, body: Mapping[str, object], where: str, problems: list[str]) -> None:
        self.body = body
        self.where = where
        self.problems = problems
        self._known: list[str] = []

    def text(self, key: str, default: str | None = None) -> str:
        """Read a non-empty string."""
        value = self._take(key, default)
        if isinstance(value, str) and (value or value == default):
            return value
        return self._wrong(key, value, "a non-empty text", "")

    def number(self, key: str, default: float | None = None, *, low: float, high: float) -> float:
        """Read a number from ``low`` to ``high``, both included."""
        value = self._take(key, default)
        if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
            return float(value)
        return self._wrong(key, value, f"a number from {low:g} to {high:g}", low)

    def flag(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self._take(key, default)
        return value if isinstance(value, bool) else self._wrong(key, value, "true or false", False)

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """Read a list of non-empty strings."""
        value = self._take(key, default)
        if _is_list(value):
            found = tuple(item for item in value if isinstance(item, str) and item)
            if len(found) == len(value):
                return found
        return self._wrong(key, value, "a list of texts", ())

    def items(self, key: str, default: Sequence[object] | None = None) -> tuple[object, ...]:
        """Read a list of anything."""
        value = self._take(key, default)
        return tuple(value) if _is_list(value) else self._wrong(key, value, "a list", ())

    def table(self, key: str, *, required: bool = True) -> Document:
        """Read a table; a missing one that is not required is empty."""
        value = self._take(key, None if required else {})
        body = value if isinstance(value, Mapping) else self._wrong(key, value, "a table", {})
        return Document(body, self._at(key), self.problems)

    def tables(self, key: str) -> list[Document]:
        """Read a list of tables."""
        value = self._take(key, None)
        items = value if _is_list(value) else ()
        found = [
            Document(item, f"{self._at(key)}[{place}]", self.problems)
            for place, item in enumerate(items)
            if isinstance(item, Mapping)
        ]
        if not found or len(found) != len(items):
            return self._wrong(key, value, "a list of one or more tables", [])
        return found

    def optional(self, key: str) -> object:
        """Read a value of any kind, or None."""
        return self._take(key, MISSING)

    def wrong(self, key: str, message: str) -> None:
        """Note a problem with the value of ``key`` that only the caller can see."""
        self.problems.append(f"{self._at(key)}: {message}")

    def close(self) -> None:
        """Note every key that nobody read."""
        for key in self.body:
            if key not in self._known:
                self.problems.append(f"{self._at(key)}: unknown key. {nearest(key, self._known)}")

    def _take(self, key: str, default: object) -> object:
        self._known.append(key)
        value = self.body.get(key, default)
        return None if value is MISSING else value

    def _wrong(self, key: str, value: object, allowed: str, stand_in: T) -> T:
        given = "missing" if value is None else f"{value!r} given"
        self.problems.append(f"{self._at(key)}: {given}, must be {allowed}.")
        return stand_in

    def _at(self, key: str) -> str:
        return f"{self.where}: {key}" if ": " not in self.where else f"{self.where}.{key}"


def read_toml(file: Path, where: str, problems: list[str]) -> dict[str, object] | None:
    """Read one file; None, with a problem noted, for one that cannot be read."""
    try:
        body = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"{where}: cannot be read: {error.strerror}.")
    except RecursionError:
        problems.append(f"{where}: nested too deeply.")
    except ValueError as error:
        problems.append(f"{where}: not valid TOML: {error}")
    else:
        if not _has_nul(body):
            return body
        problems.append(f"{where}: a text has the character U+0000, which cannot be kept.")
    return None


def _has_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(each) for key, each in value.items())
    if isinstance(value, list):
        return any(_has_nul(each) for each in value)
    return isinstance(value, str) and "\0" in value


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
