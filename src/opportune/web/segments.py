"""Segments: the list, one of them, and the builder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from opportune import activation, events, profiles, project, rules, segments
from opportune.documents import InvalidDefinition
from opportune.profiles import PeopleFilter
from opportune.project import Project
from opportune.rules import InvalidRule, Rule
from opportune.segments import SegmentDay
from opportune.web import bars, pages
from opportune.web.asking import Asked, Moved, Shown
from opportune.web.draft import Draft, read_draft
from opportune.web.draft_edit import edit
from opportune.web.draft_rules import (
    AGGREGATES,
    COMPARISONS,
    DISTANCES,
    FIELD_OPERATORS,
    UNITS,
    document_of,
    draft_of,
)
from opportune.web.people import display_name

__all__ = [
    "change",
    "edited",
    "new_segment",
    "preview",
    "save",
    "segment",
    "segment_list",
]

SAMPLE = 10
TREND_DAYS = 14
VOCABULARY: Mapping[str, object] = {
    "aggregates": AGGREGATES,
    "comparisons": COMPARISONS,
    "field_operators": FIELD_OPERATORS,
    "distances": tuple(DISTANCES),
    "rule_units": UNITS,
}


def segment_list(asked: Asked) -> Shown:
    """Show every segment with its size and trend, and who uses it."""
    defined = project.read(asked.stores.state)
    users = _users(defined)
    found = segments.states(asked.stores.state, defined.segments)
    context = {
        "segments": [
            {
                "state": each,
                "users": users.get(each.name, ()),
                "trend": _trend(_days(asked, each.name), each.members),
            }
            for each in sorted(found, key=lambda each: each.title.casefold())
        ],
        "ready": READY,
        "published": activation.published_audiences(asked.stores.state),
    }
    return Shown(body=pages.render("segments.html", asked.frame, context))


def segment(asked: Asked) -> Shown:
    """Show one segment: the sentence, the size and its trend, and with whom it overlaps."""
    defined = project.read(asked.stores.state)
    chosen = segments.known(asked.path["name"], defined.segments)
    state = asked.stores.state
    now = segments.states(state, {chosen.name: chosen})[0]
    days = _days(asked, chosen.name)
    context = {
        "state": now,
        "days": days,
        "trend": _trend(days, now.members),
        "written": segments.written(state)[chosen.name],
        "sharing": segments.sharing(state, chosen.name),
        "users": _users(defined).get(chosen.name, ()),
        "sample": _people(asked, PeopleFilter(segment=chosen.name)),
    }
    return Shown(body=pages.render("segment.html", asked.frame, context))


def new_segment(asked: Asked) -> Shown:
    """Show the builder, empty, with a segment that is ready, or with a rule that was asked for."""
    ready = READY.get(asked.query.get("ready"))
    event, trait = asked.query.get("event"), asked.query.get("trait")
    rule: Mapping[str, Any] = {"all": []}
    title = ""
    if ready is not None:
        title, rule = ready["title"], ready["rule"]
    elif event:
        title, rule = f"Did {event}"[:200], {"all": [{"event": event, "within": {"days": 30}}]}
    elif trait:
        rule = {"all": [_shares(trait, asked.query.get("value"))]}
    return _builder(asked, draft_of(rule), title=title, name=_name_for(title))


def change(asked: Asked) -> Shown:
    """Show the builder with a segment that there is."""
    chosen = segments.known(asked.path["name"], project.read(asked.stores.state).segments)
    body = segments.written(asked.stores.state)[chosen.name].body
    draft = draft_of(body["rule"])
    foreign = ""
    if not _says_the_same(draft, chosen.rule):
        foreign = json.dumps(body["rule"], indent=2, ensure_ascii=False)
    return _builder(
        asked, draft, title=chosen.title, name=chosen.name, exists=True, foreign=foreign
    )


def edited(asked: Asked) -> Shown:
    """Do what a button of the builder says, and show it again; only its own part to a script."""
    draft = edit(read_draft(asked.form), asked.form.get("act"))
    if asked.part:
        context = {"draft": draft, **VOCABULARY, **_judged(asked, draft)}
        return Shown(body=pages.render("segment_draft.html", asked.frame, context))
    return _again(asked, draft, refusal="")


def preview(asked: Asked) -> Shown:
    """Show whom the rule of the form would choose now."""
    judged = _judged(asked, read_draft(asked.form))
    return Shown(body=pages.render("segment_preview.html", asked.frame, judged))


def save(asked: Asked) -> Shown | Moved:
    """Write the segment of the form; with a mistake, show the builder again and say which."""
    draft = read_draft(asked.form)
    title = asked.form.get("title")
    name = asked.form.get("name") or _name_for(title)
    there = name in segments.written(asked.stores.state)
    if there and not asked.form.get("exists"):
        refusal = f"There is a segment '{name}' already. Give this one another name."
        return _again(asked, draft, refusal=refusal)
    body = {"title": title or name, "rule": document_of(draft)}
    try:
        segments.define(asked.stores.state, name, body, now=asked.now)
    except InvalidDefinition as error:
        return _again(asked, draft, refusal=error.message)
    return Moved(to=f"/segments/{quote(name)}?saved=1")


def _again(asked: Asked, draft: Draft, *, refusal: str) -> Shown:
    title = asked.form.get("title")
    return _builder(
        asked,
        draft,
        title=title,
        name=asked.form.get("name") or _name_for(title),
        exists=bool(asked.form.get("exists")),
        refusal=refusal,
    )


def _builder(asked: Asked, draft: Draft, **said: Any) -> Shown:
    known = events.field_names(asked.stores.state)
    names = {**known, "segment": sorted(project.read(asked.stores.state).segments)}
    blank = {"exists": False, "refusal": "", "foreign": ""}
    context = {
        **blank,
        **said,
        **VOCABULARY,
        "draft": draft,
        "known": names,
        **_judged(asked, draft),
    }
    status = 400 if context["refusal"] else 200
    return Shown(body=pages.render("segment_edit.html", asked.frame, context), status=status)


def _judged(asked: Asked, draft: Draft) -> dict[str, object]:
    """Say what a draft means and whom it chooses, or what is wrong with it."""
    defined = project.read(asked.stores.state).segments
    blank: dict[str, object] = {"problems": (), "preview": None, "sample": []}
    try:
        found = segments.preview(asked.stores, document_of(draft), defined, now=asked.now)
    except InvalidRule as error:
        return {**blank, "problems": error.problems}
    ids = [each.profile_id for each in found.sample][:SAMPLE]
    return {**blank, "preview": found, "sample": _people(asked, PeopleFilter(ids=ids))}


def _people(asked: Asked, chosen: PeopleFilter) -> list[dict[str, object]]:
    found = profiles.people(asked.stores.state, chosen, limit=SAMPLE)
    return [
        {"profile_id": each.profile_id, "name": display_name(each.traits, each.identifiers)}
        for each in found.rows
    ]


def _users(defined: Project) -> dict[str, tuple[str, ...]]:
    """Return who names each segment: other segments, and audiences of use cases."""
    users: dict[str, list[str]] = {}
    for each in defined.segments.values():
        for part in rules.uses(each.rule).segments:
            users.setdefault(part, []).append(f"segment {each.name}")
    for use_case in defined.use_cases.values():
        for part in (*use_case.audience, *use_case.minus):
            users.setdefault(part, []).append(f"use case {use_case.name}")
    return {name: tuple(sorted(each)) for name, each in users.items()}


def _days(asked: Asked, name: str) -> list[SegmentDay]:
    return segments.trend(asked.stores.state, name, now=asked.now, days=TREND_DAYS)


def _trend(days: Sequence[SegmentDay], members: int) -> Markup:
    words = f"From {days[0].members:,} to {members:,} in {TREND_DAYS} days"
    return bars.trend([each.members for each in days], words=words)


def _shares(trait: str, value: str) -> dict[str, object]:
    """Return the condition that a trait has this value, as JSON; that it is known if it is none."""
    try:
        said = json.loads(value)
    except ValueError:
        said = None
    if isinstance(said, str | int | float):
        return {"trait": trait, "is": said}
    return {"trait": trait, "exists": True}


def _says_the_same(draft: Draft, rule: Rule) -> bool:
    try:
        return rules.parse(document_of(draft), where="rule") == rule
    except InvalidRule:
        return False


def _name_for(title: str) -> str:
    """Make a name of a title.

    >>> _name_for("Loyal customers, 2026")
    'loyal_customers_2026'
    """
    return re.sub(r"[^a-z0-9]+", "_", title.casefold()).strip("_")[:63]


# Six to begin with: the events are those of Segment's specification for shops.
READY: Mapping[str, dict[str, Any]] = {
    "new": {
        "title": "New customers",
        "why": "first order in the last 30 days",
        "rule": {
            "all": [
                {"event": "Order Completed", "within": {"days": 30}},
                {"not": {"event": "Order Completed", "ago": {"days": 30}}},
            ]
        },
    },
    "loyal": {
        "title": "Loyal customers",
        "why": "three orders or more in 90 days",
        "rule": {
            "all": [{"event": "Order Completed", "count": {"at_least": 3}, "within": {"days": 90}}]
        },
    },
    "carts": {
        "title": "Abandoned carts",
        "why": "a product in the cart, then no order for 4 hours",
        "rule": {
            "all": [
                {
                    "sequence": [
                        {"event": "Product Added"},
                        {"event": "Order Completed", "absent": True, "within": {"hours": 4}},
                    ],
                    "within": {"days": 30},
                }
            ]
        },
    },
    "asleep": {
        "title": "Fallen asleep",
        "why": "an order this year, none for 60 days",
        "rule": {
            "all": [
                {"event": "Order Completed", "within": {"days": 365}},
                {"event": "Order Completed", "count": {"is": 0}, "within": {"days": 60}},
            ]
        },
    },
    "big": {
        "title": "Big spenders",
        "why": "500 or more in 30 days",
        "rule": {
            "all": [
                {
                    "event": "Order Completed",
                    "sum": {"property": "revenue", "at_least": 500},
                    "within": {"days": 30},
                }
            ]
        },
    },
    "readers": {
        "title": "Readers who can be written to",
        "why": "an email address, and a page seen in 7 days",
        "rule": {
            "all": [
                {"trait": "email", "exists": True},
                {"event": "Product Viewed", "within": {"days": 7}},
            ]
        },
    },
}
