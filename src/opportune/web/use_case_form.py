"""The form of a use case: fields as they were typed, and the table of its file.

    body -> form -> body

What the form has no field for (parameters, policy settings) is carried along as it was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from opportune.web.asking import Fields
from opportune.web.use_case_rows import (
    number,
    option_rows,
    read_caps,
    read_champion,
    read_cooldowns,
    read_features,
    read_forbidden,
    read_options,
    read_rails,
    tables,
    written_action,
    written_features,
    written_forbidden,
)

__all__ = ["FIELDS", "UseCaseForm", "field_of", "form_of", "read_form", "undone"]

# Which field of the page a mistake stands beside, by the beginning of its key.
FIELDS: Sequence[tuple[str, str]] = (
    ("audience", "audience"),
    ("features", "features"),
    ("title", "title"),
    ("name", "name"),
    ("success_metric", "metric"),
    ("groups.control_share", "control"),
    ("groups.random_share", "random"),
    ("groups.exploration_min", "exploration"),
    ("groups", "champion"),
    ("decide_at", "decide_at"),
    ("policy", "policy"),
    ("dimensions", "dimensions"),
    ("constraints.quiet_hours", "quiet"),
    ("constraints.cooldown", "cooldowns"),
    ("constraints.cap", "caps"),
    ("constraints", "forbidden"),
    ("guard_rails", "rails"),
    ("budget", "budget"),
    ("activation", "activation"),
)
PLACE = re.compile(r"dimensions\[(\d+)\]")
NAMED = re.compile(r"dimensions\.([^.:]+)")
MOST_DIMENSIONS = 20
# So many changes can be taken back.
MOST_UNDONE = 8
SHARES = {
    "control": "control_share",
    "random": "random_share",
    "champion": "champion_share",
    "exploration": "exploration_min",
}
BUDGET = ("per_day", "total")
TYPED = ("forbidden", "cooldown", "cap")


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCaseForm:
    """What somebody edits: ``version`` 0 is a new use case, ``body`` what its file would say.

    ``before``: what it said before the last changes, the newest first.
    """

    name: str
    version: int
    body: Mapping[str, Any]
    before: tuple[Mapping[str, Any], ...] = ()

    @property
    def dimensions(self) -> list[dict[str, Any]]:
        """Each dimension as fields, and an empty one to go on with."""
        shown = [
            {
                "name": str(each.get("name", "")),
                "meaning": str(each.get("meaning", "choice")),
                "options": option_rows(each.get("options")),
            }
            for each in tables(self.body.get("dimensions"))
        ]
        return [*shown, {"name": "", "meaning": "choice", "options": option_rows([])}]

    @property
    def shares(self) -> dict[str, str]:
        """The shares of the groups in percent."""
        given = _table(self.body.get("groups"))
        return {name: _percent(given.get(key)) for name, key in SHARES.items()}

    @property
    def champion(self) -> dict[str, Any]:
        """Who is champion: an action as it is written, or a policy, which may stay as it is."""
        given = _table(self.body.get("groups"))
        return {
            "action": written_action(given.get("champion")),
            "policy": _table(given.get("champion_policy")).get("name", ""),
            "stays": given.get("champion_learns") is False,
        }

    @property
    def texts(self) -> dict[str, str]:
        """What is written a line each: features, forbidden combinations, the connector's keys."""
        given = _table(self.body.get("activation"))
        kept = _table(self.body.get("constraints"))
        lines = (f"{key} = {_line(value)}" for key, value in given.items() if key != "connector")
        return {
            "features": written_features(self.body.get("features")),
            "forbidden": written_forbidden(kept.get("forbidden")),
            "config": "\n".join(lines),
        }

    @property
    def quiet(self) -> Mapping[str, Any]:
        """From when to when nothing is sent."""
        return _table(_table(self.body.get("constraints")).get("quiet_hours"))

    @property
    def cooldowns(self) -> list[Mapping[str, Any]]:
        """What is not sent again soon, and an empty row to go on with."""
        return [*tables(_table(self.body.get("constraints")).get("cooldown")), {}]

    @property
    def caps(self) -> list[Mapping[str, Any]]:
        """How many sends somebody gets at most, and an empty row to go on with."""
        return [*tables(_table(self.body.get("constraints")).get("cap")), {}]

    @property
    def rails(self) -> list[Mapping[str, Any]]:
        """What stops the use case, and an empty row to go on with."""
        return [*tables(self.body.get("guard_rails")), {}]


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
        "features": read_features(form.get("features")),
        "groups": _groups(form, _table(before.get("groups"))),
        "dimensions": _dimensions(form, before),
        "activation": {"connector": form.get("connector"), **_lines(form.get("config"))},
        "constraints": _constraints(form, _table(before.get("constraints"))),
        "guard_rails": read_rails(form),
        "budget": _budget(form),
        "decide_at": form.get("decide_at"),
    }
    for key in ("features", "constraints", "guard_rails", "budget", "decide_at"):
        if not body[key]:
            del body[key]
    earlier = tuple(_table(each) for each in _list(form.get("earlier")))
    if before and before != body:
        earlier = (before, *earlier)[:MOST_UNDONE]
    return UseCaseForm(
        name=form.get("name"),
        version=int(version) if version.isdecimal() and len(version) < 8 else 0,
        body=body,
        before=earlier,
    )


