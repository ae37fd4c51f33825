"""The form of a use case: fields as they were typed, and the table of its file.

    body -> form -> body

What the form has no field for (rules of options, parameters, features, constraints) is carried
along as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from opportune.web.asking import Fields

__all__ = ["BLOCKS", "UseCaseForm", "block_of", "form_of", "read_form"]

# Which block of the page a mistake belongs to, by the beginning of its key.
BLOCKS: Mapping[str, tuple[str, ...]] = {
    "who": ("audience", "features"),
    "goal": ("title", "success_metric", "groups", "name", "policy", "decide_at"),
    "choices": ("dimensions",),
    "limits": ("budget", "guard_rails", "constraints", "activation"),
}
MOST_DIMENSIONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseForm:
    """What somebody edits: ``version`` 0 is a new use case, ``body`` what its file would say."""

    name: str
    version: int
    body: Mapping[str, Any]

    @property
    def dimensions(self) -> list[dict[str, str]]:
        """Each dimension as fields, and an empty one to go on with."""
        shown = [
            {
                "name": str(each.get("name", "")),
                "meaning": str(each.get("meaning", "choice")),
                "options": "\n".join(map(_line, _tables(each.get("options")))),
            }
            for each in _tables(self.body.get("dimensions"))
        ]
        return [*shown, {"name": "", "meaning": "choice", "options": ""}]

    @property
    def config(self) -> str:
        """What the connector needs to know, a line each."""
        given = _table(self.body.get("activation"))
        return "\n".join(f"{key} = {value}" for key, value in given.items() if key != "connector")


def form_of(name: str, version: int, body: Mapping[str, Any]) -> UseCaseForm:
    """Begin to edit ``body``."""
    return UseCaseForm(name=name, version=version, body=body)


def read_form(form: Fields) -> UseCaseForm:
    """Read what was typed; what cannot be read stays as it is, so that its problem is told."""
    before = _json(form.get("before"))
    version = form.get("version")
    body = {
        **before,
        "title": form.get("title"),
        "success_metric": form.get("metric"),
        "audience": _audience(form),
        "groups": {**_table(before.get("groups")), "control_share": _share(form.get("control"))},
        "dimensions": _dimensions(form, before),
        "activation": {"connector": form.get("connector"), **_lines(form.get("config"))},
    }
    budget = {key: _number(form.get(key)) for key in ("per_day", "total") if form.get(key)}
    if form.get("budget_unit") and budget:
        budget["unit"] = form.get("budget_unit")
    body = {key: value for key, value in body.items() if key != "budget"}
    if budget:
        body["budget"] = budget
    return UseCaseForm(
        name=form.get("name"),
        version=int(version) if version.isdecimal() and len(version) < 8 else 0,
        body=body,
    )


def block_of(problem: str) -> str:
    """Return the block of the page that a problem belongs to.

    >>> block_of("use_cases/a.toml: audience.segments: no segment 'x'.")
    'who'
    >>> block_of("use_cases/a.toml: dimensions[0].options: [] given")
    'choices'
    """
    key = problem.partition(".toml: ")[2] or problem
    found = (
        block for block, starts in BLOCKS.items() if any(key.startswith(each) for each in starts)
    )
    return next(found, "limits")


def _audience(form: Fields) -> dict[str, list[str]]:
    chosen = {"segments": [*form.all("segments")]}
    minus = [*form.all("minus")]
    return {**chosen, "minus": minus} if minus else chosen


def _dimensions(form: Fields, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    old = _tables(before.get("dimensions"))
    found = []
    for place in range(MOST_DIMENSIONS):
        name, options = form.get(f"dimension-{place}-name"), form.get(f"dimension-{place}-options")
        if not name and not options:
            continue
        known = old[place] if place < len(old) else {}
        kept = {str(each.get("name")): each for each in _tables(known.get("options"))}
        meaning = form.get(f"dimension-{place}-meaning")
        rows = [_option(line, kept) for line in options.splitlines() if line.strip()]
        dimension = {**known, "name": name, "meaning": meaning or "choice", "options": rows}
        found.append(dimension)
    return found


def _option(line: str, kept: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Read an option as it was typed: its name, and what it costs behind an equals sign."""
    name, _, cost = (part.strip() for part in line.partition("="))
    known = {key: value for key, value in kept.get(name, {}).items() if key != "cost"}
    return {**known, "name": name, **({"cost": _number(cost)} if cost else {})}


def _line(option: Mapping[str, Any]) -> str:
    cost = option.get("cost")
    return str(option.get("name", "")) if cost is None else f"{option.get('name')} = {cost}"


def _lines(text: str) -> dict[str, Any]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip() != "connector"}


def _number(text: str) -> float | int | str:
    """Return the number that was typed, or the text, which is a mistake of its field."""
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() and abs(value) < 1e15 else value


def _share(text: str) -> float | str:
    value = _number(text)
    return value if isinstance(value, str) else value / 100


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _tables(value: object) -> Sequence[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
