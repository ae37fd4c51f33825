"""People: a list to look through."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, cast
from urllib.parse import urlencode

from opportune import events, profiles, project
from opportune.profiles import PeopleFilter, PeopleOrder, Profile
from opportune.web import pages
from opportune.web.asking import Asked, Moved, Shown

__all__ = ["display_name", "people"]

ROWS = 50
# Further pages are no use: a search is.
MOST_PAGES = 200
MOST_COLUMNS = 6
SORTS = ("last_seen", "first_seen", "name")
NAMES = ("name", "fullName", "full_name")
FIRST, LAST = ("firstName", "first_name"), ("lastName", "last_name")


def people(asked: Asked) -> Shown | Moved:
    """Show one page of people, or the one person that is found."""
    query = asked.query
    page = query.page(most=MOST_PAGES)
    search, segment = query.get("q"), query.get("segment")
    chosen = PeopleFilter(search=search, segment=segment or None)
    found = profiles.people(
        asked.stores.state, chosen, order=_order(asked), skip=(page - 1) * ROWS, limit=ROWS
    )
    if search and found.total == 1 and not segment and page == 1:
        return Moved(to=f"/people/{found.rows[0].profile_id}")
    columns = _columns(asked)
    kept = {"q": search, "segment": segment, "sort": query.get("sort"), "down": query.get("down")}
    last = min(math.ceil(found.total / ROWS), MOST_PAGES)
    context = {
        "people": [_row(each, columns) for each in found.rows],
        "total": found.total,
        "first": (page - 1) * ROWS + 1,
        "page": page,
        "last": last,
        "search": search,
        "segment": segment,
        "segments": sorted(project.read(asked.stores.state).segments),
        "columns": columns,
        "known": events.field_names(asked.stores.state)["trait"],
        "heads": _heads(asked, columns),
        "links": {
            number: _address({**kept, "page": str(number)}, columns)
            for number in (page - 1, page + 1)
        },
    }
    return Shown(body=pages.render("people.html", asked.frame, context))


def display_name(traits: Mapping[str, object], identifiers: Sequence[tuple[str, str]]) -> str:
    """Return what a person is called: the name, or else what tells people apart best.

    >>> display_name({"firstName": "Ana", "lastName": "Silva"}, [("user_id", "u1")])
    'Ana Silva'
    >>> display_name({}, [("anonymous_id", "c0ffee")])
    'Visitor c0ffee'
    """
    whole = _text(traits, NAMES) or " ".join(
        filter(None, (_text(traits, FIRST), _text(traits, LAST)))
    )
    if whole or (whole := _text(traits, ("email",))):
        return whole
    known = dict(reversed(identifiers))
    for kind in ("email", "user_id", "phone"):
        if kind in known:
            return known[kind]
    value = identifiers[0][1] if identifiers else "without an identifier"
    return f"Visitor {value}"


def _text(traits: Mapping[str, object], names: Sequence[str]) -> str:
    found = (traits[name] for name in names if isinstance(traits.get(name), str))
    return next((str(each).strip() for each in found), "")


def _order(asked: Asked) -> PeopleOrder:
    sort, down = asked.query.get("sort", "last_seen"), asked.query.get("down", "1") == "1"
    if sort.startswith("trait:"):
        return PeopleOrder(by="trait", trait=sort.removeprefix("trait:"), descending=down)
    if sort not in SORTS:
        return PeopleOrder()
    by = cast(Literal["last_seen", "first_seen", "name"], sort)
    return PeopleOrder(by=by, descending=down)


def _columns(asked: Asked) -> tuple[str, ...]:
    """Return the traits that are shown: those that were asked for, once each."""
    given = [each.strip() for each in asked.query.all("column")]
    return tuple(dict.fromkeys(each for each in given if each))[:MOST_COLUMNS]


def _row(person: Profile, columns: Sequence[str]) -> dict[str, object]:
    kinds = [kind for kind, _ in person.identifiers]
    return {
        "person": person,
        "name": display_name(person.traits, person.identifiers),
        "email": _text(person.traits, ("email",)),
        "known": "user_id" in kinds,
        "identifiers": len(kinds),
        "values": [shown(person.traits.get(column)) for column in columns],
    }


def shown(value: object) -> str:
    """Write the value of a trait or property for a cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float | int):
        return f"{value:,.10g}"
    return pages.json_text(value) if isinstance(value, dict | list) else str(value)


def _heads(asked: Asked, columns: Sequence[str]) -> list[dict[str, str]]:
    """Return the heads of the columns; a click sorts by it, another one turns the order."""
    order = _order(asked)
    now = f"trait:{order.trait}" if order.by == "trait" else order.by
    names = [("name", "Person"), ("last_seen", "Last seen"), ("first_seen", "First seen")]
    heads = []
    for key, words in [*names, *((f"trait:{each}", each) for each in columns)]:
        down = not order.descending if key == now else key in ("last_seen", "first_seen")
        kept = {
            "q": asked.query.get("q"),
            "segment": asked.query.get("segment"),
            "sort": key,
            "down": "1" if down else "0",
        }
        sorted_now = ("descending" if order.descending else "ascending") if key == now else "none"
        heads.append(
            {"key": key, "words": words, "link": _address(kept, columns), "sorted": sorted_now}
        )
    return heads


def _address(kept: Mapping[str, str], columns: Sequence[str]) -> str:
    pairs = [(name, value) for name, value in kept.items() if value]
    return f"/people?{urlencode([*pairs, *(('column', each) for each in columns)])}"
