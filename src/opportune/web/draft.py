"""A rule while somebody edits it: a tree of fields as they were typed, right or wrong.

    form -> draft -> document -> rules.parse,   and back:   document -> draft -> form

Every field of a form is named after its place in the tree: ``rule-0-name`` is the field "name" of
the first part of the rule, ``rule-0-where-1-value`` the value of the second condition on the
properties of its events.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from opportune.errors import InvalidInput
from opportune.web.asking import Fields

__all__ = ["ROOT", "Draft", "DraftTooDeep", "plain", "read_draft", "written"]

ROOT = "rule"
# A rule may be nested in 20 levels; conditions on events hang below their places.
MOST_LEVELS = 60
PART = re.compile(r"(?P<parent>.+)-(?P<place>\d{1,4})-form")
# What a draft of each form may have below it, beside numbered parts.
BELOW = ("where", "without")
NOT_PLAIN = re.compile(r'^\s|\s$|^"|[\x00-\x1f\x7f\x85\u2028\u2029]|^$')


class DraftTooDeep(InvalidInput):
    """The fields of a form name a tree that is deeper than any rule may be."""

    code = "draft_too_deep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One node: ``form`` says which, ``values`` are its fields as typed, ``events`` its names.

    ``parts`` are the rules of a group, or the steps of a sequence; ``below`` has the conditions on
    the events of the node ("where") and what must not come between two steps ("without").
    """

    form: str
    values: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[str] = ()
    parts: Sequence[Draft] = ()
    below: Mapping[str, Draft] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        """Return a field as it was typed."""
        return self.values.get(name, default)


def read_draft(form: Fields) -> Draft:
    """Read the draft of a form. Raises ``DraftTooDeep``.

    >>> read_draft(Fields((("rule-form", "trait"), ("rule-name", "age")))).get("name")
    'age'
    """
    values: dict[str, dict[str, list[str]]] = defaultdict(dict)
    places: dict[str, set[int]] = defaultdict(set)
    for name, value in form.pairs:
        path, _, key = name.rpartition("-")
        values[path].setdefault(key, []).append(value)
        if found := PART.fullmatch(name):
            places[found["parent"]].add(int(found["place"]))
    return _read(ROOT, values, places)


def _read(
    path: str, values: Mapping[str, Mapping[str, list[str]]], places: Mapping[str, set[int]]
) -> Draft:
    if path.count("-") > MOST_LEVELS:
        raise DraftTooDeep("The rule is nested too deep. Flatten it.")
    own = values.get(path, {})
    below = {name: f"{path}-{name}" for name in BELOW if "form" in values.get(f"{path}-{name}", {})}
    return Draft(
        form=own.get("form", ["all"])[-1],
        values={key: given[-1] for key, given in own.items() if key not in ("form", "event")},
        events=tuple(own.get("event", ())),
        parts=tuple(
            _read(f"{path}-{place}", values, places) for place in sorted(places.get(path, ()))
        ),
        below={name: _read(inner, values, places) for name, inner in below.items()},
    )


def written(text: str) -> str:
    """Write a text for a field: as it is, or in quotes where a browser would change it.

    >>> written("gold"), written(" gold"), written("")
    ('gold', '" gold"', '""')
    """
    return json.dumps(text) if NOT_PLAIN.search(text) else text


def plain(typed: str) -> str:
    """Read a text as it was typed in a field, in quotes or not.

    >>> plain("gold "), plain('" gold"'), plain('"')
    ('gold', ' gold', '"')
    """
    text = typed.strip()
    if text.startswith('"'):
        try:
            unquoted = json.loads(text)
        except ValueError:
            return text
        return unquoted if isinstance(unquoted, str) else text
    return text
