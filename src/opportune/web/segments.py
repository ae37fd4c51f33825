"""Segments: the list, one of them, and the builder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from opportune import events, profiles, project, rules, segments
from opportune.documents import InvalidDefinition
from opportune.errors import nearest
from opportune.profiles import PeopleFilter
from opportune.project import Project, ProjectNotFound
from opportune.rules import InvalidRule, Rule
from opportune.segments import Segment
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
    found = segments.sizes(asked.stores.state, now=asked.now, days=TREND_DAYS)
    users = _users(defined)
    filling = segments.filling(asked.stores.state, defined.segments)
    none = segments.Size(members=0, by_day=(0,) * TREND_DAYS)
    context = {
        "segments": [
            {
                "segment": each,
                "size": found.get(each.name, none),
                "words": rules.words(each.rule),
                "users": users.get(each.name, ()),
                "filling": each.name in filling,
                "trend": _trend(found.get(each.name, none)),
            }
            for each in sorted(defined.segments.values(), key=lambda each: each.title.casefold())
        ],
        "ready": READY,
    }
    return Shown(body=pages.render("segments.html", asked.frame, context))


def segment(asked: Asked) -> Shown:
    """Show one segment: the sentence, the size and its trend, and with whom it overlaps."""
    chosen, defined = _named(asked)
    state = asked.stores.state
    none = segments.Size(members=0, by_day=(0,) * TREND_DAYS)
    size = segments.sizes(state, now=asked.now, days=TREND_DAYS).get(chosen.name, none)
    context = {
        "segment": chosen,
        "words": rules.words(chosen.rule),
        "size": size,
        "trend": _trend(size),
        "written": segments.written(state)[chosen.name],
        "overlap": segments.overlap(state, chosen.name),
        "users": _users(defined).get(chosen.name, ()),
        "filling": chosen.name in segments.filling(state, [chosen.name]),
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
        rule = {"all": [{"trait": trait, "exists": True}]}
    return _builder(asked, draft_of(rule), title=title, name=_name_for(title))


def change(asked: Asked) -> Shown:
    """Show the builder with a segment that there is."""
    chosen, _ = _named(asked)
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
    blank: dict[str, object] = {"problems": (), "words": "", "preview": None, "enters": ""}
    try:
        rule = rules.parse(document_of(draft), where="rule")
    except InvalidRule as error:
        return {**blank, "problems": error.problems}
    found = segments.preview(asked.stores, rule, now=asked.now, sample=SAMPLE)
    shown = {
        "count": found.count,
        "everyone": found.everyone,
        "sample": _people(asked, PeopleFilter(ids=found.sample)) if found.sample else [],
    }
    return {**blank, "words": rules.words(rule), "preview": shown, "enters": _enters(rule)}


def _people(asked: Asked, chosen: PeopleFilter) -> list[dict[str, object]]:
    found = profiles.people(asked.stores.state, chosen, limit=SAMPLE)
    return [
        {"profile_id": each.profile_id, "name": display_name(each.traits, each.identifiers)}
        for each in found.rows
    ]


def _enters(rule: Rule) -> str:
    used = rules.uses(rule)
    by = [
        *(["with the event itself"] if used.events else []),
        *(["when a trait changes"] if used.traits else []),
        *(["with the other segment"] if used.segments else []),
    ]
    return f"People enter and leave {' or '.join(by)}, and when time alone decides." if by else ""


def _named(asked: Asked) -> tuple[Segment, Project]:
    name = asked.path["name"]
    defined = project.read(asked.stores.state)
    if name not in defined.segments:
        raise ProjectNotFound(f"No segment '{name}'. {nearest(name, defined.segments)}")
    return defined.segments[name], defined


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


def _trend(size: segments.Size) -> object:
    words = f"From {size.by_day[0]:,} to {size.members:,} in {TREND_DAYS} days"
    return bars.trend(size.by_day, words=words)


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