def undone(form: UseCaseForm) -> UseCaseForm:
    """Take the last change back; as it is where there is none."""
    if not form.before:
        return form
    return replace(form, body=form.before[0], before=form.before[1:])


def field_of(problem: str, names: Sequence[str] = ()) -> str:
    """Return the field of the page that a problem stands beside.

    ``names`` are those of the dimensions.

    >>> field_of("use_cases/a.toml: audience.segments: no segment 'x'.")
    'audience'
    >>> field_of("use_cases/a.toml: dimensions[0].options: [] given")
    'dimension-0'
    >>> field_of("use_cases/a.toml: dimensions.offer.options: 'x' twice", ["hour", "offer"])
    'dimension-1'
    """
    key = problem.partition(".toml: ")[2] or problem
    if found := PLACE.match(key):
        return f"dimension-{found[1]}"
    if (found := NAMED.match(key)) and found[1] in names:
        return f"dimension-{names.index(found[1])}"
    return next((field for start, field in FIELDS if key.startswith(start)), "other")


def _audience(form: Fields) -> dict[str, list[str]]:
    chosen = {"segments": [*form.all("segments")]}
    minus = [*form.all("minus")]
    return {**chosen, "minus": minus} if minus else chosen


def _groups(form: Fields, before: Mapping[str, Any]) -> dict[str, Any]:
    groups = {**before}
    for name, key in SHARES.items():
        typed = form.get(name)
        if typed:
            groups[key] = _share(typed)
        elif name != "control":
            groups.pop(key, None)
    return read_champion(form, groups)


def _dimensions(form: Fields, before: Mapping[str, Any]) -> list[dict[str, Any]]:
    old = tables(before.get("dimensions"))
    found = []
    for place in range(MOST_DIMENSIONS):
        at = f"dimension-{place}"
        name = form.get(f"{at}-name")
        known = old[place] if place < len(old) else {}
        options = read_options(form, at, tables(known.get("options")))
        if not name and not options:
            continue
        meaning = form.get(f"{at}-meaning") or "choice"
        dimension = {**known, "name": name, "meaning": meaning, "options": options}
        if meaning == "choice" and "meaning" not in known:
            del dimension["meaning"]
        found.append(dimension)
    return found


def _constraints(form: Fields, before: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        **{key: value for key, value in before.items() if key not in TYPED},
        "forbidden": read_forbidden(form.get("forbidden"), tables(before.get("forbidden"))),
        "cooldown": read_cooldowns(form),
        "cap": read_caps(form),
        "quiet_hours": {
            key: typed for key in ("from", "to") if (typed := form.get(f"quiet-{key}"))
        },
    }
    return {key: value for key, value in found.items() if value}


def _budget(form: Fields) -> dict[str, Any]:
    budget = {key: number(typed) for key in BUDGET if (typed := form.get(key))}
    if form.get("budget_unit") and budget:
        budget["unit"] = form.get("budget_unit")
    return budget


def _line(value: object) -> object:
    """A text of several lines, as messages are, stands in one, as JSON writes it."""
    return json.dumps(value) if isinstance(value, str) and "\n" in value else value


def _lines(text: str) -> dict[str, Any]:
    pairs = (line.partition("=") for line in text.splitlines() if line.strip())
    given = {key.strip(): value.strip() for key, _, value in pairs if key.strip() != "connector"}
    read = {key: _read(value) if value.startswith('"') else None for key, value in given.items()}
    return {key: value if read[key] is None else read[key] for key, value in given.items()}


def _share(text: str) -> float | str:
    value = number(text)
    return value if isinstance(value, str) else round(value / 100, 10)


def _percent(share: object) -> str:
    if share is None:
        return ""
    is_number = isinstance(share, int | float) and not isinstance(share, bool)
    return f"{float(str(share)) * 100:.10g}" if is_number else str(share)


def _json(text: str) -> dict[str, Any]:
    found = _read(text)
    return found if isinstance(found, dict) else {}


def _list(text: str) -> list[Any]:
    found = _read(text)
    return found if isinstance(found, list) else []


def _read(text: str) -> object:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
