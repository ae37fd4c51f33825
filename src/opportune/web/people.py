"""People: a list to look through, its chart, its views, and the list as a file."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from opportune import events, profiles, project
from opportune.events import Field, FieldForbidden, Use
from opportune.profiles import PeopleOrder, PeopleView, Profile
from opportune.segments import segment_fields
from opportune.web import pages, spread_bars
from opportune.web.asking import Asked, Download, Moved, Shown
from opportune.web.list_address import MOST_COLUMNS, ListAddress, read_list, sort_of

__all__ = ["display_name", "drop_view", "export", "keep_view", "people"]

ROWS = 50
# Further pages are no use: a search is.
MOST_PAGES = 200
NAMES = ("name", "fullName", "full_name")
FIRST, LAST = ("firstName", "first_name"), ("lastName", "last_name")
EXPORT = Use(kind="exports", name="people")
# What a program for tables would take for a formula; a number or a telephone number it may.
FORMULA = r"^[=@\t\r]|^[+-].*[^0-9 ().,/-]"


def people(asked: Asked) -> Shown | Moved:
    """Show one page of people, or the one person that is found."""
    asks = read_list(asked.query)
    chosen = asks.chosen
    page = asked.query.page(most=MOST_PAGES)
    state = asked.stores.state
    found = profiles.people(state, chosen, order=asks.order, skip=(page - 1) * ROWS, limit=ROWS)
    is_searched = chosen.search and chosen == profiles.PeopleFilter(search=chosen.search)
    if is_searched and found.total == 1 and page == 1:
        return Moved(to=f"/people/{found.rows[0].profile_id}")
    context = {
        "people": [_row(each, asks.columns) for each in found.rows],
        "total": found.total,
        "first": (page - 1) * ROWS + 1,
        "page": page,
        "last": min(math.ceil(found.total / ROWS), MOST_PAGES),
        "search": chosen.search,
        "segment": chosen.segment or "",
        "part": "" if chosen.picked is None else spread_bars.words_of(chosen.picked),
        "whole": asks.picking(None).at(),
        "segments": sorted(project.read(state).segments),
        "columns": asks.columns,
        "room": MOST_COLUMNS - len(asks.columns),
        "known": events.field_names(state)["trait"],
        "heads": _heads(asks),
        "links": {number: asks.at(page=number) for number in (page - 1, page + 1)},
        "fields": asks.fields(),
        "export": asks.at("/people.csv"),
        "views": [(each, _address_of(each)) for each in profiles.people_views(state)],
        "chart": _chart(asked, asks) if found.total else None,
    }
    return Shown(body=pages.render("people.html", asked.frame, context))


def export(asked: Asked) -> Download:
    """Send everybody of the list with its columns as a file. Raises ``FieldForbidden``."""
    asks = read_list(asked.query)
    _check_fields(asked, asks)
    found = profiles.export_people(asked.stores.state, asks.chosen, asks.columns)
    body = io.BytesIO()
    csv.write_csv(_without_formulas(found), body)
    return Download(body=body.getvalue(), media_type="text/csv; charset=utf-8", name="people.csv")


def keep_view(asked: Asked) -> Moved:
    """Keep the segment, the columns and the order of a list under a title."""
    asks = read_list(asked.form)
    view = PeopleView(
        title=asked.form.get("title"),
        segment=asks.chosen.segment,
        columns=asks.columns,
        sort=sort_of(asks.order),
        descending=asks.order.descending,
        kept_by=asked.by,
        kept_at=asked.now,
    )
    profiles.keep_people_view(asked.stores.state, view)
    return Moved(to=_address_of(view))


def drop_view(asked: Asked) -> Moved:
    """Let go of a view of the list."""
    profiles.drop_people_view(asked.stores.state, asked.form.get("title"))
    return Moved(to="/people")


def _chart(asked: Asked, asks: ListAddress) -> spread_bars.Chart:
    found = profiles.spread(asked.stores.state, asks.chosen, asks.order)
    of = "last_seen" if asks.order.by == "name" else sort_of(asks.order)
    return spread_bars.chart(found, asks, of=of)


def _check_fields(asked: Asked, asks: ListAddress) -> None:
    """Refuse what a policy keeps from leaving: in a column, and in what chose the people."""
    defined = project.read(asked.stores.state)
    personal = events.personal_fields(asked.stores.state)
    picked = asks.chosen.picked
    traits = [*asks.columns, *([picked.trait] if picked is not None and picked.trait else ())]
    used = [("the list of people", tuple(Field(kind="trait", name=name) for name in traits))]
    if asks.chosen.segment:
        parts = segment_fields([asks.chosen.segment], defined.segments)
        used += [(f"segment {name}", fields) for name, fields in parts]
    found = [
        (about, each)
        for about, fields in used
        for each in events.forbidden_fields(
            EXPORT, fields, defined.field_policies, personal=personal
        )
    ]
    if found:
        raise FieldForbidden(found)


def _without_formulas(found: pa.Table) -> pa.Table:
    columns = [
        pc.if_else(
            pc.match_substring_regex(column, FORMULA),
            pc.binary_join_element_wise("'", column, ""),
            column,
        )
        if pa.types.is_string(column.type)
        else column
        for column in found.columns
    ]
    return pa.table(columns, names=found.column_names)


def _address_of(view: PeopleView) -> str:
    pairs = [
        ("segment", view.segment or ""),
        ("sort", view.sort),
        ("down", str(int(view.descending))),
    ]
    pairs += [("column", each) for each in view.columns]
    return f"/people?{urlencode([pair for pair in pairs if pair[1]])}"


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


def _heads(asks: ListAddress) -> list[dict[str, str]]:
    """Return the heads of the columns; a click sorts by it, another one turns the order."""
    now = sort_of(asks.order)
    orders = [
        ("Person", PeopleOrder(by="name")),
        ("Last seen", PeopleOrder(by="last_seen")),
        ("First seen", PeopleOrder(by="first_seen")),
        *((each, PeopleOrder(by="trait", trait=each)) for each in asks.columns),
    ]
    heads = []
    for words, by in orders:
        key = sort_of(by)
        down = not asks.order.descending if key == now else key in ("last_seen", "first_seen")
        direction = "descending" if asks.order.descending else "ascending"
        heads.append(
            {
                "key": key,
                "words": words,
                "link": asks.sorted(replace(by, descending=down)).at(),
                "sorted": direction if key == now else "none",
            }
        )
    return heads
